"""Fit models when they are due, and decide which of them are published."""
