"""Whether the settings of channels can work together, told at the start and not by a dead letter. Each by itself is checked when settings
are loaded."""

from forecaster.errors import BadInput
from forecaster.notify.channels.channel import channels
from forecaster.settings import Settings


def check_channels(settings: Settings) -> None:
    """Look at every address to which messages are to go; nothing is connected.

    Raises:
        BadInput: addresses that cannot work, a line each, with the setting's name and what to write instead; no secret is repeated.
    """
    if problems := [problem for channel in channels() for problem in channel.problems(settings)]:
        raise BadInput("\n".join(problems))
