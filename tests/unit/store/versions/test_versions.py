"""The spans in which versions were believed against the catalogue as of each moment, on drawn histories that come in any order.

`event_as_of` is the reference; it is tested by itself in test_identity and test_catalogue. Drawn: 60 events of up to three ids each,
versions that are seen late, at the same moment as others, deleted, moved over the magnitude cut, or no earthquake, and merges of events.
"""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.revisions import revision_frame
from forecaster.features.events import NEVER
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.store.database import open_store
from forecaster.store.versions.catalogue import read_events, read_versions, write_revisions
from forecaster.timewindow import to_us
from tests.support.drawn_versions import HOURS, T0, drawn_rows

FIELDS = ["origin_time", "latitude_deg", "longitude_deg", "magnitude"]


@pytest.fixture(scope="module")
def drawn_store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("drawn") / "quakecast.duckdb")
    rng = np.random.default_rng(20240101)
    for _ in range(4):
        with store.transaction() as connection:
            write_revisions(connection, revision_frame(drawn_rows(rng, 180)))
    with store.transaction() as connection:
        moved = connection.execute("SELECT count(*) FROM event_merge").fetchall()[0][0]
        apart = connection.execute("SELECT count(DISTINCT event_key) FROM event").fetchall()[0][0]
    assert moved > 20 and apart > 10, "the drawn history holds merges and events that stay apart"
    return store


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    return sorted(frame[FIELDS].itertuples(index=False, name=None))


def test_at_every_moment_the_believed_versions_are_the_catalogue_as_of_it(drawn_store):
    end = T0 + timedelta(hours=HOURS)
    with drawn_store.transaction() as connection:
        versions = read_versions(connection, end)
        for hour in range(-1, HOURS + 1):
            moment = T0 + timedelta(hours=hour, minutes=30 * (hour % 2))
            believed = (versions["known_at"] <= moment) & (versions["known_until"].isna() | (moment < versions["known_until"]))
            assert rows_of(versions[believed]) == rows_of(read_events(connection, moment)), moment


def test_inputs_at_an_issue_time_are_the_catalogue_as_of_it_cut_to_the_streams(drawn_store):
    known = load_known(drawn_store, T0 + timedelta(hours=HOURS))
    for hour in range(0, HOURS, 5):
        moment = T0 + timedelta(hours=hour)
        with drawn_store.transaction() as connection:
            meant = read_events(connection, moment)
        meant = meant[meant["magnitude"] >= 3.5]
        seen = known.inputs.visible(to_us(moment))
        expected = sorted(zip(meant["magnitude"], meant["latitude_deg"], meant["origin_time"].map(to_us), strict=True))
        assert sorted(zip(seen.magnitude, seen.latitude_deg, seen.origin_time_us, strict=True)) == expected
    last = known.inputs.take(known.inputs.known_until_us == NEVER)
    assert len(last) == (known.events.magnitude >= 3.5).sum(), "labels are judged by the last versions, which nothing has ended"


def test_a_later_as_of_adds_versions_and_ends_others_but_changes_nothing_before_it(drawn_store):
    early, late = T0 + timedelta(hours=15), T0 + timedelta(hours=HOURS)
    with drawn_store.transaction() as connection:
        first, whole = read_versions(connection, early), read_versions(connection, late)
    whole = whole[whole["known_at"] <= early]
    whole["known_until"] = whole["known_until"].where(whole["known_until"] <= early)
    order = ["event_id", "known_at", *FIELDS]
    pd.testing.assert_frame_equal(
        first.sort_values(order).reset_index(drop=True), whole.sort_values(order).reset_index(drop=True), check_dtype=False
    )
