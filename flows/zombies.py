"""Runs that die with their machine: nobody is left to report them, so the server marks a run without a sign of life as crashed.

Runs of a worker send a heartbeat (PREFECT_FLOWS_HEARTBEAT_FREQUENCY, set by `quakecast worker`); where none has come for SILENCE, and no
end either, the server's automation acts.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.ending import NO_FORECAST

WATCH = "quakecast: runs without a sign of life"
HEARTBEAT = "prefect.flow-run.heartbeat"
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=5 * HEARTBEAT_SECONDS)
ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Partial", NO_FORECAST, "Failed", "TimedOut", "Cancelled", "Crashed")}


def ensure_zombie_watch() -> None:
    """Make the automation on the server, where it is not there yet."""
    with get_client(sync_client=True) as client:
        if not client.read_automations_by_name(WATCH):
            client.create_automation(_watch())


def _watch() -> AutomationCore:
    return AutomationCore(
        name=WATCH,
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDS},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                force=False,
                message=f"no sign of life for {SILENCE.seconds} seconds: its process or machine died",
            )
        ],
    )
