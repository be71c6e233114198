"""Judging models on past days."""
