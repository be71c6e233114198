"""The ETAS model of aftershocks."""
