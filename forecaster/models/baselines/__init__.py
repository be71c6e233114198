"""Baselines: rates that need no training. Every other model is compared with them."""
