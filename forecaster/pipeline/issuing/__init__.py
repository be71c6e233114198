"""Compute forecasts, here or on workers, without storing them."""
