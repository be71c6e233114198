"""Forecasts as they are asked for: what readers are shown, and what is summed up over the years."""
