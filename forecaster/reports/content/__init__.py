"""The content of a report: from the day's facts to what the templates show."""
