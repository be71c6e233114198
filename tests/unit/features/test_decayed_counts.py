"""Decayed counts against sums written out by hand, and what is visible at which cut."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from forecaster.features.decayed_counts import CountSettings, decayed_counts
from forecaster.features.events import NEVER, Events
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import target_days
from forecaster.timewindow import DAY_US

ATHENS = (38.0, 23.7)
ONE = CountSettings(ring_edges=(1.0, 2.0), exponents=(0.0, 1.0), taus_days=(2.0,))


def crowd(recipe, days, count: int, seed: int) -> Events:
    """Versions at random places, sizes and times about the days; every other one is replaced or deleted later."""
    rng = np.random.default_rng(seed)
    origin = np.sort(rng.integers(days.cut_us[0] - 100 * DAY_US, days.cut_us[-1] + 5 * DAY_US, count))
    known = origin + rng.integers(0, 20 * DAY_US, count)
    until = np.where(rng.random(count) < 0.5, known + rng.integers(1, 30 * DAY_US, count), NEVER)
    latitude, longitude = ATHENS[0] + rng.normal(0, 5, count), ATHENS[1] + rng.normal(0, 5, count)
    depth = rng.choice([10.0, 70.0, 300.0, np.nan], count)
    return Events(origin, known, latitude, longitude, depth, rng.uniform(4.0, 7.5, count), until)


def direct(inputs: Events, recipe, cut_us: int, settings: CountSettings) -> np.ndarray:
    """The definition, event by event, for one cut."""
    seen = inputs.visible(cut_us)
    seen = seen.take(seen.magnitude >= recipe.threshold_mag)
    radii = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, seen.latitude_deg, seen.longitude_deg) / recipe.radius_km
    ages = (cut_us - seen.origin_time_us) / DAY_US
    inner = (-1.0, *settings.ring_edges[:-1])
    deep = np.nan_to_num(seen.depth_km) >= (settings.deep_km or np.inf)
    layers = (~deep,) if settings.deep_km is None else (~deep, deep)
    return np.array(
        [
            (10.0 ** (a * (seen.magnitude - recipe.threshold_mag)) * np.exp(-ages / tau))[(radii > low) & (radii <= high) & layer].sum()
            for tau in settings.taus_days
            for low, high in zip(inner, settings.ring_edges, strict=True)
            for layer in layers
            for a in settings.exponents
        ]
    )


def test_a_sum_by_hand(recipe, events) -> None:
    """Radius 300 km, tau 2 days, cuts at 23:30 in Athens (21:30 UTC in winter). M5.5 at the centre on 1 January, 21:30 UTC, is not
    before the first cut; a day and two days later its age is 1 and 2 days: exp(-.5) = .60653, exp(-1) = .36788; weight 10^1 = 10.
    M4.5 four degrees north (445 km = 1.48 radii) on 2 January 09:30 UTC is half a day old at the second cut: exp(-.25) = .77880.
    M4.4 and a place 6 degrees north (2.2 radii) play no part."""
    athens = recipe("athens")
    catalogue = events(
        ("2020-01-01T21:30+00:00", *ATHENS, 10, 5.5),
        ("2020-01-02T09:30+00:00", ATHENS[0] + 4, ATHENS[1], 10, 4.5),
        ("2020-01-01T09:00+00:00", *ATHENS, 10, 4.4),
        ("2020-01-01T09:00+00:00", ATHENS[0] + 6, ATHENS[1], 10, 7.0),
    )
    found = decayed_counts(catalogue, athens, target_days(athens, date(2020, 1, 2), 3), ONE)
    assert ONE.names == ("tau2_ring1_a0", "tau2_ring1_a1", "tau2_ring2_a0", "tau2_ring2_a1")
    expected = [[0, 0, 0, 0], [0.60653, 6.0653, 0.77880, 0.77880], [0.36788, 3.6788, 0.47237, 0.47237]]
    assert found == pytest.approx(np.array(expected), abs=1e-4) and found.dtype == np.float32


def test_a_version_counts_from_when_it_is_known_until_it_is_replaced(recipe, events) -> None:
    """Known one second after the second cut, so first an input of the third; replaced at the very moment of the fourth cut."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 2), 5)
    one = events(("2020-01-01T12:00+00:00", *ATHENS, 10, 4.5))
    seen = replace(one, known_at_us=days.cut_us[1:2] + 1_000_000, known_until_us=days.cut_us[3:4])
    found = decayed_counts(seen, athens, days, ONE)[:, 0]
    assert (found > 0).tolist() == [False, False, True, False, False]
    assert found[2] == pytest.approx(np.exp(-(2 + 9.5 / 24) / 2), rel=1e-6)


