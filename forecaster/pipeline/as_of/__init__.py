"""What is known at a given moment, and what can be stated about a recipe by then."""
