"""Skill on past days, as a page and as tables."""
