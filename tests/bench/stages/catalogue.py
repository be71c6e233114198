"""Reading: the first load, bodies of csv, pulls from a local event service in a process of its own, and what was known when."""

import io
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import pandas as pd

from forecaster.catalog import snapshot
from forecaster.catalog.query import Query
from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.catalog.usgs_parse import parse_csv
from forecaster.clock import Clock
from forecaster.pipeline.as_of import catalogue_history
from forecaster.pipeline.as_of.as_known import in_reach
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import read_history, versions_of
from forecaster.pipeline.daily.pull import PullResult, pull_catalog
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import read_parquet
from forecaster.store.versions import catalogue
from tests.bench import naive
from tests.bench.figures import Amount, Figure, Measured, both_cpu_seconds, cpu_seconds
from tests.bench.stages.home import AS_OF, RECIPES, Bench
from tests.support.usgs_answers import write_csv
from tests.support.usgs_history import History, history_from
from tests.support.usgs_server import serve

MOMENTS = [AS_OF - timedelta(hours=number) for number in range(11)]  # as many issue times as 29 recipes have on one day
ROWS = int(os.environ.get("BENCH_ROWS", "60000"))
CHANGED = 500
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def first_load(made: Bench) -> list[Measured]:
    """The bundled snapshot into an empty store."""
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "quakecast.duckdb")
        taken = cpu_seconds(lambda: load_snapshot(store, AS_OF), 1)
    return [Amount("first load", "first load of the bundled catalogue, 296,417 rows", taken, goal=5)]


def one_reading(made: Bench) -> list[Measured]:
    """What was known at the issue times of a day: one reading of the catalogue, against one for each."""
    found, expected = [], []

    def ours() -> None:
        catalogue_history._history.cache_clear()
        history = read_history(made.store)
        found[:] = [history.near(recipe).at(moment) for recipe, moment in zip(RECIPES, MOMENTS * 3, strict=False)]

    def other() -> None:
        expected.clear()
        for moment in MOMENTS:
            with made.store.transaction() as connection:
                expected.append((catalogue.read_events(connection, moment), versions_of(catalogue.read_versions(connection, moment))))

    taken = both_cpu_seconds(ours, other, 1)
    for known, recipe, number in zip(found, RECIPES, list(range(len(MOMENTS))) * 3, strict=False):
        versions = expected[number][1]
        away_km = versions.distance_km(recipe.predict_center_lat, recipe.predict_center_lng)
        assert in_reach(recipe, away_km, versions.magnitude).sum() == len(known.inputs)
    return [Figure("one reading", "one reading, 29 recipes, 11 issue times", "a reading for each issue time", *taken, 0.3)]


def csv_body(made: Bench) -> list[Measured]:
    """20,000 events of the catalogue as the service's csv, read and checked one by one, against the csv module that checks nothing."""
    versions = _snapshot_history(20_000)
    body = write_csv(versions, np.arange(20_000)).encode()
    parsed = parse_csv(body, AS_OF)
    assert len(parsed.revisions) == 20_000, parsed.quarantined["reason"].value_counts()
    rows = pd.DataFrame(naive.csv_rows(body))
    pd.testing.assert_frame_equal(
        rows, parsed.revisions[list(rows)].fillna(dict.fromkeys(rows.select_dtypes("str"), "")), check_dtype=False
    )
    what = "20,000 rows of csv read and checked"
    taken = both_cpu_seconds(lambda: parse_csv(body, AS_OF), lambda: naive.csv_rows(body), 5)
    return [
        Figure("csv", what, "the csv module: as many columns, nothing checked", *taken, 2),
        Figure("csv pandas", what, "pandas.read_csv, nothing checked", taken[0], cpu_seconds(lambda: pd.read_csv(io.BytesIO(body)))),
        Figure("csv limit", what, "copying the body in memory", taken[0], cpu_seconds(lambda: bytes(bytearray(body)))),
    ]


def pull(made: Bench) -> list[Measured]:
    """A pull from a local service: after nothing has changed, and after 500 events have."""
    with TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder), recipe_streams=False)
        store = open_store(settings.database)
        load_snapshot(store, AS_OF)
        history = _snapshot_history(20_000, {AS_OF + DAY: 10, AS_OF + DAY + 210 * MINUTE: CHANGED})
        taken: dict[int, tuple[float, PullResult]] = {}
        with _service(history) as (url, at):
            for hours in (25, 26, 27, 28):  # the first two read what the snapshot lacks, the third finds nothing new
                at(moment := AS_OF + timedelta(hours=hours))
                job = Job(settings, store, RECIPES, Clock(lambda moment=moment: moment, simulated=False), f"pull{hours}")
                client = UsgsClient(url, "", clock=job.clock.now, rng=np.random.default_rng(1))
                results: list[PullResult] = []
                used = cpu_seconds(lambda job=job, client=client, results=results: results.append(pull_catalog(job, client)), 1)
                taken[hours] = used, results[0]
        nothing, changed = taken[27], taken[28]
        assert nothing[1].new_revisions == 0 and changed[1].new_revisions == CHANGED, taken
    return [
        Amount("pull nothing requests", "requests of a pull when nothing is new", nothing[1].requests, "requests", 2),
        Amount("pull nothing", "a pull when nothing is new", nothing[0]),
        Amount("pull 500", f"a pull of {CHANGED} changed events, without the service's own time", changed[0], goal=0.5),
    ]


