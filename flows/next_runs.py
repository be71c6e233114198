"""The coming runs: the next time of each schedule, and names for the runs that the server has made already."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.runtime import deployment

from flows.support.names import name_for
from flows.support.stale_runs import TAG

PAGE = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NextRun:
    """The next time of one schedule; `at` is aware UTC."""

    deployment: str
    time_zone: str
    at: datetime

    @property
    def text(self) -> str:
        """Return `daily     Sun 2026-11-29 14:30 UTC  (Sun 23:30 in Asia/Tokyo)`."""
        local = self.at.astimezone(ZoneInfo(self.time_zone))
        there = "" if self.time_zone == "UTC" else f"  ({local:%a %H:%M} in {self.time_zone})"
        return f"{self.deployment:9} {self.at:%a %Y-%m-%d %H:%M} UTC{there}"


def next_runs(document: Mapping[str, Any], now: datetime) -> list[NextRun]:
    """Return the next time of each schedule of a deployment file, soonest first."""
    found = [
        NextRun(row["name"], schedule["timezone"], _next(schedule["cron"], schedule["timezone"], now))
        for row in document["deployments"]
        for schedule in row.get("schedules", ())
    ]
    return sorted(found, key=lambda run: (run.at, run.deployment, run.time_zone))


def name_next_runs() -> int:
    """Rename the runs that the server has scheduled to the names that they will run under; returns how many were named.

    The server invents names of two random words. An error of the server here causes no failure. Outside a deployment: none.
    """
    if deployment.id is None:
        return 0
    try:
        with get_client(sync_client=True) as client:
            return _name_scheduled(client)
    except Exception as error:  # noqa: BLE001 - names are for people; whatever the server says to them, the work is done
        log.warning("the next runs keep the names that the server gave them: %s", type(error).__name__)
        return 0


def name_first_runs(client: SyncPrefectClient, names: Iterable[str], patience_s: float = 15.0) -> int:
    """Do the same after a deployment: wait until the server has scheduled the first run of each of these deployments."""
    waiting, named, end = set(names), 0, time.monotonic() + patience_s
    while True:
        scheduled = {client.read_flow(run.flow_id).name for run in _scheduled(client)}
        named += _name_scheduled(client)
        waiting -= scheduled
        if not waiting or time.monotonic() >= end:
            return named
        time.sleep(0.5)


def _name_scheduled(client: SyncPrefectClient) -> int:
    flows: dict[Any, str] = {}
    named = 0
    for run in _scheduled(client):
        if run.flow_id not in flows:
            flows[run.flow_id] = client.read_flow(run.flow_id).name
        if run.expected_start_time and run.name != (name := name_for(flows[run.flow_id], run.expected_start_time)):
            client.update_flow_run(run.id, name=name)
            named += 1
    return named


def _scheduled(client: SyncPrefectClient) -> list[Any]:
    wanted = FlowRunFilter.model_validate({"tags": {"all_": [TAG]}, "state": {"type": {"any_": [StateType.SCHEDULED]}}})
    found: list[Any] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return [run for run in found if run.auto_scheduled]


def _next(cron: str, time_zone: str, now: datetime) -> datetime:
    from prefect.server.schemas.schedules import CronSchedule

    (moment,) = asyncio.run(CronSchedule(cron=cron, timezone=time_zone).get_dates(1, now))
    return datetime.fromtimestamp(moment.timestamp(), UTC)
