"""The catalogue: versions of events."""
