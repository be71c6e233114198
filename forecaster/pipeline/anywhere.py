"""Forecast for any place, without a recipe: the published combination for one circle and day. Nothing is stored."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from forecaster import places, zones
from forecaster.clock import Clock
from forecaster.errors import BadInput, NotScoreable, StoreError
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.hybrid.regional import KIND as REGIONAL
from forecaster.pipeline.as_of.as_known import Known, LabelledDays, labelled_days
from forecaster.pipeline.as_of.catalogue_history import CatalogueHistory, load_known_near
from forecaster.pipeline.as_of.recipe_check import missing_below_threshold
from forecaster.pipeline.issuing.compute_issues import combine_members, data_age
from forecaster.pipeline.issuing.contributing_events import drivers_of
from forecaster.pipeline.pretraining import trained_sets
from forecaster.pipeline.rungs.issue_rungs import published_rungs
from forecaster.pipeline.rungs.report_ladder import report_ladder
from forecaster.publishing_rule.blend import Blend, shipped, usual_rate_if_stale
from forecaster.publishing_rule.combination import KIND
from forecaster.publishing_rule.weights import WorldWeights, usable_weights
from forecaster.recipe import Recipe
from forecaster.reports.content.ladder_json import ladder_json
from forecaster.settings import Settings
from forecaster.store.database import Store
from forecaster.store.sharing.read_only_store import LookedAt, open_source
from forecaster.timewindow import check_target_day, issue_time, next_local_day, to_us

TEN_YEARS = 3652
FEW_TARGET_DAYS = 10


@dataclass(frozen=True)
class Place:
    """The question "M >= magnitude within radius_km of the place, on a day of its time zone". zone: None for the place's own."""

    latitude_deg: float
    longitude_deg: float
    radius_km: float
    magnitude: float
    zone: str | None = None

    def recipe(self) -> Recipe:
        """Convert to a recipe. Raises BadInput where a value is not valid in a recipe."""
        zone = self.zone or zones.zone_at(self.latitude_deg, self.longitude_deg)
        named = places.default_id(self.latitude_deg, self.longitude_deg)
        return places.recipe_at(self.latitude_deg, self.longitude_deg, self.radius_km, self.magnitude, zone, named)


def catalogue_of(settings: Settings) -> Store:
    """Open the store that a forecast reads: the published copy, or the database itself where there is no copy of this version.

    Raises:
        BadInput: there is nothing to read, or an older quakecast wrote it.
    """
    if settings.read_from or settings.published.is_file():
        try:
            return open_source(settings)
        except (BadInput, StoreError):
            if settings.read_from or not settings.database.is_file():
                raise
    store = LookedAt(settings.database)
    with store.transaction():
        return store


