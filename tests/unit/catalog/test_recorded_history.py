"""The recorded history as a store: what was known, joined over changes of ids, with the feed's incidents left out.

Sources: the recording itself; the incidents are those of the description of the service (2023-10-23 two back ends, one without a real M6.0;
2024-10-07 rows of 1970; 2024-12-05 the M7.0 us7000nw7b became nc75095651 within 40 minutes).
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.features.events import NEVER
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.store.database import open_store
from forecaster.store.versions import catalogue
from forecaster.timewindow import to_us

pytestmark = pytest.mark.shared
FIRST, LAST = pd.Timestamp("2024-12-04", tz="UTC"), pd.Timestamp("2024-12-08", tz="UTC")


@pytest.fixture(scope="module")
def history(load_script):
    return load_script("recorded_history")


@pytest.fixture(scope="module")
def stored(history, shared_data, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("recorded") / "quakecast.duckdb")
    with store.transaction() as connection:
        catalogue.write_revisions(connection, history.recorded_revisions(shared_data, FIRST, LAST))
    return store


def as_of(store, moment: datetime) -> list[tuple]:
    with store.transaction() as connection:
        frame = catalogue.read_events(connection, moment)
    inside = in_streams(STREAMS, *(frame[name].to_numpy() for name in ("latitude_deg", "longitude_deg", "magnitude")))
    frame = frame[inside]
    return sorted(zip(frame["origin_time"].map(to_us), frame["magnitude"], frame["latitude_deg"], strict=True))


def test_at_random_moments_the_inputs_are_the_catalogue_as_of_them(stored):
    inputs = load_known(stored, datetime(2025, 3, 1, tzinfo=UTC)).inputs
    assert (inputs.known_until_us < NEVER).sum() > 100, "real revisions take the place of others"
    rng = np.random.default_rng(5)
    for hours in [*rng.uniform(0, 96, 12), *rng.uniform(96, 90 * 24, 6)]:
        moment = FIRST.to_pydatetime() + timedelta(hours=float(hours))
        seen = inputs.visible(to_us(moment))
        assert sorted(zip(seen.origin_time_us, seen.magnitude, seen.latitude_deg, strict=True)) == as_of(stored, moment), moment


def test_in_the_end_it_is_the_final_catalogue(history, stored, shared_data):
    final = history.final_events(shared_data, FIRST, LAST)
    inside = in_streams(STREAMS, *(final[name].to_numpy() for name in ("latitude_deg", "longitude_deg", "magnitude")))
    expected = sorted(zip(final["origin_time"].map(to_us)[inside], final["magnitude"][inside], final["latitude_deg"][inside], strict=True))
    assert as_of(stored, datetime(2025, 12, 1, tzinfo=UTC)) == expected


def test_the_change_of_an_id_leaves_one_large_event_at_every_moment(stored):
    start = datetime(2024, 12, 5, 19, 0, tzinfo=UTC)
    for minute in range(0, 180, 20):
        large = [event for event in as_of(stored, start + timedelta(minutes=minute)) if event[1] >= 6.5]
        assert len(large) == 1 and large[0][1] == 7.0, minute
    with stored.transaction() as connection:
        names = connection.execute("SELECT DISTINCT event_id FROM event_revision WHERE magnitude = 7.0 ORDER BY 1").fetchall()
        keys = connection.execute("SELECT count(DISTINCT event_key) FROM event_revision WHERE magnitude = 7.0").fetchall()
    assert names == [("nc75095651",), ("us7000nw7b",)] and keys == [(1,)]


def test_rows_of_1970_are_left_out(history, shared_data):
    first, last = pd.Timestamp("2024-10-07 12:00", tz="UTC"), pd.Timestamp("2024-10-08 18:00", tz="UTC")
    frame = history.recorded_revisions(shared_data, first, last)
    kept = frame[frame["status"] != "deleted"]
    assert len(kept) > 20 and kept["origin_time"].between(first, last).all() and kept["magnitude"].between(3.0, 8.0).all()
    assert (kept["known_at"] > kept["origin_time"]).all()
    assert (kept["updated_at"].isna() | (kept["updated_at"] > first)).all()


def test_an_event_that_one_back_end_lacks_stays_known(history, shared_data):
    """The M6.0 of 2023-10-22 in the final catalogue: from its first version on, no deletion."""
    first, last = pd.Timestamp("2023-10-22 06:00", tz="UTC"), pd.Timestamp("2023-10-23 18:00", tz="UTC")
    frame = history.recorded_revisions(shared_data, first, last)
    large = frame[frame["magnitude"] >= 5.9]
    assert len(large) >= 2
    assert not frame[frame["status"] == "deleted"]["event_id"].isin(large["event_id"]).any()


def test_a_history_made_twice_is_the_same(history, shared_data):
    one, two = (history.recorded_revisions(shared_data, FIRST, FIRST + pd.Timedelta(days=1)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
