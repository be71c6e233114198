"""The end of a flow: its result, and a state that people can read in the list of runs."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.support.error_text import MAX_TEXT
from forecaster.errors import QuakecastError

NO_FORECAST = "NoForecast"


def ended(done: dict[str, Any], summary: str, name: str | None = None) -> State:
    """Return the state Completed, named Partial where `done["state"]` says so, or `name`. Its message is `summary`, then the problems, one
    line each."""
    message = "\n".join([summary, *done.get("problems", [])])
    message = message if len(message) <= MAX_TEXT else f"{message[:MAX_TEXT]} ... (all of it: table run, {done.get('run_id')})"
    if done["state"] == "failed":
        return Failed(message=message, data=QuakecastError(message))
    return Completed(name=name or ("Completed" if done["state"] == "success" else "Partial"), message=message, data=done)
