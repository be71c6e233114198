"""A day's report with plausible figures for the 29 recipes, or as many as asked: for the tests, and for looking at the pages.

The figures are drawn, not measured: usual rates of the order of SCIENCE.md's base rates, ratios spread around 1.
"""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from forecaster.recipe import Recipe, load_recipes
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.registry.weights_origin import WeightsFrom
from forecaster.reports.content.contract import (
    DayOutcome,
    DriverEvent,
    Evaluation,
    Mode,
    ModelForecast,
    PooledSkill,
    RecentEvent,
    RecipeForecast,
    Reforecast,
    ReliabilityCurve,
    ReportData,
    ResolvedOutcome,
    RevisedOutcome,
    TrackRecord,
    WorldExtract,
    WorldPlace,
)
from tests.support.sample_ladder import POOLED as POOLED_RUNGS
from tests.support.sample_ladder import sample_ladder

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
ISSUED = datetime(2024, 1, 2, 12, 0, tzinfo=UTC)  # 21:00 in Japan, the day after the Noto earthquake
RATIOS = {"niigata-m45": 4.6, "nagoya-m45": 3.1, "sendai-m45": 1.4, "tokyo-m45": 1.1, "taipei": 2.2, "lima": 0.6}
WEIGHTS = {"etas": 0.44, "hybrid": 0.56, "recent_rate": 0.12}
STARTS = Reason(ReasonKey.STARTS, {"magnitude": 3.5})
POOLED = PooledSkill(0.112, 0.07, 0.158, 4321)
FIVE = ("niigata-m45", "tokyo-m45", "santiago", "tokyo", "athens")
FITTED = ("niigata-m45", "nagoya-m45", "sendai-m45", "tokyo-m45", "taipei", "lima", "santiago")


def recipe_forecast(recipe: Recipe, rng: np.random.Generator, mode: Mode = "replay") -> RecipeForecast:
    """One row: the combination of ETAS, the hybrid and the three-year rate; the recipes of FITTED have a test of each model of theirs."""
    day = ISSUED.astimezone(recipe.zone).date() + timedelta(days=1)
    window = recipe.target_window(day)
    usual = float(rng.uniform(0.004, 0.16))
    fitted = recipe.id in FITTED
    ratio = RATIOS.get(recipe.id, 1.0)
    outcomes = tuple(_outcome(day - timedelta(days=90 - i), i, usual, ratio, rng, mode) for i in range(90))
    gain = float(rng.normal(0.01, 0.04))
    ratio_said = min(usual * ratio, 0.9)
    days = date(2016, 12, 31), date(2023, 12, 31)
    tested = Evaluation(gain, gain - 0.07, gain + 0.07, 0.55, 2557, 258, usual, *days, 0.2987, 0.3012)
    name = f"{recipe.id}-{{}}-20240102-0123abcd" if fitted else f"{recipe.id}-{{}}-generic-20141231"
    test = {"evaluation": tested} if fitted else {}
    other = {"evaluation": replace(tested, information_gain=gain - 0.01)} if fitted else {}
    counted = (-math.log1p(-ratio_said) * 1.3, 0, 2)
    models = (
        ModelForecast("published", ratio_said, True, f"{recipe.id}-published-4567cdef", None, *counted),
        ModelForecast("climatology", usual, False, f"{recipe.id}-climatology"),
        ModelForecast(
            "etas", min(ratio_said * 1.1, 0.95), False, name.format("etas"), expected_count=0.12, count_low=0, count_high=2, **test
        ),
        ModelForecast("hybrid", ratio_said * 0.9, False, name.format("hybrid"), **other),
        ModelForecast("pooled", usual * 1.1, False, name.format("pooled"), **other),
        ModelForecast("recent_rate", usual * 0.9, False, f"{recipe.id}-recent_rate-generic-19730101"),
    )
    records = _records(outcomes, gain, mode)
    return RecipeForecast(
        recipe_id=recipe.id,
        display_name=recipe.display_name.model_dump(),
        lat=recipe.predict_center_lat,
        lng=recipe.predict_center_lng,
        radius_km=recipe.radius_km,
        threshold_mag=recipe.threshold_mag,
        time_zone=recipe.time_zone,
        target_start=window.start,
        target_end=window.end,
        probability=ratio_said,
        reference_probability=usual,
        mode=mode,
        issue_time=ISSUED,
        as_of=ISSUED,
        model_kind="published",
        model_id=models[0].model_id,
        official=mode == "prospective",
        comparison_only=recipe.comparison_only,
        not_scoreable_reason=str(STARTS) if recipe.threshold_mag < 3.5 else None,
        not_scoreable=STARTS if recipe.threshold_mag < 3.5 else None,
        track_record=records[0],
        records=records,
        drivers=_drivers(recipe, ratio_said),
        without_recent=usual * 0.9,
        models=models,
        weights=WEIGHTS,
        weights_source="combination-2014-12-31",
        weights_from=WeightsFrom("package", date(2014, 12, 31)),
        recent_outcomes=outcomes,
        open_outcomes=(DayOutcome(day, ratio_said, None, "pending", usual, None, mode),),
        ladder=sample_ladder(ratio_said, usual, recipe.threshold_mag, window.start, counted, recipe.predict_range_days),
        reforecast=Reforecast(window.start, window.end, ISSUED - timedelta(hours=9), usual * 1.2, usual) if recipe.id == "athens" else None,
    )


