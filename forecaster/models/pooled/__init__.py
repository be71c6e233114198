"""Boosted trees on circles around the world, on an intensity."""
