"""The hybrid of network and trees, and its network fitted to one region."""
