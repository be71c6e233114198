"""The page's details of one recipe beyond its row: history, contributing events, records by mode. Pure; texts are Phrases."""

from collections.abc import Callable, Sequence
from typing import Any

from forecaster.reports.content.contract import DayOutcome, DriverEvent, RecipeForecast, ResolvedOutcome, TrackRecord
from forecaster.reports.content.ladder_words import ladder_csv
from forecaster.reports.content.track_record import Verdict, record_verdict
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import (
    Phrase,
    known,
    known_probability,
    percent_or_zero,
    probability_pair,
    probability_phrase,
    signed,
)
from forecaster.reports.web.csv_link import csv_link

NEAR_KM, NEAR_DAYS, RECENT_DAYS = 100, 90, 30  # the limits by which the pipeline selects events
HISTORY_COLUMNS = ("day", "probability", "usual", "happened", "max_magnitude", "status", "mode", "afterwards")
RELIABILITY_COLUMNS = ("probability", "days", "observed", "low", "high", "said", "came")  # the last two: former names, for one release
DRIVER_COLUMNS = ("number", "origin_time", "magnitude", "latitude", "longitude", "depth_km", "distance_km", "place", "probability_without")


Once = Callable[[str, Callable[[], Any]], Any]
"""Return what is kept under a name, made by the function where nothing is: parts of one recipe that no language changes."""


def region_of(recipe: RecipeForecast, writer: Writer, once: Once = lambda _, make: make()) -> dict[str, Any]:
    """Return history, contributing events, ladder, records and the reliability curve, each with its CSV.

    An entry is empty or None where there is nothing to show. once: keeps what the recipe's pages in all languages share.
    """
    records = [record_line(record, writer) for record in recipe.records]
    drawn = next((record for record in recipe.records if record.reliability is not None), None)
    return {
        "history": history_of(recipe.recent_outcomes, writer, once),
        "drivers": [_driver(number, driver, writer) for number, driver in enumerate(recipe.drivers, 1)],
        "driver_events": recipe.drivers,
        "drivers_intro": drivers_intro(recipe),
        "drivers_csv": once("drivers csv", lambda: _drivers_csv(recipe.drivers)) if recipe.drivers else None,
        "ladder_csv": once("ladder csv", lambda: ladder_csv(recipe.ladder)),
        "records": records,
        "reliability": None if drawn is None else dict(once("reliability", lambda: reliability_of(drawn))),
    }


def history_of(outcomes: Sequence[DayOutcome], writer: Writer, once: Once) -> dict[str, Any] | None:
    """Return the earlier forecasts as a table, oldest first; None where there are none. once: as for `region_of`."""
    if not outcomes:
        return None
    words = once("history words", lambda: [_day_words(outcome) for outcome in outcomes])
    verified = [outcome for outcome in outcomes if outcome.observed is not None]
    return {
        "rows": [{"day": writer(outcome.day), **texts} for outcome, texts in zip(outcomes, words, strict=True)],
        "csv": once("history csv", lambda: _history_csv(outcomes)),
        "outcomes": outcomes,
        "modes": sorted({outcome.mode for outcome in outcomes if outcome.mode}),
        "afterwards": any(outcome.afterwards for outcome in outcomes),
        "title": Phrase("history.title", {"days": len(outcomes)}),
        "summary": Phrase(
            "history.summary",
            {
                "days": len(outcomes),
                "settled": len(verified),
                "hits": sum(bool(outcome.observed) for outcome in verified),
                "first": writer(outcomes[0].day),
                "last": writer(outcomes[-1].day),
            },
        ),
    }


def _history_csv(outcomes: Sequence[DayOutcome]) -> str:
    raw = [
        (
            outcome.day.isoformat(),
            known_probability(outcome.probability),
            known_probability(outcome.reference_probability),
            outcome.observed,
            known(outcome.max_magnitude),
            outcome.status,
            outcome.mode,
            outcome.afterwards,
        )
        for outcome in outcomes
    ]
    return csv_link(HISTORY_COLUMNS, raw)


def history_row(outcome: DayOutcome, writer: Writer) -> dict[str, Any]:
    """Return one earlier forecast in words: the day, the forecast probability, the usual rate, the outcome."""
    return {"day": writer(outcome.day), **_day_words(outcome)}


def _day_words(outcome: DayOutcome) -> dict[str, Any]:
    probability, usual = probability_pair(outcome.probability, outcome.reference_probability)
    return {
        "probability": probability,
        "usual": usual,
        "result": result_of(outcome),
        "happened": outcome.observed,
        "status": Phrase(f"status.{outcome.status}"),
        "mode": outcome.mode,
    }


def result_of(outcome: DayOutcome) -> Phrase:
    """Return whether an earthquake was observed, with its magnitude where it is known."""
    if outcome.observed is None:
        return Phrase("check.unknown")
    if outcome.observed and known(outcome.max_magnitude) is not None:
        return Phrase("check.yes_magnitude", {"magnitude": f"{outcome.max_magnitude:.1f}"})
    return Phrase("check.yes" if outcome.observed else "check.no")


