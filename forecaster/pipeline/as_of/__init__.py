"""What is known at a moment, and what can be told about a recipe by then."""
