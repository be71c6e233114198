"""The network of cells, over cells of the whole Earth: its inputs, its training, and its inference."""
