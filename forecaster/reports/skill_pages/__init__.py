"""Skill on past days, as page and as tables."""
