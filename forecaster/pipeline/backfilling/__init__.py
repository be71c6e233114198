"""Forecasts of past days."""
