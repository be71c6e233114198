"""Describe each recipe: where its circle lies, and the catalogue's completeness, target days and coverage there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from forecaster.catalog.completeness import (
    BValue,
    Completeness,
    estimate_b_positive,
    estimate_b_value,
    estimate_completeness,
    estimate_stable_completeness,
    higher,
)
from forecaster.catalog.coverage import lowest_magnitude, read_until
from forecaster.errors import NotScoreable
from forecaster.features.events import Events
from forecaster.features.geometry import in_circle
from forecaster.pipeline.as_of.as_known import Known, labelled_days
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.place_check import place_warnings, where_it_lies
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe
from forecaster.registry.model_kinds import KINDS
from forecaster.timewindow import to_us

COMPLETENESS_YEARS = 10
ENOUGH_TO_WARN = 100
_YEAR = timedelta(days=365.25)


@dataclass(frozen=True)
class Span:
    """Mc of one span of years; first_year and last_year are both inclusive."""

    first_year: int
    last_year: int
    found: Completeness | None


@dataclass(frozen=True)
class CircleCompleteness:
    """The completeness of the catalogue in a recipe's circle: over the last ten years read, and by spans of ten years, oldest first.

    curvature, stable: the two estimates (catalog/completeness.py); mc: the higher one. b values from mc on. None: too few events.
    """

    curvature: Completeness | None
    stable: Completeness | None
    b_value: BValue | None
    b_positive: BValue | None
    spans: tuple[Span, ...]
    events: int

    @property
    def mc(self) -> Completeness | None:
        return higher(self.curvature, self.stable)

    @property
    def lower(self) -> float | None:
        """The lower of the two Mc estimates; None where it may lie below what was read."""
        estimates = [found for found in (self.curvature, self.stable) if found is not None]
        return min(found.mc for found in estimates) if estimates and not any(found.at_most for found in estimates) else None

    def missing_below(self, threshold_mag: float) -> float | None:
        """Return Mc if every estimate there is, from 100 events or more, shows that events from the threshold on are missing; else None."""
        if self.mc is None or self.lower is None or self.mc.n < ENOUGH_TO_WARN:
            return None
        return self.mc.mc if self.lower > threshold_mag else None


def circle_completeness(recipe: Recipe, known: Known) -> CircleCompleteness:
    """Estimate Mc(t) and b of the recipe's circle from the events known at `known.as_of`, down to the magnitude read there."""
    cut = lowest_magnitude(recipe, known.coverage)
    if cut is None:
        return CircleCompleteness(None, None, None, None, (), 0)
    events = known.events
    here = events.take(in_circle(recipe, events.latitude_deg, events.longitude_deg) & (events.magnitude >= cut))
    start = known.coverage["span_start"].min().to_pydatetime()
    ends = [min(known.as_of, known.coverage["span_end"].max().to_pydatetime())]
    while ends[-1] - COMPLETENESS_YEARS * _YEAR > start:
        ends.append(ends[-1] - COMPLETENESS_YEARS * _YEAR)
    spans = []
    for end in reversed(ends):
        magnitude = _between(here, end - COMPLETENESS_YEARS * _YEAR, end).magnitude
        curvature, stable = estimate_completeness(magnitude, cut), estimate_stable_completeness(magnitude, cut)
        first, last = max(end - COMPLETENESS_YEARS * _YEAR, start), end - timedelta(days=1)
        spans.append(Span(first.year, last.year, higher(curvature, stable)))
    mc = spans[-1].found
    slopes = (None, None) if mc is None else (estimate_b_value(magnitude, mc.mc), estimate_b_positive(magnitude, mc.mc))
    return CircleCompleteness(curvature, stable, *slopes, tuple(spans), len(magnitude))


def missing_below_threshold(recipe: Recipe, known: Known) -> float | None:
    """Return `CircleCompleteness.missing_below` of the recipe's threshold, without the estimates that it does not depend on."""
    return missing_below(recipe.threshold_mag, *circle_record(recipe, known))


def circle_record(recipe: Recipe, known: Known) -> tuple[Events, float | None, datetime]:
    """Return the known events of the recipe's circle, the magnitude read there, and the end of what was read."""
    rows, _ = known.events.near(recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km)
    here = known.events.take(rows)
    read = read_until(known.coverage)
    end = known.as_of if read is None else min(known.as_of, read)
    return here, lowest_magnitude(recipe, known.coverage), end


def missing_below(threshold_mag: float, here: Events, cut: float | None, end: datetime) -> float | None:
    """Return `CircleCompleteness.missing_below` of the ten years before `end`, from the events in a circle; cut: the magnitude read there.

    The estimate by the stability of b, which takes longest, is made only where the other one does not settle it.
    """
    if cut is None:
        return None
    recent = _between(here, end - COMPLETENESS_YEARS * _YEAR, end)
    magnitude = recent.magnitude[recent.magnitude >= cut]
    curvature = estimate_completeness(magnitude, cut)
    if curvature is not None and (curvature.at_most or curvature.mc <= threshold_mag):
        return None
    stable = estimate_stable_completeness(magnitude, cut)
    return CircleCompleteness(curvature, stable, None, None, (), len(magnitude)).missing_below(threshold_mag)


