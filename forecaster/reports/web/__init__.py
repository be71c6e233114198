"""The pages of the archive, and the server for them."""
