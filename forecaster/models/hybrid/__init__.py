"""The hybrid of network and trees, and the regional network: the hybrid with its network fitted to one region."""