def _outcome(day: date, index: int, usual: float, ratio: float, rng: np.random.Generator, mode: Mode) -> DayOutcome:
    """Day `index` of 90: hindcasts up to the last nine, two not settled yet; the last day has the forecast's own ratio."""
    said = min(usual * (ratio if index == 89 else float(rng.uniform(0.7, 1.5))), 0.9)
    happened = bool(rng.random() < usual) if index < 88 else None
    status = "pending" if happened is None else "provisional" if index > 45 else "final"
    afterwards = index < 81
    told = "hindcast" if afterwards else mode
    return DayOutcome(day, said, happened, status, usual, 4.8 if happened else None, told, afterwards)  # type: ignore[arg-type]


def _records(outcomes: tuple[DayOutcome, ...], gain: float, mode: Mode) -> tuple[TrackRecord, ...]:
    """The report's own mode, seven days, and two years of hindcasts with a curve."""
    said = (0.01, 0.02, 0.04, 0.06, 0.09, 0.14)
    curve = ReliabilityCurve(
        said,
        (40, 120, 230, 210, 90, 40),
        (0.0, 0.025, 0.025, 0.07, 0.07, 0.21),
        (0.0, 0.004, 0.02, 0.03, 0.05, 0.07),
        (0.03, 0.05, 0.06, 0.09, 0.15, 0.2),
    )
    settled = [item for item in outcomes if item.mode == mode and item.observed is not None]
    hits, expected = sum(bool(item.observed) for item in settled), sum(item.probability or 0.0 for item in settled)
    days = (settled[0].day, settled[-1].day)
    own = TrackRecord(len(settled), hits, gain, None, None, mode, expected, 0, *days)
    past = TrackRecord(730, 31, gain, gain - 0.02, gain + 0.05, "hindcast", 33.4, 700, date(2022, 1, 1), date(2023, 12, 31), curve)
    return (own, past)


def _drivers(recipe: Recipe, said: float) -> tuple[DriverEvent, ...]:
    """Two earthquakes beside the centre, one far away, each with what would be said without it."""
    lat, lng = recipe.predict_center_lat, recipe.predict_center_lng
    time = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
    rows = ((7.5, 0.3, -0.4, 0.5), (5.6, 0.5, 0.3, 0.8), (4.9, -3.5, 3.0, 0.95))
    return tuple(
        DriverEvent(
            time + timedelta(hours=number),
            magnitude,
            lat + north,
            lng + east,
            60.0 * (number + 1),
            10.0,
            f"{10 * (number + 1)} km NE of a place" if number < 2 else None,
            said * share,
        )
        for number, (magnitude, north, east, share) in enumerate(rows)
    )


def recent_events(rng: np.random.Generator, count: int = 70) -> tuple[RecentEvent, ...]:
    """The Noto main shock, a swarm around it, and earthquakes around the Pacific's rim."""
    events = [RecentEvent(datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC), 37.488, 137.271, 10.0, 7.5, "42 km NE of Anamizu, Japan")]
    rim = ((-21, -175), (-5, 151), (51, -178), (13, -90), (-30, -71), (37.4, 137.2), (37.4, 137.2), (24, 121.7), (-7, 129), (39, 143))
    for _ in range(count - 1):
        lat, lng = rim[int(rng.integers(len(rim)))]
        time = ISSUED - timedelta(hours=float(rng.uniform(0, 168)))
        events.append(
            RecentEvent(
                time,
                lat + float(rng.normal(0, 1.2)) * 0.5,
                lng + float(rng.normal(0, 1.2)) * 0.5,
                float(rng.uniform(5, 120)),
                4.5 + float(rng.exponential(0.42)),
                None,
            )
        )
    return tuple(events)


