"""How a flow ends: what it did, as its result, and a state that people can read in the list of runs."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

MOST_MESSAGE = 900


def ended(done: dict[str, Any], told: str) -> State:
    """Completed, named Partial where `done["state"]` says so; the message is `told`, then the problems, one line each."""
    message = "\n".join([told, *done.get("problems", [])])
    message = message if len(message) <= MOST_MESSAGE else f"{message[:MOST_MESSAGE]} ... (all of it: table run, {done.get('run_id')})"
    return Completed(name="Completed" if done["state"] == "success" else "Partial", message=message, data=done)
