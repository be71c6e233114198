"""What a report says: from the day's facts to what the templates show."""
