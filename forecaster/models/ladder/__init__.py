"""The ladder: the published forecast extended to longer windows and larger magnitudes."""
