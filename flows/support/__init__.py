"""Shared code of the flows."""
