"""Evaluate models on past days."""