def test_deep_events_are_counted_apart(recipe, events) -> None:
    """At the centre, an hour before the first cut: 10 and 69.9 km and one without a depth are shallow, 70 and 600 km deep. In the second
    ring, 4 degrees north, one at 100 km. exp(-1 / 48) = .97938 each."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 2), 1)
    places = [(*ATHENS, depth) for depth in (10, 69.9, np.nan, 70, 600)] + [(ATHENS[0] + 4, ATHENS[1], 100)]
    catalogue = events(*(("2020-01-01T20:30+00:00", *place, 4.5) for place in places))
    split = replace(ONE, exponents=(0.0,), deep_km=70.0)
    found = decayed_counts(catalogue, athens, days, split)
    assert split.names == ("tau2_ring1_shallow_a0", "tau2_ring1_deep_a0", "tau2_ring2_shallow_a0", "tau2_ring2_deep_a0")
    assert found / 0.97938 == pytest.approx(np.array([[3, 2, 0, 1]]), rel=1e-4)


def test_both_depths_together_are_the_counts_of_all(recipe) -> None:
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 1), 40)
    inputs = crowd(athens, days, 2000, seed=5)
    whole, split = CountSettings(), CountSettings(deep_km=70.0)
    expected = decayed_counts(inputs, athens, days, whole)
    assert split.of_all_depths(decayed_counts(inputs, athens, days, split)) == pytest.approx(expected, rel=1e-6, abs=2e-6)
    assert np.array_equal(whole.of_all_depths(expected), expected)
    assert split.of_all_depths(np.empty((0, 108), np.float32)).shape == (0, 54)


@pytest.mark.parametrize("settings", [CountSettings(), CountSettings(deep_km=70.0)])
def test_the_recursion_is_the_definition(recipe, settings) -> None:
    """60 days over a change of clocks, 3000 versions: every number equals the sum over the events visible at that cut."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 3, 1), 60)
    inputs = crowd(athens, days, 3000, seed=1)
    found = decayed_counts(inputs, athens, days, settings)
    expected = np.array([direct(inputs, athens, int(cut), settings) for cut in days.cut_us])
    assert found.shape == (60, len(settings.names)) == (60, 54 if settings.deep_km is None else 108)
    assert found == pytest.approx(expected, rel=1e-6, abs=2e-6)


def test_any_order_and_any_selection_of_days_give_the_same_numbers(recipe) -> None:
    """Training asks for thousands of days at once, serving for one."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 1), 40)
    inputs = crowd(athens, days, 2000, seed=2)
    whole = decayed_counts(inputs, athens, days)
    shuffled = np.random.default_rng(3).permutation(40)
    assert decayed_counts(inputs, athens, days.take(shuffled)) == pytest.approx(whole[shuffled], rel=1e-6)
    alone = np.concatenate([decayed_counts(inputs, athens, days.take(slice(day, day + 1))) for day in range(40)])
    assert alone == pytest.approx(whole, rel=1e-6, abs=2e-6)


def test_nothing_after_a_cut_changes_its_numbers(recipe) -> None:
    """Events that happen, become known or are withdrawn after day 20's cut leave days 0 to 20 as they are, bit for bit."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 1), 40)
    inputs = crowd(athens, days, 2000, seed=4)
    cut = days.cut_us[20]
    past = inputs.take((inputs.origin_time_us < cut) & (inputs.known_at_us <= cut))
    past = replace(past, known_until_us=np.where(past.known_until_us > cut, NEVER, past.known_until_us))
    before, after = decayed_counts(inputs, athens, days), decayed_counts(past, athens, days)
    assert np.array_equal(before[:21], after[:21]) and not np.array_equal(before[21:], after[21:])


def test_no_trace_of_an_event_that_was_deleted(recipe, events) -> None:
    """A M9 (weight 10^4.5) withdrawn after three days leaves exactly nothing, not the rounding error of a difference."""
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 2), 30)
    gone = replace(events(("2020-01-01T12:00+00:00", *ATHENS, 10, 9.0)), known_until_us=days.cut_us[3:4])
    found = decayed_counts(gone, athens, days)
    assert found[:3, 2::9].any() and not found[3:].any()


def test_no_events_and_no_days(recipe, events) -> None:
    athens = recipe("athens")
    days = target_days(athens, date(2020, 1, 2), 3)
    assert not decayed_counts(events(), athens, days).any()
    assert decayed_counts(events(("2020-01-01T12:00+00:00", *ATHENS, 10, 9.0)), athens, days.take(slice(0, 0))).shape == (0, 54)
