"""Check at the start whether the channel settings work together, before a message fails. Single settings are checked when loaded."""

from forecaster.errors import BadInput
from forecaster.notify.channels.channel import channels
from forecaster.settings import Settings


def check_channels(settings: Settings) -> None:
    """Check every recipient's address; no connection is made.

    Raises:
        BadInput: addresses that cannot work, a line each, with the setting's name and what to write instead; no secret is repeated.
    """
    if problems := [problem for channel in channels() for problem in channel.problems(settings)]:
        raise BadInput("\n".join(problems))
