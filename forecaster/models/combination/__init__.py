"""The combination of the members' forecasts, and its weights."""
