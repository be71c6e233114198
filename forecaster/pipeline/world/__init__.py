"""Train the pre-trained sets of the world."""
