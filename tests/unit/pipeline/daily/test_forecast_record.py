"""The record by mode: counts, gain, curve; prospective apart from hindcasts, days that a model has seen in none."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.pipeline.daily.forecast_record import (
    CURVE_POINTS,
    CURVE_VALUES,
    _grouped,
    of_mode,
    pooled_records,
    record_of,
    reliability_curve,
    scored_days,
)
from forecaster.store import ledger
from forecaster.store.forecasts import shown as stored
from forecaster.timewindow import TimeWindow
from tests.support.forecast_rows import forecast_row

FIRST = datetime(2023, 1, 1, 15, tzinfo=UTC)  # midnight of 2 January in Japan


def days_of(happened: list[bool], said: list[float], usual: float = 0.1) -> pd.DataFrame:
    """A frame as `scored_days` gives it."""
    count = len(happened)
    return pd.DataFrame(
        {
            "local_day": np.datetime64("2023-01-02") + np.arange(count),
            "probability": said,
            "reference_probability": usual,
            "happened": happened,
            "status": ["final"] * (count - 1) + ["provisional"],
        }
    )


def test_a_record_counts_its_days_and_what_was_expected() -> None:
    """Two days, 0.2 then 0.4, it came on the second: gain = ln(0.8 / 0.9) + ln(0.4 / 0.1) = 1.2685 nats on one target day."""
    record = record_of("hindcast", {"a": days_of([False, True], [0.2, 0.4])})
    assert (record.mode, record.verified_days, record.hits, record.final_days) == ("hindcast", 2, 1, 1)
    assert (record.first_day, record.last_day) == (date(2023, 1, 2), date(2023, 1, 3))
    assert record.expected == pytest.approx(0.6) and record.information_gain == pytest.approx(1.2685, abs=1e-4)
    assert (record.low, record.high, record.reliability) == (None, None, None)


def test_no_gain_without_a_target_day_and_an_interval_from_ten_on() -> None:
    assert record_of("late", {"a": days_of([False] * 5, [0.1] * 5)}).information_gain is None
    happened = [day % 9 == 0 for day in range(99)]
    nine = record_of("replay", {"a": days_of(happened[:81], [0.3 if came else 0.1 for came in happened[:81]])})
    eleven = record_of("replay", {"a": days_of(happened, [0.3 if came else 0.1 for came in happened])})
    assert (nine.hits, nine.low) == (9, None) and (eleven.hits, eleven.low is not None) == (11, True)
    assert eleven.low <= eleven.information_gain <= eleven.high  # type: ignore[operator]


def test_many_forecast_values_are_joined_at_equal_shares_of_the_days_and_few_stay_as_they_are() -> None:
    rng = np.random.default_rng(8)
    few = rng.choice(np.arange(1, CURVE_VALUES + 1) / 100, 1000)
    assert (_grouped(few) == few).all()
    said = np.concatenate([rng.uniform(0.001, 0.9, 3000), np.full(1000, 0.0123)])
    joined = _grouped(said)
    values, days = np.unique(joined, return_counts=True)
    assert (
        CURVE_VALUES / 2 < len(values) <= CURVE_VALUES
        and days.max() >= 1000
        and np.median(days) == pytest.approx(4000 / CURVE_VALUES, rel=0.2)
    )
    assert joined.sum() == pytest.approx(said.sum(), rel=1e-3), "rounding to three figures alone changes the sum"
    order = np.argsort(said, kind="stable")
    assert (np.diff(joined[order]) >= 0).all() and np.abs(joined - said).max() < 0.1


def test_a_curve_has_few_points_apart_from_each_other_and_counts_every_day() -> None:
    rng = np.random.default_rng(5)
    said = rng.uniform(0.01, 0.5, 4000)
    happened = rng.random(4000) < said
    curve = reliability_curve(happened, said)
    assert curve is not None and 5 <= len(curve.probability) <= CURVE_POINTS and sum(curve.days) == 4000
    assert all(later - earlier >= 0.02 for earlier, later in zip(curve.probability, curve.probability[1:], strict=False))
    inside = [low <= came <= high for low, came, high in zip(curve.low, curve.observed, curve.high, strict=True)]
    assert 4 * sum(inside) >= 3 * len(inside)  # calibrated by construction; the bars hold 90 %, point by point
    flat = reliability_curve(happened, np.minimum(2 * said, 0.99))
    assert flat is not None and any(came < low for came, low in zip(flat.observed, flat.low, strict=True))


def test_no_curve_from_59_days_or_from_four_earthquakes() -> None:
    many = np.arange(60) % 10 == 0
    assert reliability_curve(many[:59], np.full(59, 0.1)) is None
    assert reliability_curve(np.arange(60) < 4, np.full(60, 0.1)) is None
    assert reliability_curve(many, np.full(60, 0.1)) is not None


def test_modes_are_pooled_apart() -> None:
    days = {
        "a": {"prospective": days_of([True], [0.5]), "hindcast": days_of([False, False], [0.1, 0.1])},
        "b": {"hindcast": days_of([True], [0.2])},
    }
    pooled = pooled_records(days)  # type: ignore[arg-type]
    assert [(record.mode, record.verified_days, record.hits) for record in pooled] == [("prospective", 1, 1), ("hindcast", 3, 1)]
    assert of_mode(pooled, "hindcast") is pooled[1] and of_mode(pooled, "late") is None


def test_rows_that_a_model_has_seen_are_in_no_record(store, recipes) -> None:
    """Three scored days of one recipe: prospective, hindcast, and one in-sample row that somebody scored by mistake."""
    recipe = recipes["tokyo-m45"]
    forecasts, scores = [], []
    for number, (mode, method, seen) in enumerate(
        (("prospective", "daily", False), ("hindcast", "walk-forward", False), ("hindcast", "current-model", True))
    ):
        start = FIRST + timedelta(days=number)
        key = {"forecast_id": f"f{number}", "recipe_id": recipe.id, "target_start": start, "mode": mode}
        day, official = TimeWindow(start, start + timedelta(days=1)), mode == "prospective"
        forecasts.append(forecast_row(recipe, day, start, **key, official=official, method=method, in_sample=seen))
        scores.append(
            {**key, "happened": True, "status": "final", "log_score": -1.0, "reference_log_score": -2.0, "brier": 0.5, "scored_at": start}
        )
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", forecasts)
        ledger.insert(connection, "score", scores)
        found = scored_days(connection, [recipe])[recipe.id]
        until = {recipe.id: FIRST + timedelta(days=9)}
        shown = stored.recent_published(connection, {recipe.id: recipe.target_hash}, until, 90)[recipe.id]
    assert shown["method"].tolist() == ["daily", "walk-forward"]
    assert {mode: days["local_day"].dt.strftime("%F").tolist() for mode, days in found.items()} == {
        "prospective": ["2023-01-02"],
        "hindcast": ["2023-01-03"],
    }


def test_each_recipe_has_its_own_last_days_and_end(store, recipes) -> None:
    """One query for all: `limit` counts the windows of each, a day that was forecast twice is one, a day without a forecast is none."""
    tokyo, istanbul, empty = recipes["tokyo-m45"], recipes["istanbul"], recipes["manila"]
    rows = [(tokyo, day, "daily") for day in range(20)] + [(tokyo, 19, "walk-forward")] + [(istanbul, day, "daily") for day in (0, 3, 12)]
    forecasts = [
        forecast_row(
            recipe,
            TimeWindow(start := FIRST + timedelta(days=day), start + timedelta(days=1)),
            start,
            forecast_id=f"f{number}",
            mode="prospective" if method == "daily" else "hindcast",
            official=method == "daily",
            method=method,
        )
        for number, (recipe, day, method) in enumerate(rows)
    ]
    targets = {recipe.id: recipe.target_hash for recipe in (tokyo, istanbul, empty)}
    until = {tokyo.id: FIRST + timedelta(days=20), istanbul.id: FIRST + timedelta(days=5), empty.id: FIRST}
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", forecasts)
        found = stored.recent_published(connection, targets, until, 3)
        issues = stored.models_of_issues(connection, ["f19", "f20", "f21"])
        assert stored.recent_published(connection, {}, {}, 3) == ledger.scored(connection, {}) == {}
    days = {name: [(start - FIRST).days for start in frame["target_start"]] for name, frame in found.items()}
    assert days == {tokyo.id: [17, 18, 19], istanbul.id: [0, 3], empty.id: []}
    assert found[tokyo.id]["method"].tolist() == ["daily"] * 3
    assert {asked: [row["forecast_id"] for row in rows] for asked, rows in issues.items()} == {
        "f19": ["f19"],
        "f20": ["f20"],
        "f21": ["f21"],
    }
