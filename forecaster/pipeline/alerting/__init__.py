"""Apply alert rules to the day's forecasts, and write the messages of the resulting alerts."""
