"""Messages to the operator about a run: it failed or crashed, or it ended and some of its steps failed."""

import logging
from datetime import UTC, datetime
from typing import Any

from prefect.exceptions import PrefectException

import forecaster.pipeline.messaging.operator as operations
from flows.support.error_text import MAX_TEXT, fault
from forecaster.errors import BadInput, QuakecastError
from forecaster.pipeline.messaging import run_messages
from forecaster.registry.faults import of_fault
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.settings import Settings, load_settings

log = logging.getLogger(__name__)


def report_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Hook for on_failure and on_crashed: send one message to every channel. A replay sends nothing."""
    if _is_replay(flow_run) or (settings := _settings()) is None:
        return
    report_end(settings, flow.name, flow_run, state)


def report_end(settings: Settings, flow_name: str, flow_run: Any, state: Any) -> None:
    """Send one message to every channel: how a run of this flow ended, and its text."""
    subject, text = run_messages.run_ended(settings, flow_name, flow_run.name, state.name, state.timestamp, _problem(state))
    _send(settings, subject, text, f"{flow_run.id}|{state.name}")


def report_partial(settings: Settings, kind: str, run_id: str, failed: list[Reason]) -> None:
    """Send one message to every channel about the steps of a run that failed while the others continued."""
    subject, text = run_messages.run_partial(settings, kind, run_id, failed)
    _send(settings, subject, text, f"{run_id}|partial")


def _send(settings: Settings, subject: str, text: str, key: str) -> None:
    for failure in operations.report_to_operator(settings, subject, text, key, datetime.now(UTC)):
        log.error("the operator could not be told: %s", failure)


def _problem(state: Any) -> Reason:
    """Return why the run ended: its error, or whatever ended it."""
    try:
        error = state.result(raise_on_failure=False)
    except Exception:  # noqa: BLE001 - a run that was killed has no error: the message is the server's
        error = None
    if isinstance(error, Exception) and not isinstance(error, QuakecastError | PrefectException | TimeoutError):
        return fault(error)
    text = (state.message or "nothing")[:MAX_TEXT]
    return of_fault(error, text) if isinstance(error, Exception) else Reason(ReasonKey.FAULT_STOPPED, {"text": text})


def _is_replay(flow_run: Any) -> bool:
    return (flow_run.parameters or {}).get("simulated_now") is not None


def _settings() -> Settings | None:
    try:
        return load_settings()
    except BadInput as error:
        log.error("nobody is told of this run: %s", error)
        return None
