"""The ladder: one forecast carried on to longer windows and larger magnitudes."""
