"""Runs that die with their machine. Nothing is left to report them, so the server marks runs without a heartbeat as crashed.

Runs of a worker send a heartbeat (PREFECT_FLOWS_HEARTBEAT_FREQUENCY, set by `quakecast worker`). The server's automations act where no
heartbeat has arrived for SILENCE, and no end either, or where a run that a worker took has not begun for STARTUP. They watch only
quakecast's deployments.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.support.final_state import NO_FORECAST

TAG = "quakecast"  # of every deployment in deployments/prefect.yaml, and so of all their runs
WATCH = "quakecast: runs without a sign of life"
STARTUP_WATCH = "quakecast: runs that do not begin"
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=5 * HEARTBEAT_SECONDS)
STARTUP = timedelta(minutes=5)
NEVER_BEGAN = "a worker took it, and it has not begun"
_BACK_IN_LINE = ("Scheduled", "Late", "AwaitingConcurrencySlot", "AwaitingRetry", "Cancelling", "Paused", "Suspended")
_ENDS = ("Completed", "Partial", NO_FORECAST, "Failed", "TimedOut", "Cancelled", "Crashed")


def ensure_zombie_watches(silence: timedelta = SILENCE, startup: timedelta = STARTUP) -> None:
    """Set the automations on the server to those defined here, replacing those of an earlier version."""
    alive, began, ends, back = _events("heartbeat"), _events("Running"), _events(*_ENDS), _events(*_BACK_IN_LINE)
    dead = f"no sign of life for {silence.seconds} seconds: its process or machine died"
    unborn = f"{NEVER_BEGAN} for {startup.seconds} seconds: its process, worker or machine died"
    with get_client(sync_client=True) as client:
        for watch in (
            _watch(WATCH, alive, alive | ends, silence, dead),  # not after Running: a worker of another kind may send no heartbeats
            _watch(STARTUP_WATCH, _events("Pending"), began | ends | back, startup, unborn),
        ):
            there = client.read_automations_by_name(watch.name)
            for automation in there:
                client.update_automation(automation.id, watch)
            if not there:
                client.create_automation(watch)


def _events(*names: str) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}


def _watch(name: str, after: set[str], expect: set[str], within: timedelta, message: str) -> AutomationCore:
    return AutomationCore(
        name=name,
        enabled=True,
        trigger=EventTrigger(
            after=after,
            expect=expect,
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{TAG}"], "prefect.resource.role": ["tag"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, force=False, message=message)],
    )
