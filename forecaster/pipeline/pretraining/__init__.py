"""Train the sets that forecast any place from the catalogue of the world (`quakecast pretrain`), and decide which of them serve."""
