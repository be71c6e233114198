"""After a downtime several scheduled runs are waiting. The first that begins does the work of all; the others are then cancelled."""

from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled

PAGE = 200


def cancel_overtaken(begun: datetime) -> int:
    """Cancel the scheduled runs of this deployment that should have begun by the time this one did (aware UTC); returns how many.

    Runs that a person requested stay, and so does every run whose parameters differ from this one's: it would do something else.
    """
    own_deployment, own_run = deployment.id, flow_run.id
    if own_deployment is None:
        return 0
    cancelled = 0
    with get_client(sync_client=True) as client:
        parameters = client.read_flow_run(UUID(str(own_run))).parameters
        for run in _overdue(client, own_deployment, begun):
            if str(run.id) != str(own_run) and run.auto_scheduled and run.parameters == parameters:
                reason: State = Cancelled(message=f"overtaken: {flow_run.name} did what was due until {begun:%Y-%m-%d %H:%M} UTC")
                client.set_flow_run_state(run.id, reason, force=True)
                cancelled += 1
    return cancelled


def _overdue(client: SyncPrefectClient, deployment_id: str, now: datetime) -> list[FlowRun]:
    wanted = FlowRunFilter.model_validate(
        {
            "deployment_id": {"any_": [deployment_id]},
            "state": {"type": {"any_": [StateType.SCHEDULED]}},
            "expected_start_time": {"before_": now},
        }
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return found