def _between(events: Events, start: datetime, end: datetime) -> Events:
    first, last = np.searchsorted(events.origin_time_us, [to_us(start), to_us(end)])
    return events.take(slice(int(first), int(last)))


def check_recipes(job: Job) -> list[dict[str, Any]]:
    """Return one dict per recipe: id, threshold_mag, where, completeness (see `_numbers`), target_days, days, warnings, text."""
    known = load_known(job.store, job.clock.now())
    return [_check(recipe, known) for recipe in job.recipes]


def _check(recipe: Recipe, known: Known) -> dict[str, Any]:
    row: dict[str, Any] = {
        "recipe_id": recipe.id,
        "threshold_mag": recipe.threshold_mag,
        "where": where_it_lies(recipe, known.frame),
        "warnings": place_warnings(recipe),
    }
    complete = circle_completeness(recipe, known)
    row |= _numbers(complete)
    text = f"{recipe.id:16} {row['where']}\n{'':17}{_words(complete)}"
    if missing := complete.missing_below(recipe.threshold_mag):
        row["warnings"].append(f"threshold M {recipe.threshold_mag} is below the completeness magnitude {missing:.1f}")
    elif complete.mc is not None and not complete.mc.at_most and complete.mc.mc > recipe.threshold_mag:
        row["warnings"].append(
            f"threshold M {recipe.threshold_mag} is below one estimate of the completeness magnitude, {complete.mc.mc:.1f}"
        )
    try:
        labelled = labelled_days(recipe, known)
        row |= {"days": len(labelled.days), "target_days": int(labelled.happened.sum())}
        share = row["target_days"] / row["days"]
        text += f"; {row['target_days']} target days of {row['days']} ({share:.1%}) since {labelled.days.first_day}"
        if not row["target_days"]:
            row["warnings"].append(
                f"no earthquake of M >= {recipe.threshold_mag:g} within {recipe.radius_km:g} km since {labelled.days.first_day}: "
                "no rate can be learnt here; lower threshold_mag or widen predict_radius_meters"
            )
    except NotScoreable as error:
        row["warnings"].append(str(error))
    for kind in recipe.models:
        if (reason := KINDS[kind].unable(recipe.threshold_mag)) is not None:
            row["warnings"].append(f"{reason}: it is no member here")
    if recipe.comparison_only:
        row["warnings"].append(f"comparison only: {recipe.comparison_only}")
    if any(span.found for span in complete.spans):
        text += f"\n{'':17}Mc by years: {_history(complete)}"
    row["text"] = text + "".join(f"\n{'':17}! {warning}" for warning in row["warnings"])
    return row


def _numbers(complete: CircleCompleteness) -> dict[str, Any]:
    """Return the figures: completeness_magnitude and at_most (the catalogue is cut there), the estimate used, b values, spans.

    b values have standard errors; spans are of years. Unknown figures are None.
    """

    def magnitude(found: Completeness | None) -> dict[str, Any] | None:
        return None if found is None else {"magnitude": found.mc, "at_most": found.at_most, "events": found.n}

    def slope(found: BValue | None) -> dict[str, Any] | None:
        return None if found is None else {"value": round(found.b_value, 4), "sigma": round(found.sigma, 4), "n": found.n}

    mc = complete.mc
    return {
        "completeness_magnitude": None if mc is None else mc.mc,
        "at_most": None if mc is None else mc.at_most,
        "events": complete.events,
        "by_curvature": magnitude(complete.curvature),
        "by_stability": magnitude(complete.stable),
        "b_value": slope(complete.b_value),
        "b_positive": slope(complete.b_positive),
        "completeness_by_years": [
            {"first_year": span.first_year, "last_year": span.last_year, **(magnitude(span.found) or {})} for span in complete.spans
        ],
    }


def _words(complete: CircleCompleteness) -> str:
    if complete.mc is None:
        return f"completeness unknown ({complete.events} events in {COMPLETENESS_YEARS} years)"
    parts = [f"{complete.events} events in {COMPLETENESS_YEARS} years"]
    parts.append(f"curvature {complete.curvature or '?'}, stable b {complete.stable or '?'}")
    for name, slope in (("b", complete.b_value), ("b+", complete.b_positive)):
        if slope is not None:
            parts.append(f"{name} = {slope.b_value:.2f} +- {slope.sigma:.2f}")
    return f"complete from M {complete.mc} ({'; '.join(parts)})"


def _history(complete: CircleCompleteness) -> str:
    """Format Mc by span; neighbouring spans with the same Mc are merged."""
    told: list[tuple[int, int, str]] = []
    for span in complete.spans:
        found = "?" if span.found is None else str(span.found)
        if told and told[-1][2] == found:
            told[-1] = (told[-1][0], span.last_year, found)
        else:
            told.append((span.first_year, span.last_year, found))
    return ", ".join(f"{first}-{last} {found}" for first, last, found in told)
