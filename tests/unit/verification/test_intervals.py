"""Block bootstrap: coverage on a known truth, joint draws, and the cases where nothing happens."""

import math

import numpy as np
import pytest

from forecaster.verification.intervals import (
    RESAMPLES,
    DailyGain,
    Interval,
    draw_blocks,
    gain_interval,
    gain_intervals,
    ratio_bounds,
    sums_by_day,
)

FIRST = np.datetime64("2018-01-08", "D")  # 17539 = 584 x 30 + 19 days after 1970-01-01: 11 days into the record a new block starts


def daily(observed: np.ndarray, gain: np.ndarray, first: np.datetime64 = FIRST) -> DailyGain:
    return DailyGain(first + np.arange(len(gain)), gain, observed)


def drawn(rng: np.random.Generator, days: int = 1800, rate: float = 0.1) -> DailyGain:
    """Independent days; every target day gains 1 + noise, every other one loses .1; the truth is
    1 - .1 x .9 / .1 = .1 nats per target day."""
    observed = rng.random(days) < rate
    return daily(observed, np.where(observed, 1.0 + rng.normal(0, 0.5, days), -0.1))


def information_gain_intervals(
    recipes: dict[str, DailyGain], rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[dict[str, Interval], Interval]:
    """(interval by recipe, interval of all recipes pooled), from the same draws."""
    return gain_intervals(recipes, draw_blocks((days.local_days for days in recipes.values()), rng, resamples))


def test_estimate_by_hand() -> None:
    """Gains 2, -.5, -.5, 1 with two target days: 2 / 2 = 1."""
    one = daily(np.array([True, False, False, True]), np.array([2.0, -0.5, -0.5, 1.0]))
    intervals, pooled = information_gain_intervals({"a": one}, np.random.default_rng(0))
    assert intervals["a"].estimate == pooled.estimate == pytest.approx(1.0)
    assert intervals["a"].target_days == 2


def test_interval_covers_the_truth_19_times_in_20() -> None:
    """200 records of 60 blocks: the 95 % interval holds .1 in 95 % of them, within 4 standard errors of a percentage of 200 (6 %)."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        interval = information_gain_intervals({"a": drawn(rng)}, rng, resamples=400)[0]["a"]
        hits += interval.low <= 0.1 <= interval.high
    assert 0.89 <= hits / 200 <= 1.0


def test_dependent_days_widen_the_interval() -> None:
    """The same days in runs of ten: ten times fewer independent ones, an interval about sqrt(10) = 3.2 times as wide. Drawing days instead
    of blocks gives equal widths and fails."""
    rng = np.random.default_rng(3)
    single = drawn(rng, 3600)
    runs = drawn(rng, 360)
    repeated = daily(np.repeat(runs.observed, 10), np.repeat(runs.gain, 10))
    widths = []
    for record in (single, repeated):
        interval = information_gain_intervals({"a": record}, np.random.default_rng(0))[0]["a"]
        widths.append(interval.high - interval.low)
    assert 2.0 < widths[1] / widths[0] < 4.5


def test_blocks_are_drawn_jointly() -> None:
    """Two recipes with the same days have the same interval, and pooling them changes nothing; independent draws would narrow
    it by sqrt 2."""
    record = drawn(np.random.default_rng(5))
    intervals, pooled = information_gain_intervals({"a": record, "b": record}, np.random.default_rng(0))
    assert intervals["a"] == intervals["b"]
    assert (pooled.estimate, pooled.low, pooled.high) == pytest.approx((intervals["a"].estimate, intervals["a"].low, intervals["a"].high))
    assert pooled.target_days == 2 * intervals["a"].target_days


def test_blocks_are_spans_of_the_calendar() -> None:
    """Recipe b has only the second half of a's days: its blocks are a's later blocks, and days of one block are never split."""
    record = drawn(np.random.default_rng(6), 1811)
    half = DailyGain(record.local_days[911:], record.gain[911:], record.observed[911:])
    intervals, _ = information_gain_intervals({"a": record, "b": half}, np.random.default_rng(0))
    assert intervals["b"].high - intervals["b"].low > intervals["a"].high - intervals["a"].low
    whole = daily(np.array([True] + [False] * 29), np.full(30, 0.1), FIRST + 11)
    alone = information_gain_intervals({"a": whole}, np.random.default_rng(0))[0]["a"]
    assert (alone.low, alone.high) == pytest.approx((3.0, 3.0)), "one whole block can only be drawn as it is"


def test_nothing_happened() -> None:
    quiet = daily(np.zeros(90, dtype=bool), np.full(90, 0.01))
    intervals, pooled = information_gain_intervals({"quiet": quiet, "a": drawn(np.random.default_rng(1))}, np.random.default_rng(0))
    assert math.isnan(intervals["quiet"].estimate) and math.isnan(intervals["quiet"].low) and intervals["quiet"].target_days == 0
    assert math.isfinite(pooled.low)
    assert information_gain_intervals({}, np.random.default_rng(0))[0] == {}


def test_resamples_without_a_target_day_are_left_out_and_counted() -> None:
    """One target day in ten blocks: a draw of ten misses its block with probability .9^10 = .349."""
    observed = np.zeros(300, dtype=bool)
    observed[150] = True
    first = np.datetime64(584 * 30, "D")
    interval = information_gain_intervals({"a": daily(observed, np.where(observed, 1.0, -0.001), first)}, np.random.default_rng(0), 5000)[
        0
    ]["a"]
    assert interval.undefined_share == pytest.approx(0.349, abs=0.03)
    assert math.isfinite(interval.low) and math.isfinite(interval.high)


def test_same_generator_same_bounds() -> None:
    record = drawn(np.random.default_rng(8))
    bounds = [information_gain_intervals({"a": record}, np.random.default_rng(seed))[0]["a"] for seed in (1, 1, 2)]
    assert bounds[0] == bounds[1] != bounds[2]


def test_models_on_the_same_draws() -> None:
    """A model .3 nats ahead of another on every target day and level on the others: each varies, their difference does not."""
    other = drawn(np.random.default_rng(9))
    model = DailyGain(other.local_days, other.gain + 0.3 * other.observed, other.observed)
    draws = draw_blocks([other.local_days], np.random.default_rng(0))
    difference = gain_interval([DailyGain(model.local_days, model.gain - other.gain, model.observed)], draws)
    assert (difference.estimate, difference.low, difference.high) == pytest.approx((0.3, 0.3, 0.3))
    single = gain_intervals({"a": model}, draws)[0]["a"]
    assert single.high - single.low > 0.1
    assert single == information_gain_intervals({"a": model}, np.random.default_rng(0))[0]["a"]


def test_longer_blocks_see_longer_dependence() -> None:
    """A gain that holds for 90 days: by blocks of 30 days three in a row are taken as independent, so that blocks of 90 are wider, by
    sqrt(3) = 1.7 where all else is equal. The same days by day sums give the same bounds."""
    rng = np.random.default_rng(2)
    first, seasons = np.datetime64(90 * 200, "D"), 80
    observed = np.tile(np.arange(90) % 9 == 0, seasons)
    gain = np.where(observed, np.repeat(rng.normal(0.1, 0.5, seasons), 90), 0.0)
    days = first + np.arange(len(gain))
    bounds = {}
    for length in (30, 90):
        draws = draw_blocks([days], np.random.default_rng(0), block_days=length)
        assert len(draws.blocks) == 90 * seasons / length
        bounds[length] = ratio_bounds(draws, days, gain, observed)
        np.testing.assert_allclose(draws.sums(*sums_by_day(days, gain))[1], draws.sums(days, gain)[1], atol=1e-9)
    assert 1.4 < (bounds[90].high - bounds[90].low) / (bounds[30].high - bounds[30].low) < 2.1


def test_sums_by_day() -> None:
    days = np.array(["2020-01-02", "2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    found = sums_by_day(days, np.array([1.0, 2.0, 4.0]), np.array([True, False, True]))
    assert found[0].astype(str).tolist() == ["2020-01-01", "2020-01-02"]
    assert (found[1].tolist(), found[2].tolist()) == ([2.0, 5.0], [0.0, 2.0])


def test_draws_of_a_seed_are_those_of_its_generator() -> None:
    """Also when they are asked for again; nobody can change what is kept."""
    days = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
    for _ in range(2):
        drawn = draw_blocks([days], 7).times
        assert np.array_equal(drawn, draw_blocks([days], np.random.default_rng(7)).times) and not drawn.flags.writeable
    assert not np.array_equal(drawn, draw_blocks([days], 8).times)
