"""The notification channels: their recipients, and how each renders and sends a report or message."""
