"""Keep replays and real runs apart: a home holds either the record of what was known when, or a replay."""

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.store.current_state import known_after, was_replayed_in
from forecaster.store.database import Store


def check(store: Store, clock: Clock) -> None:
    """Allow a replay to move forward in a home of its own, and a real run in a home without replays.

    Raises:
        BadInput: the clock is simulated and the store holds later data, or the clock is the machine's and the home holds a replay.
    """
    with store.transaction() as connection:
        later = known_after(connection, clock.now()) if clock.simulated else None
        replayed = not clock.simulated and was_replayed_in(connection)
    if later is not None:
        what, when = later
        raise BadInput(
            f"a replay of {clock.now():%Y-%m-%d %H:%M}Z cannot run on {store.path}: it holds {what} of {when:%Y-%m-%d %H:%M}Z, and "
            "a replay would change what was known before; replay in a home of its own (QUAKECAST_HOME)"
        )
    if replayed:
        raise BadInput(
            f"{store.path} is the home of a replay: its catalogue says nothing of when things became known; set QUAKECAST_HOME to another "
            "folder for forecasts of today"
        )
