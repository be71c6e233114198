"""Coverage is joined when it is written: what was read by any time is answered as from every single read.

The old way, every row of the log one by one in Python, is kept here to compare with. Histories are random: common streams, a recipe's own,
gaps, overlaps, spans inside others, deeper and shallower readings, reads out of order.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import (
    STREAMS,
    CoverageSource,
    Stream,
    coverage_rows,
    covered_span,
    last_read,
    lowest_magnitude,
    streams_for,
)
from forecaster.catalog.query import Region
from forecaster.errors import NotScoreable
from forecaster.features.geometry import circle_box
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.recipe import Recipe, load_recipes
from forecaster.store import ledger
from forecaster.store.database import Connection, open_store
from forecaster.store.versions import catalogue
from forecaster.timewindow import TimeWindow
from tests.support.old_schemas import old_schema

RECIPES = [load_recipes(Path(__file__).resolve().parents[2] / "recipes")[name] for name in ("tokyo", "niigata", "kermadec")]
DEEP = Stream("recipe:tokyo", Region(33.0, 38.0, 137.0, 143.0), 2.5)
EVERY = [*streams_for(RECIPES), DEEP]
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def history(seed: int) -> pd.DataFrame:
    """Some reads in the order in which they were made: (streams, span, source) by chance, most of them adding to the one before."""
    rng = np.random.default_rng(seed)
    made, at = [], FIRST
    ends = {stream.name: FIRST for stream in EVERY}
    for _ in range(int(rng.integers(1, 40))):
        at += int(rng.integers(1, 200)) * HOUR
        chosen = [stream for stream in EVERY if rng.random() < 0.5]
        source = str(rng.choice(list(CoverageSource)))
        for stream in chosen:
            gap = int(rng.choice([0, 0, 0, -500, -20, 30])) * HOUR
            start = ends[stream.name] + gap
            end = start + int(rng.integers(1, 300)) * HOUR
            ends[stream.name] = max(end, ends[stream.name]) if rng.random() < 0.8 else end
            made.append(coverage_rows([stream], start, end, at, source))
    return pd.concat(made, ignore_index=True) if made else coverage_rows(STREAMS, FIRST, at, at, "snapshot")


def answers(recipe: Recipe, coverage: pd.DataFrame) -> tuple:
    try:
        return covered_span(recipe, coverage), last_read(recipe, coverage), lowest_magnitude(recipe, coverage)
    except NotScoreable as error:
        return str(error), lowest_magnitude(recipe, coverage)


def row_by_row(recipe: Recipe, reads: pd.DataFrame) -> tuple:
    """The same from single reads, as it was done before they were joined."""
    south, north, west, east = circle_box(recipe)
    here = [
        row
        for row in reads.to_dict("records")
        if row["min_latitude_deg"] <= south
        and north <= row["max_latitude_deg"]
        and row["min_longitude_deg"] <= west
        and east <= row["max_longitude_deg"]
    ]
    lowest = min((row["min_magnitude"] for row in here), default=None)
    deep = sorted((row for row in here if row["min_magnitude"] <= recipe.threshold_mag), key=lambda row: row["span_start"])
    if not here:
        return "not scoreable: no catalogue has been read for this place; run `quakecast pull`", lowest
    if not deep:
        return f"not scoreable: catalogue starts at M {lowest:.1f}", lowest
    spans: list[TimeWindow] = []
    for row in deep:
        start, end = row["span_start"].to_pydatetime(), row["span_end"].to_pydatetime()
        if spans and start <= spans[-1].end:
            spans[-1] = TimeWindow(spans[-1].start, max(spans[-1].end, end))
        else:
            spans.append(TimeWindow(start, end))
    return max(spans, key=lambda span: (span.end - span.start, span.end)), max(row["read_at"] for row in deep), lowest


def as_of(connection: Connection, moment: datetime) -> pd.DataFrame:
    return connection.execute("SELECT * FROM coverage_as_of($t) ORDER BY stream, span_start, read_at", {"t": moment}).df()


def write_in_turn(connection: Connection, reads: pd.DataFrame) -> None:
    for _, rows in reads.groupby("read_at", sort=False):
        catalogue.write_coverage(connection, rows)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] * (seed > 3)) for seed in range(12)])
def test_joined_coverage_answers_as_single_reads_do_at_any_time(store, seed):
    reads = history(seed)
    rng = np.random.default_rng(1000 + seed)
    with store.transaction() as connection:
        write_in_turn(connection, reads)
        joined = catalogue.read_coverage(connection)
        for recipe in RECIPES:
            assert answers(recipe, joined) == row_by_row(recipe, reads)
        pd.testing.assert_frame_equal(joined, as_of(connection, datetime(9999, 1, 1, tzinfo=UTC)))
        for moment in [FIRST, *(FIRST + int(hours) * HOUR for hours in rng.integers(0, 4500, 8))]:
            known, by_then = as_of(connection, moment), reads[reads["read_at"] <= moment]
            assert [answers(recipe, known) for recipe in RECIPES] == [row_by_row(recipe, by_then) for recipe in RECIPES]
            told = ledger.changes_between(connection, moment - 24 * HOUR, moment)["last_pull_at"]
            assert told == (by_then["read_at"].max().to_pydatetime() if len(by_then) else None)
    known = load_known(store, datetime(2030, 1, 1, tzinfo=UTC))
    assert [answers(recipe, known.coverage) for recipe in RECIPES] == [row_by_row(recipe, reads) for recipe in RECIPES]


@pytest.mark.parametrize("seed", range(3))
def test_an_old_home_is_joined_when_it_is_opened_and_no_read_is_lost(settings, seed):
    reads = history(seed)
    with old_schema(15), open_store(settings.database).transaction() as connection:
        connection.register("reads", reads)
        connection.execute("INSERT INTO coverage BY NAME SELECT * FROM reads")
    with open_store(settings.database).transaction() as connection:
        joined = catalogue.read_coverage(connection)
        assert [answers(recipe, joined) for recipe in RECIPES] == [row_by_row(recipe, reads) for recipe in RECIPES]
        kept = connection.execute("SELECT * FROM coverage_read").df()
        order = list(reads.columns)
        pd.testing.assert_frame_equal(
            kept.sort_values(order, ignore_index=True), reads.sort_values(order, ignore_index=True), check_dtype=False
        )


@pytest.mark.slow
def test_ten_years_of_pulls_are_a_row_a_stream_and_source(store):
    """14 pulls a day: at every one the rows that a reader meets are as few as at the first."""
    times = pd.date_range(FIRST, periods=10 * 365 * 14, freq="103min")
    with store.transaction() as connection:
        catalogue.write_coverage(connection, coverage_rows(STREAMS, datetime(1973, 1, 1, tzinfo=UTC), FIRST, FIRST, "snapshot"))
        pulls = pd.concat(
            [coverage_rows(STREAMS, FIRST, FIRST + HOUR, FIRST, CoverageSource.CHANGES)] * (len(times) - 1), ignore_index=True
        )
        starts, ends = times[:-1].repeat(len(STREAMS)), times[1:].repeat(len(STREAMS))
        catalogue.write_coverage(connection, pulls.assign(span_start=starts, span_end=ends, read_at=ends))
        assert len(catalogue.read_coverage(connection)) == 2 * len(STREAMS)
        last = times[-1].to_pydatetime()
        now = last + HOUR
        catalogue.write_coverage(connection, coverage_rows(STREAMS, last, now, now, CoverageSource.CHANGES))
        joined = catalogue.read_coverage(connection)
        assert len(joined) == 2 * len(STREAMS)
        assert covered_span(RECIPES[0], joined) == TimeWindow(datetime(1973, 1, 1, tzinfo=UTC), now)