def full_read(made: Bench) -> list[Measured]:
    """As many rows of csv as BENCH_ROWS from a local service, half of them new versions of the others, read, checked and stored."""
    events = ROWS // 2
    history = _snapshot_history(events, {AS_OF + 3 * DAY: events})
    query = Query(snapshot.SNAPSHOT_START, AS_OF, 0.0)
    asked: list[str] = []
    with TemporaryDirectory() as folder, _service(history) as (url, at):
        store = open_store(Path(folder) / "quakecast.duckdb")
        reading = storing = 0.0
        for moment in (AS_OF + 2 * DAY, AS_OF + 4 * DAY):
            at(moment)
            client = UsgsClient(url, "", clock=lambda moment=moment: moment, rng=np.random.default_rng(1), max_per_minute=10_000)
            answers = []
            reading += cpu_seconds(lambda client=client, answers=answers: answers.append(client.read_span(query, "csv")), 1)
            with store.transaction() as connection:
                frame = answers[0].revisions
                storing += cpu_seconds(lambda frame=frame, connection=connection: catalogue.write_revisions(connection, frame), 1)
            assert len(frame) == events
        asked = [entry["url"] for entry in client.fetch_log if "/query?" in entry["url"] and entry["status"] == 200]

        def bodies() -> None:
            for address in asked:
                with urllib.request.urlopen(address, timeout=600) as answer:
                    naive.csv_rows(answer.read())

        other = 2 * cpu_seconds(bodies, 1)
    what = f"{ROWS:,} rows of csv from a local service"
    return [
        Figure("full read", f"{what}, read and checked", "fetching the same and the csv module", reading, other, 2),
        Figure("full read stored", f"{what}, read, checked and stored", "fetching the same and the csv module", reading + storing, other),
        Amount("full read store", f"{what}: DuckDB's part, half of them revisions", ROWS / storing, "rows/s", 150_000, at_least=True),
    ]


def _snapshot_history(count: int, changes: Mapping[datetime, int] = MappingProxyType({})) -> History:
    """The last `count` events of the bundled catalogue before AS_OF - 7 days; at these moments so many of the last have a new version."""
    frame = snapshot.snapshot_revisions(read_parquet(snapshot.snapshot_path()), None)
    frame = frame[frame["origin_time"] < AS_OF - 7 * DAY].tail(count)
    known_us = frame["known_at"].astype("int64").clip(upper=pd.Timestamp(AS_OF - DAY).value // 1000)
    table = pd.DataFrame(
        {
            "key": frame["event_id"],
            "id": frame["event_id"],
            "known_us": known_us,
            "time_us": frame["origin_time"].astype("int64") // 1000 * 1000,
            "updated_us": known_us,
            "latitude": frame["latitude_deg"],
            "longitude": frame["longitude_deg"],
            "depth": frame["depth_km"],
            "mag": frame["magnitude"],
            "magType": frame["magnitude_type"],
            "net": frame["net"],
            "place": frame["place"],
            "type": frame["event_type"],
            "status": frame["status"],
        }
    )
    versions = [table]
    for moment, changed in changes.items():
        later_us = pd.Timestamp(moment).value // 1000
        versions.append(table.tail(changed).assign(mag=table["mag"] + 0.1 * len(versions), known_us=later_us, updated_us=later_us))
    return history_from(pd.concat(versions))


@contextmanager
def _service(history: History) -> Iterator[tuple[str, "SetClock"]]:
    """The local event service in a process of its own, so that its time is not ours: its address, and what sets its clock."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(history, there))
    process.start()
    try:
        yield here.recv(), SetClock(here)
    finally:
        here.send(None)
        process.join()


class SetClock:
    """Sets the clock of the service."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe

    def __call__(self, moment: datetime) -> None:
        self.pipe.send(moment)
        self.pipe.recv()


def _serve(history: History, pipe: Pipe) -> None:
    with serve(history, clock=AS_OF) as server:
        pipe.send(server.url)
        while (moment := pipe.recv()) is not None:
            server.clock = moment
            pipe.send(True)
