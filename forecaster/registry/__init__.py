"""What can be named, one line each: kinds of models, channels, sources, types of alert rules, reasons, fields. The code is elsewhere."""
