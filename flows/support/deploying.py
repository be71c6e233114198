"""Deploy `deployments/prefect.yaml`, with the schedules of this installation's recipes, onto a Prefect server."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import prefect
import yaml
from packaging.version import Version
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound

from flows.next_runs import NextRun, name_first_runs, next_runs
from flows.support.stale_runs import HEARTBEAT_SECONDS, ensure_zombie_watches
from forecaster.errors import QuakecastError
from forecaster.pipeline.daily.issue_schedule import issue_alarms
from forecaster.recipe import Recipe
from forecaster.settings import Settings, bundled_folder

POOL = "quakecast"
OLD_WRITER_LIMIT = "quakecast-writer"  # of earlier versions; the write lock is now a lock beside the database
OLDEST_SERVER = Version("3.8.0")
JSON_LOGS = {
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "forecaster.logs.JsonLines",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER": "json",
    "PREFECT_LOGGING_COLORS": "false",
}
"""With these in its environment, a process of Prefect (worker, run or server) writes its log as ours does (`forecaster.logs`)."""


class ServerUnusable(QuakecastError):
    """The Prefect server is down, too old, or none is named."""


def deployment_file() -> dict[str, Any]:
    """Return the contents of `deployments/prefect.yaml`."""
    document: dict[str, Any] = yaml.safe_load((bundled_folder("deployments") / "prefect.yaml").read_text(encoding="utf-8"))
    return document


def with_schedules(document: dict[str, Any], recipes: Sequence[Recipe], settings: Settings) -> dict[str, Any]:
    """Return the same with one schedule of `daily` for each time zone and issue time of these recipes, and with the sending time that is
    set."""
    zone = settings.send_time_zone or Counter(recipe.time_zone for recipe in recipes).most_common(1)[0][0]
    at = settings.send_local_time
    alarms = [{"cron": alarm.cron, "timezone": alarm.time_zone, "slug": alarm.slug} for alarm in issue_alarms(recipes)]
    schedules = {"daily": alarms, "send": [{"cron": f"{at.minute} {at.hour} * * *", "timezone": zone, "slug": "morning"}]}
    deployments = [
        {**row, **({"schedules": schedules[row["name"]]} if row["name"] in schedules else {})} for row in document["deployments"]
    ]
    return {**document, "deployments": deployments}


def check_server(client: SyncPrefectClient) -> None:
    """Raises:
    ServerUnusable: no server answers, or one that is too old for these deployments.
    """
    url = str(prefect.settings.get_current_settings().api.url or "")
    if not url:
        raise ServerUnusable("no Prefect server is named; set PREFECT_API_URL, for example http://127.0.0.1:4200/api (see the runbook)")
    try:
        found = Version(client.api_version())
    except Exception as error:  # noqa: BLE001 - whatever it is, this server cannot be used
        raise ServerUnusable(
            f"the Prefect server at {url} does not answer ({type(error).__name__}); start it, or set PREFECT_API_URL"
        ) from None
    if found < OLDEST_SERVER:
        raise ServerUnusable(f"the Prefect server at {url} is version {found}, {OLDEST_SERVER} is the oldest that will do; upgrade it")


def deploy(settings: Settings, recipes: Sequence[Recipe], project: Path, now: datetime) -> tuple[list[str], list[NextRun]]:
    """Set up the work pool and the automations for dead runs, deploy everything, and name the coming runs.

    project: the folder in which runs work. Deploying again replaces what was deployed. Returns the names of the deployments, and the next
    time of each schedule after `now`.

    Raises:
        ServerUnusable: down, or too old; nothing is changed. QuakecastError: the server refused, with its message.
    """
    with get_client(sync_client=True) as client:
        check_server(client)
        try:
            client.read_work_pool(POOL)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        with suppress(ObjectNotFound):
            client.delete_global_concurrency_limit_by_name(OLD_WRITER_LIMIT)
    ensure_zombie_watches()
    document = with_schedules(deployment_file(), recipes, settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
        ran = subprocess.run(command, cwd=project, env={**os.environ, "PWD": str(project)}, text=True, capture_output=True, check=False)
    if ran.returncode != 0:
        output_lines = [
            line.strip() for line in (ran.stdout + ran.stderr).splitlines() if line.strip() and "An exception occurred" not in line
        ]
        raise QuakecastError(f"the deployment failed: {output_lines[-1] if output_lines else 'Prefect said nothing'}"[:500])
    coming = next_runs(document, now)
    with get_client(sync_client=True) as client:
        name_first_runs(client, {run.deployment for run in coming})
    return [f"{row['name']}/{row['name']}" for row in document["deployments"]], coming


def become_worker(settings: Settings, limit: int | None) -> NoReturn:
    """Turn this process into a process worker of the pool. Its runs work on the data folder that the settings name.

    Raises:
        ServerUnusable: down, or too old.
    """
    with get_client(sync_client=True) as client:
        check_server(client)
    own = {"QUAKECAST_HOME": str(settings.home.resolve()), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
    own |= JSON_LOGS | {"QUAKECAST_LOG_FORMAT": "json"} if settings.log_format == "json" else {}
    own |= {"PREFECT_API_URL": str(prefect.settings.get_current_settings().api.url)}
    command = [sys.executable, "-m", "flows.worker_process", "worker", "start", "--pool", POOL, "--type", "process"]
    os.execve(sys.executable, [*command, *(["--limit", str(limit)] if limit else [])], {**os.environ, **own})
