"""Send reports and messages to all configured recipients."""
