"""The network over the cells of the world: its inputs, its training, and what serves."""
