"""A home is of one time: the record of what was known when, or a replay. A run with the clock of the other would spoil it."""

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.store.database import Store
from forecaster.store.moments import known_after, was_replayed_in


def check(store: Store, clock: Clock) -> None:
    """Let a replay go forward in a home of its own, and a run of today into a home that was never replayed in.

    Raises:
        BadInput: the clock is simulated and the store holds something later, or it is the machine's and a replay has worked here.
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
