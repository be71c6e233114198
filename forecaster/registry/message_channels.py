"""The channels through which messages are sent. To add a channel, add one module and one entry.

This module imports nothing of a channel: `notify.channels.channel` does. docs/EXTENDING.md shows how to add one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChannelEntry:
    """module: a module of the package, with a `CHANNEL`. set_by: the settings that configure the channel, in words.
    own_settings: names of settings that only this channel reads, by `Settings.of_channel`: QUAKECAST_<NAME> in the environment. Each is
    treated as a secret.
    """

    name: str
    module: str
    set_by: str
    own_settings: tuple[str, ...] = ()


CHANNELS = {
    entry.name: entry
    for entry in (
        ChannelEntry("email", "forecaster.notify.channels.email_channel", "QUAKECAST_SMTP_HOST and QUAKECAST_MAIL_TO"),
        ChannelEntry("webhook", "forecaster.notify.channels.webhook_channel", "QUAKECAST_WEBHOOK_URL"),
        ChannelEntry("slack", "forecaster.notify.channels.slack_channel", "QUAKECAST_SLACK_WEBHOOK_URL"),
        ChannelEntry("apprise", "forecaster.notify.channels.apprise_channel", "QUAKECAST_APPRISE_URLS"),
    )
}


def how_to_set_up() -> str:
    """The settings that configure the channels, in words."""
    first, *others, last = (entry.set_by for entry in CHANNELS.values())
    return f"{first}, or {', '.join(others)} or {last}"
