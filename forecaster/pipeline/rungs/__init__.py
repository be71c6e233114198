"""The ladder of each issue: its rows, and what became of them."""