WORLD = WorldExtract(
    date(2024, 1, 3),
    5.0,
    150.0,
    5232,
    (
        WorldPlace("99 km NW of Nanao, Japan", 37.76, 136.33, 0.61, 0.0011),
        WorldPlace("Scotia Sea", -59.88, -53.79, 0.005, 0.00003),
        WorldPlace(None, 12.5, -33.1, 0.002, 0.0001),
    ),
)


@cache
def sample_report(mode: Mode = "replay", seed: int = 20240103) -> ReportData:
    """The 29 recipes of the checkout, a week of earthquakes, eight outcomes settled in this run."""
    rng = np.random.default_rng(seed)
    recipes = tuple(recipe_forecast(recipe, rng, mode) for recipe in load_recipes(RECIPES).values())
    checks = tuple(
        ResolvedOutcome(
            recipe.recipe_id, replace(recipe.recent_outcomes[87], max_magnitude=4.9 if recipe.recent_outcomes[87].observed else None)
        )
        for recipe in recipes
        if not recipe.comparison_only
    )
    return ReportData(
        report_id="2024-01-02T1200Z-replay",
        generated_at=datetime(2024, 1, 2, 12, 4, tzinfo=UTC),
        recipes=recipes,
        events=recent_events(rng),
        checks=checks[:8],
        data_age_hours=0.4,
        last_pull_at=datetime(2024, 1, 2, 11, 58, tzinfo=UTC),
        quarantined={"latitude outside -90..90": 2, "no magnitude": 1},
        revisions_since_yesterday=41,
        outcomes_changed=1,
        revised=(RevisedOutcome("taipei", date(2023, 12, 30), True, 4.6),),
        pooled_skill=POOLED,
        pooled_records=recipes[0].records,
        pooled_rungs=POOLED_RUNGS,
        forecasts_sha256="9f2b6c1d" * 8,
        code_version="0.1.0+4d15fd9",
        next_issue_at=datetime(2024, 1, 3, 14, 30, tzinfo=UTC),
        world=WORLD,
    )


def some_places(*names: str, mode: Mode = "replay", **changes: object) -> ReportData:
    """The sample with these recipes alone (without names: five of several kinds), each with these changes."""
    data = sample_report(mode)
    rows = (row for row in data.recipes if row.recipe_id in (names or FIVE))
    return replace(data, recipes=tuple(replace(row, **changes) for row in rows))  # type: ignore[arg-type]


def many_recipes(count: int) -> ReportData:
    """`count` rows made from the 29 by numbering them."""
    data = sample_report("prospective")
    rows = tuple(replace(data.recipes[i % len(data.recipes)], recipe_id=f"recipe-{i}", comparison_only=None) for i in range(count))
    return replace(data, recipes=rows)


def drawn_recipes(count: int) -> ReportData:
    """`count` places spread over the globe and some countries, one of ten above its usual rate, without histories: quick to render."""
    data = sample_report("prospective")
    zones = ("Asia/Tokyo", "America/Lima", "Pacific/Auckland", "Europe/Athens", "Asia/Jakarta", "Etc/GMT+2")
    bare = {"comparison_only": None, "models": (), "records": (), "recent_outcomes": (), "drivers": (), "ladder": None}

    def place(number: int) -> RecipeForecast:
        away = f"{number % 190} km"
        ratio = 2.0 + number % 37 if number % 10 == 0 else 0.5 + number % 7 / 10
        return replace(
            data.recipes[number % len(data.recipes)],
            recipe_id=f"drawn-{number}",
            display_name={"en": f"{away} NW of Place {number}, Country", "ja": f"国の中央にある町{number}の北西{away}"},
            time_zone=zones[number % len(zones)],
            lat=math.degrees(math.asin(-0.8 + 1.7 * (number + 0.5) / count)),
            lng=number * 137.508 % 360 - 180,
            probability=0.02 * ratio,
            reference_probability=0.02,
            **bare,
        )

    return replace(data, recipes=tuple(map(place, range(count))))
