"""What the members say together."""
