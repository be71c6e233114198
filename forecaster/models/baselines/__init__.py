"""Rates that need no training: what everything else has to beat."""
