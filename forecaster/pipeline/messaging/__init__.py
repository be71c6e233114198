"""Send reports and messages to everybody who is set up."""
