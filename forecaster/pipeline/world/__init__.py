"""Training the sets of the world."""
