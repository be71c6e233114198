"""Reports and messages rendered for each channel."""
