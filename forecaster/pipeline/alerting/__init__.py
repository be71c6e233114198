"""Apply alert rules to the forecasts of the day, and write the messages of what they raise."""
