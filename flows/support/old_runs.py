"""Old runs leave the Prefect server, with their task runs, logs and artifacts. Only runs of quakecast's own deployments are deleted.

Prefect's own vacuum (PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED) deletes old runs of every flow, so it suits a server that serves nothing
else. Events leave by a setting of the server (PREFECT_SERVER_EVENTS_RETENTION_PERIOD).
"""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment

from flows.support.deploying import deployment_file
from forecaster.settings import Settings

MAX_AT_ONCE = 500  # of one daily run, which takes seconds; after a setting is lowered the next days do the rest
PAGE = 100


def delete_old_runs(settings: Settings, now: datetime) -> int:
    """Delete the runs of our deployments that ended more than `keep_runs_days` before `now`; returns how many.

    Nothing is deleted where the setting is 0 or the caller is no run of a deployment.
    """
    if not settings.keep_runs_days or deployment.id is None:
        return 0
    with get_client(sync_client=True) as client:
        return delete_runs_before(client, now - timedelta(days=settings.keep_runs_days))


def delete_runs_before(client: SyncPrefectClient, moment: datetime) -> int:
    """Delete the runs of our deployments that ended before this moment, oldest first and MAX_AT_ONCE at most; returns how many."""
    if not (ours := _deployments(client)):
        return 0
    wanted = FlowRunFilter.model_validate(
        {
            "deployment_id": {"any_": ours},
            "state": {"type": {"any_": sorted(TERMINAL_STATES)}},
            "end_time": {"before_": moment},
        }
    )
    deleted = 0
    while deleted < MAX_AT_ONCE and (
        page := client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=min(PAGE, MAX_AT_ONCE - deleted)
        )
    ):
        for run in page:
            _delete(client, run.id)
        deleted += len(page)
    return deleted


def _deployments(client: SyncPrefectClient) -> list[UUID]:
    """Return the ids of those deployments of `deployments/prefect.yaml` that are on the server."""
    found = []
    for row in deployment_file()["deployments"]:
        with suppress(ObjectNotFound):
            found.append(client.read_deployment_by_name(f"{row['name']}/{row['name']}").id)
    return found


def _delete(client: SyncPrefectClient, run_id: UUID) -> None:
    """Delete a run and its artifacts; the server deletes task runs and logs with it. What is gone already is no error."""
    of_run = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run_id]}})
    for artifact in client.read_artifacts(artifact_filter=of_run):
        with suppress(ObjectNotFound):
            client.delete_artifact(artifact.id)
    with suppress(ObjectNotFound):
        client.delete_flow_run(run_id)
