"""Who writes, and what others read."""
