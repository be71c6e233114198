"""What drives a forecast: by leaving one earthquake out, in a toy whose answer is worked out by hand."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.features.events import Events, events_from_frame
from forecaster.features.windows import TargetDays, target_days
from forecaster.models.baselines import rates
from forecaster.models.etas import etas
from forecaster.models.hybrid import hybrid
from forecaster.models.pooled import pooled
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.daily.nearby import largest_near, stored_drivers
from forecaster.pipeline.issuing.contributing_events import NAMED, drivers_of, without_each
from forecaster.publishing_rule.combined_model import CombinedModel
from forecaster.recipe import Recipe

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = date(2024, 1, 3)
REFERENCE = np.array([0.1])


@dataclass
class Counting:
    """Says 1 % for each visible earthquake of M >= 5, and 1 % besides; `blind` sees none of those near by."""

    blind: bool = False
    kind: str = "counting"

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        seen = inputs.visible(int(days.cut_us[0]))
        counted = (seen.magnitude >= 5.0) & ((np.abs(seen.latitude_deg) > 60.0) if self.blind else True)
        return np.full(len(days), 0.01 + 0.01 * counted.sum())


def catalogue(*rows: tuple[str, float, float, float, float]) -> Known:
    """Known at NOW: (event_id, days ago, latitude, longitude, magnitude)."""
    frame = pd.DataFrame(rows, columns=["event_id", "ago", "latitude_deg", "longitude_deg", "magnitude"])
    frame["origin_time"] = [NOW - timedelta(days=ago) for ago in frame["ago"]]
    frame = frame.sort_values("origin_time").reset_index(drop=True)
    frame = frame.assign(known_at=frame["origin_time"], depth_km=10.0, place="somewhere")
    events = events_from_frame(frame)
    return Known(NOW, events, events, lambda: frame, pd.DataFrame())


@pytest.fixture
def tokyo(recipes) -> Recipe:
    return recipes["tokyo-m45"]  # 35.68 N, 139.77 E, 150 km


def told(recipe: Recipe, known: Known, model: object, probability: float) -> dict:
    days = target_days(recipe, DAY, 1).issued_at(NOW)
    return drivers_of(model, recipe, known, days, REFERENCE, probability)  # type: ignore[arg-type]


def test_an_earthquake_drives_what_the_model_would_not_say_without_it(tokyo):
    """Three count (3 x 1 % + 1 %); the one of M 4.9 does not, and is not named. Two of them are of the last 30 days."""
    known = catalogue(
        ("old", 300, 35.7, 139.8, 5.2), ("new", 2, 35.6, 139.7, 6.0), ("far", 9, 38.0, 141.0, 5.1), ("small", 1, 35.7, 139.8, 4.9)
    )
    found = told(tokyo, known, Counting(), 0.04)
    assert {driver["event_id"] for driver in found["drivers"]} == {"old", "new", "far"}
    assert [driver["without"] for driver in found["drivers"]] == pytest.approx([0.03] * 3)
    assert found["without_recent"] == pytest.approx(0.02)
    (new,) = [driver for driver in found["drivers"] if driver["event_id"] == "new"]
    assert (new["magnitude"], new["place"], new["origin_time"], new["depth_km"]) == (6.0, "somewhere", "2023-12-31T12:00:00Z", 10.0)
    assert new["distance_km"] == pytest.approx(10.9, abs=0.2)  # 0.0809 degrees north-south (9.0 km), 0.0676 east-west (6.1 km)


def test_only_what_was_known_at_the_issue_is_looked_at_and_no_more_than_five_are_named(tokyo):
    known = catalogue(*[(f"e{i}", 1 + i, 35.7, 139.8, 5.5) for i in range(9)])
    hidden = known.inputs.known_at_us.copy()
    hidden[-1] = int((NOW + timedelta(hours=1)).timestamp() * 1e6)  # e0 became known an hour after the issue
    inputs = Events(
        known.inputs.origin_time_us,
        hidden,
        *(getattr(known.inputs, name) for name in ("latitude_deg", "longitude_deg", "depth_km", "magnitude")),
    )
    found = told(tokyo, Known(NOW, known.events, inputs, known.make_frame, known.coverage), Counting(), 0.09)
    assert len(found["drivers"]) == NAMED and "e0" not in {driver["event_id"] for driver in found["drivers"]}


def test_where_the_inputs_near_by_do_not_give_the_forecast_nothing_is_claimed(tokyo, caplog):
    """A model that looks at the other end of the Earth is none of ours: better no reason than a wrong one."""
    known = catalogue(("pole", 2, 80.0, 0.0, 6.0))
    with caplog.at_level(logging.WARNING):
        assert told(tokyo, known, Counting(blind=True), 0.02) == {}
    assert "tokyo-m45: what drives the forecast cannot be told" in caplog.text


def test_without_any_earthquake_there_is_no_driver(tokyo):
    assert told(tokyo, catalogue(("pole", 2, 80.0, 0.0, 6.0)), Counting(), 0.01) == {"drivers": [], "without_recent": 0.01}


def test_the_bundled_etas_rests_on_the_large_earthquake_beside_it(tokyo):
    """M 7 yesterday in the middle of the circle against M 4.6 far away: it doubles what the model would say without it."""
    known = catalogue(("large", 1, 35.7, 139.8, 7.0), ("small", 20, 33.0, 139.8, 4.6))
    model = etas.generic(tokyo)
    days = target_days(tokyo, DAY, 1).issued_at(NOW)
    said = float(model.probability(known.inputs, days, REFERENCE)[0])
    found = told(tokyo, known, model, said)
    assert [driver["event_id"] for driver in found["drivers"]] == ["large"]
    assert 2 * found["drivers"][0]["without"] < said and found["without_recent"] <= found["drivers"][0]["without"]


def test_what_was_stored_is_read_back_as_it_was(tokyo):
    known = catalogue(("new", 2, 35.6, 139.7, 6.0))
    (driver,) = stored_drivers(told(tokyo, known, Counting(), 0.02))
    assert (driver.origin_time, driver.magnitude, driver.without) == (NOW - timedelta(days=2), 6.0, pytest.approx(0.01))


def test_the_largest_near_by_are_of_ninety_days_the_targets_size_and_a_hundred_kilometres_more(tokyo):
    """Distances north of 35.680934 N: 2.2 degrees are 245 km (inside 150 + 100), 2.3 are 256 km."""
    rows = (
        ("in", 1, 37.88, 139.767551, 4.6),
        ("out", 1, 37.98, 139.767551, 7.0),
        ("old", 91, 35.7, 139.8, 6.0),
        ("weak", 1, 35.7, 139.8, 4.4),
    )
    near = largest_near(catalogue(*rows, ("big", 80, 35.7, 139.8, 5.0)).frame, tokyo, NOW)
    assert [(driver.magnitude, driver.without) for driver in near] == [(5.0, None), (4.6, None)]
    assert largest_near(catalogue(("pole", 2, 80.0, 0.0, 6.0)).frame, tokyo, NOW) == ()


def test_events_are_left_out_at_cuts_of_their_own_as_if_each_were_asked_alone(tokyo):
    """None, one, two that follow each other, one in two rows, all: the same to 1e-6 as by a call for each row.

    The great earthquake hides small ones for a day, and without it more are expected to be seen.

    Mutations that were seen to fail: runs that end a cut too early, known_at of the first run for every run, the detected share of all.
    """
    rows = [(f"e{i}", 60.0 * i + 0.5, 35.7 + 0.05 * i, 139.8, 4.6 + 0.3 * (i % 5)) for i in range(8)] + [("great", 0.2, 36.0, 140.0, 8.9)]
    seen = catalogue(*rows).inputs
    gone = np.zeros((5, len(seen)), dtype=bool)
    gone[1, 3] = gone[2, [3, 4]] = gone[3, 8] = True
    gone[4] = True
    days = target_days(tokyo, DAY, 1).issued_at(NOW)
    members = {"etas": etas.generic(tokyo), "pooled": pooled.generic_for(tokyo, DAY, DAY), "hybrid": hybrid.generic_for(tokyo, DAY, DAY)}
    members |= {"recent_rate": rates.recent_rate_for(tokyo, DAY, date(2015, 1, 1))}
    model = CombinedModel(members, {"etas": 0.3, "pooled": 0.2, "hybrid": 0.3, "recent_rate": 0.2})  # type: ignore[arg-type]
    alone = [float(model.probability(seen.take(~row), days, REFERENCE)[0]) for row in gone]
    assert without_each(model, seen, days, REFERENCE, gone) == pytest.approx(alone, rel=1e-6)
    assert len({round(value, 6) for value in alone}) == 5
    for kind in members:
        alone = [float(members[kind].probability(seen.take(~row), days, REFERENCE)[0]) for row in gone]
        assert without_each(CombinedModel({kind: members[kind]}, {kind: 1.0}), seen, days, REFERENCE, gone) == pytest.approx(
            alone, rel=1e-6
        )
