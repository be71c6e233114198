"""The first system's network."""
