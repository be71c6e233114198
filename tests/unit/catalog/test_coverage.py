"""What has been read: spans, gaps, magnitudes, regions. Spans and circles are toys; recipes are the bundled ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import (
    JAPAN,
    STREAMS,
    WORLD,
    coverage_rows,
    covered_span,
    in_streams,
    last_read,
    lowest_magnitude,
    streams_for,
)
from forecaster.errors import NotScoreable
from forecaster.recipe import Recipe, load_recipes
from tests.support.changed_recipes import changed_recipe

RECIPES = load_recipes(Path(__file__).resolve().parents[3] / "recipes")
TOKYO, NIIGATA, KERMADEC = RECIPES["tokyo"], RECIPES["niigata"], RECIPES["kermadec"]
START, END = datetime(1973, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = coverage_rows(STREAMS, START, END, END, "snapshot").head(0)


def rows(*spans, streams=STREAMS) -> pd.DataFrame:
    return pd.concat([coverage_rows(streams, start, end, end, "snapshot") for start, end in spans], ignore_index=True)


def span(recipe: Recipe, coverage: pd.DataFrame) -> tuple[datetime, datetime]:
    found = covered_span(recipe, coverage)
    return found.start, found.end


def test_a_span_is_extended_by_pulls_that_touch_or_overlap_it():
    touching, overlapping = (END, END + DAY), (END - 60 * DAY, END + 2 * DAY)
    assert span(TOKYO, rows((START, END), touching)) == (START, END + DAY)
    assert span(TOKYO, rows((START, END), touching, overlapping)) == (START, END + 2 * DAY)
    assert span(TOKYO, rows(overlapping, (START, END))) == (START, END + 2 * DAY), "in whatever order they come"
    assert span(TOKYO, rows((START, END), (START + DAY, START + 2 * DAY))) == (START, END), "a span inside another adds nothing"


def test_a_gap_ends_the_span():
    tick = timedelta(microseconds=1)
    assert span(TOKYO, rows((START, END), (END + tick, END + 9 * DAY))) == (START, END), "the longer side"
    assert span(TOKYO, rows((START, START + DAY), (START + DAY + tick, END))) == (START + DAY + tick, END)


def test_niigata_is_not_scoreable_from_the_common_streams_and_says_from_which_magnitude_they_start():
    with pytest.raises(NotScoreable, match=r"^not scoreable: catalogue starts at M 3\.5$"):
        covered_span(NIIGATA, rows((START, END)))
    with pytest.raises(NotScoreable, match=r"^not scoreable: catalogue starts at M 4\.5$"):
        covered_span(NIIGATA, rows((START, END), streams=[WORLD]))
    assert lowest_magnitude(NIIGATA, rows((START, END))) == 3.5
    own = streams_for([NIIGATA])[2:]
    assert span(NIIGATA, rows((START, END), streams=[*STREAMS, *own])) == (START, END)


def test_a_recipe_below_4_5_needs_the_stream_of_japan():
    both = pd.concat([rows((START, END), streams=[WORLD]), rows((START, END - DAY), streams=[JAPAN])])
    assert span(TOKYO, both) == (START, END - DAY)
    assert span(RECIPES["tokyo-m45"], both) == (START, END)


def test_nothing_read_is_no_silence():
    for coverage in (NOTHING, rows((START, END), streams=[JAPAN])):
        with pytest.raises(NotScoreable, match="no catalogue has been read for this place"):
            covered_span(KERMADEC, coverage)
        with pytest.raises(NotScoreable):
            last_read(KERMADEC, coverage)
    assert lowest_magnitude(KERMADEC, NOTHING) is None


def test_a_circle_across_the_date_line_is_held_by_the_whole_world_only():
    """Kermadec lies at 178 W; 300 km reach beyond 180."""
    assert span(KERMADEC, rows((START, END))) == (START, END)
    half = rows((START, END), streams=[WORLD]).assign(max_longitude_deg=179.0)
    with pytest.raises(NotScoreable, match="no catalogue"):
        covered_span(KERMADEC, half)
    small = changed_recipe(KERMADEC, threshold_mag=4.0)
    (own,) = streams_for([small])[2:]
    assert (own.region.min_longitude_deg, own.region.max_longitude_deg) == (-180.0, 180.0) and own.holds(small)
    assert -33 < own.region.min_latitude_deg < -32.6 and -27.4 < own.region.max_latitude_deg < -27


def test_a_circle_that_leaves_the_box_of_japan_is_not_held_by_it():
    """Fukuoka's 350 km end at 126.6 E; a circle of 900 km reaches beyond 122 E."""
    wide = changed_recipe(RECIPES["fukuoka"], predict_radius_meters=900_000)
    assert JAPAN.holds(RECIPES["fukuoka"]) and not JAPAN.holds(wide)
    with pytest.raises(NotScoreable, match=r"starts at M 4\.5"):
        covered_span(wide, rows((START, END)))
    assert [stream.name for stream in streams_for([wide])] == ["world", "japan", "recipe:fukuoka"]


def test_of_the_29_only_niigata_needs_a_stream_of_its_own():
    assert [stream.name for stream in streams_for(RECIPES.values())] == ["world", "japan", "recipe:niigata"]


def test_the_last_reading_is_that_of_the_streams_that_hold_the_recipe():
    later = rows((START, END), streams=[JAPAN]).assign(read_at=pd.Timestamp(END + 9 * DAY))
    coverage = pd.concat([rows((START, END)), later])
    assert last_read(TOKYO, coverage) == END + 9 * DAY
    assert last_read(KERMADEC, coverage) == END


def test_which_events_belong_to_the_streams_their_bounds_included():
    magnitude = np.array([4.5, 4.4999, 3.5, 3.4999, np.nan, 3.5, 3.5])
    latitude, longitude = np.array([0.0, 0, 24, 24, 24, 23.9999, 48]), np.array([0.0, 0, 122, 122, 122, 122, 154])
    assert in_streams(STREAMS, latitude, longitude, magnitude).tolist() == [True, False, True, False, False, False, True]
