"""Runs that died before they began. The server has marked them as crashed, and no process of theirs could report it, so the next run
does."""

from datetime import datetime, timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.runtime import deployment

from flows.support.hooks import report_end
from flows.support.stale_runs import NEVER_BEGAN, TAG
from forecaster.settings import Settings

SINCE = timedelta(days=3)
TOLD = "told"  # a tag, by which a run is reported once


def report_lost_runs(settings: Settings, now: datetime) -> int:
    """Report runs of the last days that never began to the operator, once; returns how many. Outside a deployment: none."""
    if deployment.id is None:
        return 0
    crashed = FlowRunFilter.model_validate(
        {"tags": {"all_": [TAG]}, "state": {"type": {"any_": [StateType.CRASHED]}}, "expected_start_time": {"after_": now - SINCE}}
    )
    reported = 0
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=crashed, limit=200):
            if run.state and NEVER_BEGAN in (run.state.message or "") and TOLD not in run.tags:
                report_end(settings, client.read_flow(run.flow_id).name, run, run.state)
                client.update_flow_run(run.id, tags={*run.tags, TOLD})
                reported += 1
    return reported