def forecast_at(
    store: Store, settings: Settings, place: Place, day: date | None, clock: Clock, history: CatalogueHistory | None = None
) -> dict[str, Any]:
    """Compute the published combination for the place's circle on the local `day` (default: its next one), JSON-able.

    Keys: probability, usual_rate, ratio, expected_count and count_low, count_high (95 %), ladder (as `ladder_json`) and no_ladder (why
    there is none), target_start and target_end, as_of, drivers and without_recent (as `drivers_of`), models (by kind: probability,
    weight), trust (what the figure rests on), warnings (in words).

    history: the store's whole catalogue (`read_history`), for a process that asks for several places; read near the place without it.

    Raises:
        BadInput, BadDate: the place or the day is invalid.
        NotScoreable: the catalogue does not cover it, or has never recorded such an earthquake there.
    """
    recipe = _without_fits(place.recipe())
    now = clock.now()
    trained_sets.use(store, settings)
    day = day or next_local_day(now, recipe.zone)
    check_target_day(day, recipe.zone, now)
    as_of = min(now, issue_time(day, recipe.zone, recipe.issue_local_time))
    known = load_known_near(store, recipe, as_of) if history is None else history.near(recipe).at(as_of)
    labelled = labelled_days(recipe, known)
    _check_record(recipe, labelled)
    days = target_days(recipe, day, 1).issued_at(as_of)
    reference = climatology.daily_probability(
        labelled.happened, labelled.days.target_starts_us, labelled.days.target_ends_us, np.array([to_us(as_of)])
    )
    age, stale = data_age(as_of, known.read_until)
    base, fault = usable_weights(day)
    blend = usual_rate_if_stale(shipped(base, fault), age, known.read_until)
    issue = combine_members(recipe, settings.models, {}, blend, known.inputs, days, reference, labelled.days.first_day)
    published = issue.rows[-1]
    weights = published["details"]["weights"]
    details = dict(published["details"])
    if weights:
        details |= drivers_of(issue.model, recipe, known, days, reference, published["probability"])
    rungs = published_rungs(recipe, known, labelled, days, reference, published, issue.model.members)
    ladder, no_ladder = report_ladder(rungs, published["details"], {})
    window = recipe.target_window(day)
    trust = _trust(recipe, known, labelled, base if set(weights) == set(base.belief.weights) else None)
    usual = float(reference[0])
    warnings = [*([stale] if stale and blend.how != "rate" else []), *issue.problems, *_alone(blend, weights, day)]
    return {
        "place": {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg, "name": recipe.display_name.en},
        "radius_km": place.radius_km,
        "magnitude": place.magnitude,
        "time_zone": recipe.time_zone,
        "local_day": day.isoformat(),
        "target_start": window.start.isoformat(),
        "target_end": window.end.isoformat(),
        "as_of": as_of.isoformat(),
        "made_afterwards": now >= window.start,
        "data_age_hours": age,
        "probability": published["probability"],
        "usual_rate": usual,
        "ratio": published["probability"] / usual,
        **{name: published["details"].get(name) for name in ("expected_count", "count_low", "count_high")},
        "ladder": ladder_json(ladder),
        "no_ladder": None if no_ladder is None else str(no_ladder),
        "drivers": details.get("drivers", []),
        "without_recent": details.get("without_recent"),
        "models": {
            row["model_kind"]: {"probability": row["probability"], "weight": weights.get(row["model_kind"], 0.0)}
            for row in issue.rows
            if row["model_kind"] != KIND
        },
        "weights_source": details["source"],
        "trust": trust,
        "warnings": [*map(str, warnings), *_warnings(recipe, trust)],
    }


def _without_fits(recipe: Recipe) -> Recipe:
    """Return the recipe without its regional hybrid, which without a fit is the same as the general hybrid."""
    return recipe.model_copy(update={"models": tuple(kind for kind in recipe.models if kind != REGIONAL)})


def _check_record(recipe: Recipe, labelled: LabelledDays) -> None:
    if labelled.happened.any():
        return
    count = len(labelled.happened)
    raise NotScoreable(
        f"no earthquake of M >= {recipe.threshold_mag:g} within {recipe.radius_km:g} km of {recipe.display_name.en} since "
        f"{labelled.days.first_day}: {count:,} days without one say no more than that the chance is below about 1 in {count // 3:,} a day; "
        "lower the magnitude or widen the circle"
    )


def _alone(blend: Blend, weights: dict[str, float], day: date) -> list[str]:
    """Return the warning shown where only the usual rate is available because every member is missing."""
    if weights or blend.how == "rate":
        return []
    return [f"no model may forecast {day}: those that need no fit begin on 2010-12-16 (ETAS) and 2015-01-17; this is the usual rate"]


def _trust(recipe: Recipe, known: Known, labelled: LabelledDays, base: WorldWeights | None) -> dict[str, Any]:
    """Return the basis of the figure: target days of the record, completeness of the catalogue, and the combination's skill elsewhere.

    The skill is that of `base`; None where another combination is used.
    """
    gain = None if base is None else base.pooled_gain
    named = ("information_gain", "low", "high", "target_days")
    return {
        "record_from": labelled.days.first_day.isoformat(),
        "target_days": int(labelled.happened.sum()),
        "target_days_ten_years": int(labelled.happened[-TEN_YEARS:].sum()),
        "incomplete_below": missing_below_threshold(recipe, known),
        "pooled_gain": None if gain is None else dict(zip(named, gain, strict=True)),
    }


def _warnings(recipe: Recipe, trust: dict[str, Any]) -> list[str]:
    lines = []
    if trust["incomplete_below"] is not None:
        lines.append(
            f"the catalogue is complete only from about M {trust['incomplete_below']:.1f} here: smaller earthquakes are missing from the "
            "record, and from these figures"
        )
    if trust["target_days"] < FEW_TARGET_DAYS:
        lines.append(f"only {trust['target_days']} days with such an earthquake since {trust['record_from']}: the usual rate is uncertain")
    return lines
