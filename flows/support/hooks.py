"""Messages to the operator about a run: it failed or crashed, or it ended and some of its steps failed."""

import logging
from datetime import UTC, datetime
from typing import Any

from prefect.exceptions import PrefectException

import forecaster.pipeline.messaging.operator as operations
from flows.support.faults import MAX_TEXT, words
from forecaster.errors import BadInput, QuakecastError
from forecaster.settings import Settings, load_settings

log = logging.getLogger(__name__)


def tell_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Hook for on_failure and on_crashed: send one message to every channel. A replay sends nothing."""
    if _is_replay(flow_run) or (settings := _settings()) is None:
        return
    tell_end(settings, flow.name, flow_run, state)


def tell_end(settings: Settings, flow_name: str, flow_run: Any, state: Any) -> None:
    """Send one message to every channel: how a run of this flow ended, and its text."""
    text = "\n".join(
        [
            f"The run {flow_run.name!r} of the flow {flow_name!r} ended as {state.name} ({state.timestamp:%Y-%m-%d %H:%M} UTC).",
            f"It says: {_told(state)}",
            "What to do: deployments/RUNBOOK.md, What each message means.",
        ]
    )
    _tell(settings, f"{flow_name} {state.name.lower()}: {flow_run.name}", text, f"{flow_run.id}|{state.name}")


def tell_partial(settings: Settings, kind: str, run_id: str, failed: list[str]) -> None:
    """Send one message to every channel about the steps of a run that failed while the others continued."""
    text = "\n".join(
        [
            f"The {kind} run {run_id} went on to its end, but not every step of it worked. What it stored before is kept.",
            *(f"It says: {told[:MAX_TEXT]}" for told in failed),
            "What to do: deployments/RUNBOOK.md, What each message means.",
        ]
    )
    _tell(settings, f"{kind} partial: {', '.join(told.partition(':')[0] for told in failed)} failed", text, f"{run_id}|partial")


def _tell(settings: Settings, subject: str, text: str, key: str) -> None:
    for failure in operations.tell_operator(settings, subject, text, key, datetime.now(UTC)):
        log.error("the operator could not be told: %s", failure)


def _told(state: Any) -> str:
    """Return the text of the run: that of its error, or of whatever ended it."""
    try:
        error = state.result(raise_on_failure=False)
    except Exception:  # noqa: BLE001 - a run that was killed has no error: the message is the server's
        error = None
    if isinstance(error, Exception) and not isinstance(error, QuakecastError | PrefectException | TimeoutError):
        return words(error)
    return (state.message or "nothing")[:MAX_TEXT]


def _is_replay(flow_run: Any) -> bool:
    return (flow_run.parameters or {}).get("simulated_now") is not None


def _settings() -> Settings | None:
    try:
        return load_settings()
    except BadInput as error:
        log.error("nobody is told of this run: %s", error)
        return None
