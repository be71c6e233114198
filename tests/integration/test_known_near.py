"""The catalogue near a place against the whole catalogue: the same events, labels, rates and forecasts, in a part of the time.

Mutations that were seen to fail: no wrap at the date line, `led` or `related` without the merges, a reach of 300 km.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.catalog.revisions import revision_frame
from forecaster.features.events import Events, events_from_frame
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import target_days
from forecaster.models import pretrained
from forecaster.models.baselines import climatology
from forecaster.models.cells import cells
from forecaster.models.etas import etas
from forecaster.models.hybrid import hybrid
from forecaster.models.pooled import pooled
from forecaster.pipeline.as_of.as_known import Known, labelled_days
from forecaster.pipeline.as_of.catalogue_history import load_known, load_known_near, read_history, versions_of
from forecaster.places import recipe_at
from forecaster.recipe import Recipe
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.parquet import MANIFEST, export_tables
from forecaster.store.sharing.read_only_store import ParquetExport
from forecaster.store.versions.catalogue import read_events, read_versions, write_revisions
from forecaster.store.versions.near_events import read_strong_events
from forecaster.timewindow import to_us
from tests.support.drawn_versions import HOURS, T0, drawn_rows

AS_OF = datetime(2024, 12, 20, 12, tzinfo=UTC)
PLACES = {
    "tonga": (-20.0, -174.5, 300.0, 5.0),
    "kermadec": (-30.0, -178.0, 300.0, 5.0),
    "west of the date line": (-17.8, 179.9, 150.0, 4.5),
    "athens": (38.0, 23.7, 300.0, 4.5),
    "sendai": (38.27, 140.87, 150.0, 4.5),
    "near the pole": (86.5, 40.0, 500.0, 4.5),
    "at the south pole's edge": (-61.0, -58.0, 400.0, 4.5),
    "a large circle": (52.0, 178.0, 1500.0, 5.5),
}


def recipe_of(place: str) -> Recipe:
    return recipe_at(*PLACES[place], "UTC", "place")


@pytest.fixture(scope="module")
def whole_store(snapshot_file) -> Store:
    return Store(snapshot_file)


@pytest.fixture(scope="module")
def whole(whole_store) -> Known:
    return load_known(whole_store, AS_OF)


def within(events: Events, recipe: Recipe) -> Events:
    away = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, events.latitude_deg, events.longitude_deg)
    beyond_km = np.where(events.magnitude >= 7.5, 2000.0, np.where(events.magnitude >= 6.5, 1000.0, 500.0))
    return events.take(away <= np.maximum(recipe.radius_km + beyond_km, 4 * recipe.radius_km))


def same_events(one: Events, other: Events) -> bool:
    return len(one) == len(other) and all(np.array_equal(value, vars(other)[name], equal_nan=True) for name, value in vars(one).items())


@pytest.mark.parametrize("place", PLACES)
def test_events_and_forecasts_are_those_of_the_whole_catalogue(whole_store, whole, place) -> None:
    """Every event within reach, no other; the rate to the last bit, and ETAS, pooled trees, hybrid and cells to 1e-9."""
    recipe = recipe_of(place)
    near = load_known_near(whole_store, recipe, AS_OF)
    assert same_events(near.events, within(whole.events, recipe)) and same_events(near.inputs, within(whole.inputs, recipe))
    assert 0 < len(near.events) < len(whole.events) and len(near.frame) == len(near.events)
    assert near.read_until == whole.read_until
    from_one_reading = read_history(whole_store).near(recipe).at(AS_OF)
    assert same_events(near.events, from_one_reading.events) and same_events(near.inputs, from_one_reading.inputs)
    pd.testing.assert_frame_equal(near.frame, from_one_reading.frame, check_dtype=False)
    said = {name: forecasts(recipe, known) for name, known in (("near", near), ("whole", whole))}
    assert said["near"] == pytest.approx(said["whole"], abs=1e-9)
    assert all(0 < value < 1 for value in said["whole"])


def forecasts(recipe: Recipe, known: Known) -> list[float]:
    """What the usual rate, ETAS, pooled trees, the hybrid and the network of cells say of the day after `AS_OF`."""
    labelled = labelled_days(recipe, known)
    days = target_days(recipe, AS_OF.date() + timedelta(days=1), 1).issued_at(AS_OF)
    ends = labelled.days.target_ends_us
    reference = climatology.daily_probability(labelled.happened, labelled.days.target_starts_us, ends, np.array([to_us(AS_OF)]))
    day = date(2024, 12, 21)
    models = (
        etas.generic(recipe),
        *(
            make(recipe, found)
            for kind, make in (("pooled", pooled.PooledModel), ("hybrid", hybrid.HybridModel), ("cells", cells.CellsModel))
            if (found := pretrained.newest_before(kind, day))
        ),
    )
    assert len(models) == 4
    return [float(reference[0]), *(float(model.probability(known.inputs, days, reference)[0]) for model in models)]


@pytest.mark.parametrize("place", ["sendai", "athens"])
def test_small_earthquakes_that_no_model_uses_may_be_left_out(whole_store, place) -> None:
    """They lie outside the circle and long before; forecasts, the record and all else in the circle are the same without them."""
    recipe, since_us = recipe_of(place), to_us(AS_OF - timedelta(days=730))
    everything, without = read_history(whole_store).near(recipe), read_history(whole_store).near(recipe, since_us)
    events = everything.versions
    away = events.distance_km(recipe.predict_center_lat, recipe.predict_center_lng)
    kept = (events.magnitude >= 4.5) | (away <= recipe.radius_km) | (events.origin_time_us >= since_us)
    assert same_events(without.versions, events.take(kept)) and kept.all() == (place == "athens")
    assert forecasts(recipe, without.at(AS_OF)) == forecasts(recipe, everything.at(AS_OF))


def test_nothing_is_known_of_an_empty_store(store) -> None:
    near = load_known_near(store, recipe_of("tonga"), AS_OF)
    assert len(near.events) == len(near.inputs) == len(near.frame) == 0 and near.read_until is None


def test_labels_are_those_of_the_whole_catalogue(whole_store, whole) -> None:
    recipe = recipe_of("kermadec")
    one, other = (labelled_days(recipe, known) for known in (load_known_near(whole_store, recipe, AS_OF), whole))
    assert np.array_equal(one.happened, other.happened) and np.array_equal(one.event_count, other.event_count)
    assert one.happened.sum() > 300


# --- versions, deletions and merges, which the snapshot has none of ---


@pytest.fixture(scope="module")
def drawn_store(tmp_path_factory) -> Store:
    """Histories as in test_versions, but with versions of one event far apart: about 179 E, and about the antipode."""
    store = open_store(tmp_path_factory.mktemp("far") / "quakecast.duckdb")
    rng = np.random.default_rng(7)
    for _ in range(4):
        rows = drawn_rows(rng, 180)
        for row in rows:
            row["longitude_deg"] = float(rng.choice([179.5, -179.5, -1.0], p=[0.45, 0.45, 0.1]))
        with store.transaction() as connection:
            write_revisions(connection, revision_frame(rows))
    return store


BOXES = {
    "across the date line": (30.0, 40.0, 178.0, 182.0),
    "the same, written west": (30.0, 40.0, -182.0, -178.0),
    "east of it only": (30.0, 40.0, 178.0, 180.0),
    "all around": (34.0, 35.0, -180.0, 180.0),
    "few versions": (33.0, 33.2, 0.0, 180.0),
}
OFTEN = ("across the date line", "few versions")  # with every change; the others in the slow tests


def in_box(frame: pd.DataFrame, box: tuple[float, float, float, float]) -> pd.DataFrame:
    south, north, west, east = box
    lat, lon = frame["latitude_deg"], frame["longitude_deg"]
    inside = [lon.add(turn).between(west, east) for turn in (-360, 0, 360)]
    return frame[lat.between(south, north) & (inside[0] | inside[1] | inside[2])].reset_index(drop=True)


@pytest.mark.parametrize("box", [pytest.param(box, id=name, marks=[pytest.mark.slow] * (name not in OFTEN)) for name, box in BOXES.items()])
def test_a_box_leaves_out_what_lies_outside_and_nothing_else(drawn_store, box) -> None:
    """At every hour of histories with merges, deletions and versions that leave the box: rows, first and last moments are the same."""
    with drawn_store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM event_merge").fetchall()[0][0] > 20
        for hour in range(HOURS + 1):
            moment = T0 + timedelta(hours=hour)
            for read in (read_events, read_versions):
                expected = in_box(read(connection, moment), box)
                found = read(connection, moment, box)
                order = ["origin_time", "latitude_deg", "longitude_deg", "known_at", "event_id"]
                pd.testing.assert_frame_equal(*(f.sort_values(order, ignore_index=True) for f in (found, expected)), check_dtype=False)
        assert 0 < len(expected) < len(read_versions(connection, moment))


def test_one_reading_gives_what_was_known_at_every_hour(drawn_store) -> None:
    """Events, ids, places and first moments, and the versions that were inputs, are those of a reading at that hour.

    Mutations that were seen to fail: `joined` all false, `<=` in place of `<` at the end of a span, no NEVER for spans that end later.
    """
    history = read_history(drawn_store)
    with drawn_store.transaction() as connection:
        for hour in range(HOURS + 1):
            moment = T0 + timedelta(hours=hour)
            events, versions = read_events(connection, moment), versions_of(read_versions(connection, moment))
            known = history.at(moment)
            pd.testing.assert_frame_equal(known.frame, events, check_dtype=False)
            inside = in_streams(STREAMS, versions.latitude_deg, versions.longitude_deg, versions.magnitude)
            assert same_events(known.inputs, versions.take(inside))
            assert same_events(known.events, events_from_frame(events))
        assert history.joined.any() and 0 < len(known.events) < len(history.versions)


def test_the_strong_events_of_several_boxes_are_those_of_the_catalogue(drawn_store) -> None:
    """All of them, and those since a moment that lies among their origins."""
    boxes = [BOXES["east of it only"], BOXES["few versions"]]
    with drawn_store.transaction() as connection:
        for hour in range(0, HOURS + 1, 5):
            whole = read_events(connection, T0 + timedelta(hours=hour))
            strong = whole[whole["magnitude"] >= 5.0].reset_index(drop=True)
            near = pd.concat([in_box(strong, box) for box in boxes]).drop_duplicates("event_id")
            middle = near["origin_time"].median().to_pydatetime()
            for since in (None, middle):
                expected = near if since is None else near[near["origin_time"] >= since]
                found = pd.DataFrame(vars(read_strong_events(connection, T0 + timedelta(hours=hour), boxes, 5.0, since)))
                found["origin_time"] = pd.to_datetime(found.pop("origin_time_us"), unit="us", utc=True)
                alike = (frame.sort_values(["origin_time", "event_id"], ignore_index=True) for frame in (found, expected[list(found)]))
                pd.testing.assert_frame_equal(*alike, check_dtype=False)
        assert 0 < len(expected) < len(near) < len(whole)


def test_an_event_of_the_box_that_turned_out_to_be_one_far_away(store) -> None:
    """At 1 h it lies in the box, at 3 h it is found to be the same as one 330 km away outside it, and is gone from here."""
    rows = drawn_rows(np.random.default_rng(1), 3)
    for row, ids, hour, place in zip(
        rows, (["a"], ["b"], ["b", "a"]), (1, 2, 3), ((31.0, 140.0), (28.0, 140.0), (28.0, 140.0)), strict=True
    ):
        seen = T0 + timedelta(hours=hour)
        row |= {"event_id": ids[0], "ids": ids, "updated_at": seen, "observed_at": seen, "known_at": seen, "origin_time": T0}
        row |= {"latitude_deg": place[0], "longitude_deg": place[1], "magnitude": 5.0, "status": "reviewed", "event_type": "earthquake"}
        with store.transaction() as connection:
            write_revisions(connection, revision_frame([row]))
    with store.transaction() as connection:
        counts = [len(read_events(connection, T0 + timedelta(hours=hour), (30.0, 40.0, 130.0, 150.0))) for hour in range(5)]
        versions = read_versions(connection, T0 + timedelta(hours=4), (30.0, 40.0, 130.0, 150.0))
    assert counts == [0, 1, 1, 0, 0]
    assert versions["known_until"].tolist() == [T0 + timedelta(hours=3)]


def test_a_box_makes_the_macros_read_less(drawn_store) -> None:
    """What makes it fast: a table of a WITH clause stands before the schema's own inside the macros. Without it answers stay right."""
    with drawn_store.transaction() as connection:
        hidden = "WITH event_revision AS (SELECT rowid, * FROM main.event_revision WHERE false) SELECT count(*) FROM"
        for macro in ("event_as_of", "event_versions"):
            assert connection.execute(f"{hidden} {macro}(TIMESTAMPTZ '2025-01-01 00:00:00+00')").fetchall() == [(0,)]


def test_an_export_is_read_by_boxes_too(drawn_store, tmp_path) -> None:
    export_tables(drawn_store, tmp_path)
    end = T0 + timedelta(hours=HOURS)
    with drawn_store.transaction() as ours, ParquetExport(tmp_path / MANIFEST, str(tmp_path)).transaction() as exported:
        for read in (read_events, read_versions):
            pd.testing.assert_frame_equal(read(exported, end, BOXES["all around"]), read(ours, end, BOXES["all around"]))
