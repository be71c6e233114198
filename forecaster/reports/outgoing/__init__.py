"""Reports and messages in the shape of each channel."""
