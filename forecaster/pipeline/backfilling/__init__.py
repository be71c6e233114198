"""Forecast past days."""
