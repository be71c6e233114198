"""Charts and maps of the pages and mails."""
