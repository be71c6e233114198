"""The notification channels, everything of one channel here: its recipients, how it renders a report or message, and how it sends it.

`channel` is the interface. `mail_building`, `mail_headers` and `mail_server` belong to e-mail, `apprise_addresses` and `apprise_child` to
apprise. What channels share (addresses, connections, HTTP, the outbox) lies one folder up.
"""
