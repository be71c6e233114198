"""Pulls over real HTTP at any moment into a store as after loading a snapshot taken on 2024-01-01."""

from datetime import UTC, datetime, timedelta

import numpy as np

from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.daily.pull import PullResult, pull_catalog
from forecaster.store.database import Store
from forecaster.store.versions import catalogue
from tests.support import usgs_history
from tests.support.steps import job_of, machine
from tests.support.toys import TOKYO, cover, quake, write
from tests.support.usgs_history import History, history_of
from tests.support.usgs_server import UsgsServer

SNAPSHOT = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = SNAPSHOT + 2 * DAY  # the first pull
SECOND = FIRST + DAY
TOUCHED_BY_EVERY_PULL = ("fetch_log", "coverage", "coverage_read")


def event(event_id: str, time: datetime, magnitude: float = 5.0, **more) -> dict:
    place = {"latitude": TOKYO[0], "longitude": TOKYO[1]}
    return usgs_history.event(event_id, time, magnitude, **(place | more))


def seed(store: Store) -> Store:
    """Make a store as after loading a snapshot taken on 2024-01-01: two old events, everything read to that day."""
    old = [
        quake(name, SNAPSHOT - 100 * DAY, m, updated_at=None, observed_at=SNAPSHOT, source="snapshot")
        for name, m in (("us_o1", 5.0), ("us_o2", 6.0))
    ]
    write(store, *old)
    cover(store, SNAPSHOT, start=datetime(1973, 1, 1, tzinfo=UTC), source="snapshot")
    return store


def pull(store: Store, server: UsgsServer, moment: datetime, *, url: str | None = None, recipes=(), **options) -> PullResult:
    """One pull at `moment`; waits are not slept."""
    server.clock = moment
    server.requests.clear()
    slept: list[float] = []
    client = UsgsClient(
        url or server.url,
        "quake@example.org",
        clock=lambda: moment,
        rng=np.random.default_rng(1),
        sleep=slept.append,
        monotonic=lambda: sum(slept),
        max_tries=2,
        **options,
    )
    return pull_catalog(job_of(store, recipes, machine(moment)), client)


def known(store: Store, moment: datetime) -> dict[str, float]:
    """Magnitude by id of the earthquakes as known at `moment`, without the two old ones."""
    with store.transaction() as connection:
        frame = catalogue.read_events(connection, moment)
    return {row.event_id: row.magnitude for row in frame.itertuples() if not row.event_id.startswith("us_o")}


def history(*rows: dict) -> History:
    return history_of([event("us_far", SNAPSHOT + HOUR, 6.0, latitude=-20.0, longitude=-175.0), *rows])


def read_until(store: Store) -> datetime:
    return load_known(store, datetime(2100, 1, 1, tzinfo=UTC)).coverage.groupby("stream")["span_end"].max().min().to_pydatetime()
