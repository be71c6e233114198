"""What happens after a run whatever it did: a failure or crash is told to the operator, a success to the heartbeat's address."""

import logging
from datetime import UTC, datetime
from typing import Any

from prefect.exceptions import PrefectException

import forecaster.pipeline.operations as operations
from flows.ending import MOST_MESSAGE
from forecaster.errors import BadInput, QuakecastError
from forecaster.settings import Settings, load_settings

log = logging.getLogger(__name__)


def tell_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Hook for on_failure and on_crashed: one message to every channel; a replay tells nobody."""
    if _is_replay(flow_run) or (settings := _settings()) is None:
        return
    subject = f"{flow.name} {state.name.lower()}: {flow_run.name}"
    text = "\n".join(
        [
            f"The run {flow_run.name!r} of the flow {flow.name!r} ended as {state.name} ({state.timestamp:%Y-%m-%d %H:%M} UTC).",
            f"It says: {_told(state)}",
            "What to do: deployments/RUNBOOK.md, What each alarm means.",
        ]
    )
    for failure in operations.tell_operator(settings, subject, text, f"{flow_run.id}|{state.name}", datetime.now(UTC)):
        log.error("the operator could not be told: %s", failure)


def send_heartbeat(flow: Any, flow_run: Any, state: Any) -> None:
    """Hook for on_completion: say that the day was done, so that silence can be noticed."""
    if _is_replay(flow_run) or (settings := _settings()) is None:
        return
    if failure := operations.send_heartbeat(settings, state.name.lower()):
        log.warning("no heartbeat: %s", failure)


def _told(state: Any) -> str:
    """What the run says: our own errors and Prefect's words as they are. Another's text might hold an address, so only its kind is told."""
    try:
        error = state.result(raise_on_failure=False)
    except Exception:  # noqa: BLE001 - whoever killed the run left no error: the message is the server's
        error = None
    if isinstance(error, Exception) and not isinstance(error, QuakecastError | PrefectException | TimeoutError):
        return f"{type(error).__name__}, which nobody foresaw; the run's own log says more"
    return (state.message or "nothing")[:MOST_MESSAGE]


def _is_replay(flow_run: Any) -> bool:
    return (flow_run.parameters or {}).get("simulated_now") is not None


def _settings() -> Settings | None:
    try:
        return load_settings()
    except BadInput as error:
        log.error("nobody is told of this run: %s", error)
        return None