def check_row(check: ResolvedOutcome, names: dict[str, dict[str, Any]], writer: Writer) -> dict[str, Any]:
    """Return one outcome of this run as a row of the table; names: the page's rows by recipe id."""
    outcome, row = check.outcome, names.get(check.recipe_id)
    probability, usual = probability_pair(outcome.probability, outcome.reference_probability)
    return {
        "name": row["name"] if row else check.recipe_id,
        "magnitude": row["magnitude"] if row else None,
        "day": writer(outcome.day),
        "probability": probability,
        "usual": usual,
        "happened": outcome.observed,
        "result": result_of(outcome),
        "status": Phrase(f"status.{outcome.status}"),
    }


def count_checks(checks: Sequence[ResolvedOutcome]) -> Phrase:
    """Return the observed number of days with an earthquake beside the expected number: calibration in one sentence."""
    pairs = [
        (check.outcome.observed, p)
        for check in checks
        if check.outcome.observed is not None and (p := known_probability(check.outcome.probability)) is not None
    ]
    values = {"count": len(pairs), "hits": sum(bool(happened) for happened, _ in pairs), "expected": f"{sum(p for _, p in pairs):.1f}"}
    return Phrase("checks.count", values) if pairs else Phrase("checks.none")


def drivers_intro(recipe: RecipeForecast) -> Phrase | None:
    """Return the introduction to the list of earthquakes, with the probability without the recent ones; None without a forecast."""
    if known_probability(recipe.probability) is None:
        return None
    kind, without = recipe.model_kind, known_probability(recipe.without_recent)
    near = {"km": f"{recipe.radius_km + NEAR_KM:.0f}", "days": NEAR_DAYS, "magnitude": f"{recipe.threshold_mag:.1f}"}
    if kind in (None, "climatology"):
        return Phrase("drivers.usual" if recipe.drivers else "drivers.usual_none", near)
    if without is None:
        return Phrase("drivers.unknown" if recipe.drivers else "drivers.unknown_none", near)
    values = {"days": RECENT_DAYS, "without": probability_phrase(without), "said": probability_phrase(recipe.probability)}
    same = values["without"] == values["said"]
    many = "" if recipe.drivers else "_none"
    return Phrase(f"drivers.model_same{many}" if same else f"drivers.model{many}", values)


def record_line(record: TrackRecord, writer: Writer) -> dict[str, Any]:
    """Return one mode's record in figures and words."""
    verdict = record_verdict(record)
    expected = known(record.expected)
    return {
        "mode": record.mode,
        "days": record.verified_days,
        "final": record.final_days,
        "hits": record.hits,
        "expected": None if expected is None else f"{expected:,.1f}",
        "first": writer(record.first_day) if record.first_day else None,
        "last": writer(record.last_day) if record.last_day else None,
        "gain": signed(record.information_gain),
        "low": signed(record.low),
        "high": signed(record.high),
        "few": verdict is Verdict.FEW,
        "verdict": verdict.phrase,
    }


def reliability_of(record: TrackRecord | None) -> dict[str, Any] | None:
    """Return the reliability curve of a record as a table; None where there is none."""
    if record is None or record.reliability is None:
        return None
    curve = record.reliability
    points = list(zip(curve.probability, curve.days, curve.observed, curve.low, curve.high, strict=True))
    return {
        "mode": record.mode,
        "curve": curve,
        "csv": csv_link(RELIABILITY_COLUMNS, [(*point, point[0], point[2]) for point in points]),
        "rows": [
            {
                "said": probability_phrase(forecast),
                "days": days,
                "came": percent_or_zero(share),
                "low": percent_or_zero(low),
                "high": percent_or_zero(high),
                "outside": not low <= share <= high,
            }
            for forecast, days, share, low, high in points
        ],
        "days": record.verified_days,
        "hits": record.hits,
    }


def _driver(number: int, driver: DriverEvent, writer: Writer) -> dict[str, Any]:
    depth = known(driver.depth_km)
    return {
        "number": number,
        "magnitude": f"{driver.magnitude:.1f}",
        "time": writer.moment(driver.origin_time),
        "place": writer.place(driver.place),
        "place_is_english": writer.place(driver.place) == driver.place,
        "distance": f"{driver.distance_km:,.0f}",
        "depth": None if depth is None else f"{depth:.0f}",
        "without": None if driver.without is None else probability_phrase(driver.without),
    }


def _drivers_csv(drivers: Sequence[DriverEvent]) -> str:
    rows = [
        (
            number,
            f"{driver.origin_time:%Y-%m-%dT%H:%M:%SZ}",
            driver.magnitude,
            driver.latitude_deg,
            driver.longitude_deg,
            known(driver.depth_km),
            round(driver.distance_km, 1),
            driver.place,
            driver.without,
        )
        for number, driver in enumerate(drivers, 1)
    ]
    return csv_link(DRIVER_COLUMNS, rows)
