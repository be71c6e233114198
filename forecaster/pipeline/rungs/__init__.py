"""The ladder of each issue: its rows, and their outcomes."""
