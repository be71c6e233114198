"""Fit models when they are due, and learn the weights with which they count in what is published (`publishing_rule`)."""
