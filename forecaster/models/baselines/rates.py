"""The baselines: the rolling climatology, the best of several trailing rates, the three-year rate, and persistence. They have no weights,
only a few numbers each.

`best_rate` counts target days in the trailing 1, 3 or 10 years, or since the catalogue begins. It selects the span whose rate had the
lowest log loss on the days it is fitted on. A ten-year rate still contains 2011 until 2021, so this is the bar for a model whose gain comes
from forgetting. `recent_rate` counts target days over the last three years: among 1, 3, 10 years and all, it was the best companion of the
other members on 2011-2017. `persistence` has two rates: after a local day with a target event, and after one without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from forecaster.errors import CorruptModel, NotScoreable, NotTrainable
from forecaster.features.events import NEVER, Events
from forecaster.features.labels import daily_labels, target_events
from forecaster.features.many_circles import Circles, positive_days
from forecaster.features.rates_as_known import joined_spans
from forecaster.features.windows import TargetDays, pairs_between, target_days
from forecaster.models.baselines.climatology import FINAL_AFTER_DAYS, MIN_DAYS, earliest_issue_us, shrunk_rate, trailing_us
from forecaster.models.interface import FittedModel, History, log_loss
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

YEARS = (1.0, 3.0, 10.0, None)  # None: since the catalogue begins
SHARE_IN_INPUTS = 0.9  # of the target days, below which the inputs do not hold a recipe's targets
RECENT_YEARS = 3.0
LOWEST_THRESHOLD = 4.5  # what the inputs hold everywhere: below it a rate counted from them would be too low
CUTS_AT_ONCE = 4096


@dataclass
class Climatology:
    """The reference itself as a model."""

    last_data_day: date
    kind: str = "climatology"

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        return np.asarray(reference, dtype=np.float64)

    def save(self, folder: Path) -> dict[str, Any]:
        return {"kind": self.kind, "last_data_day": self.last_data_day.isoformat()}


@dataclass
class BestRate:
    """The rate of the trailing `years` (None: since `first_day`). losses: of each span, nats a day on the days that the choice was based
    on.
    """

    recipe: Recipe
    first_day: date
    years: float | None
    last_data_day: date
    losses: tuple[float, ...]
    kind: str = "best_rate"
    by_cut: ClassVar[bool] = True

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        rates: np.ndarray = trailing_rates(inputs, self.recipe, self.first_day, days.cut_us, [self.years])[0]
        return rates

    def probability_of_circles(self, circles: Circles) -> np.ndarray:
        """float64 (n,): the same for many circles."""
        return trailing_rate_of_circles(circles, self.first_day, self.years)

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "first_day": self.first_day.isoformat(),
            "years": self.years,
            "losses": dict(zip([_span_name(years) for years in YEARS], self.losses, strict=True)),
            "last_data_day": self.last_data_day.isoformat(),
        }


@dataclass
class Persistence:
    """Probability after a day without (`quiet`) and with (`active`) a target event."""

    recipe: Recipe
    quiet: float
    active: float
    last_data_day: date
    kind: str = "persistence"

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        return np.where(happened_yesterday(inputs, self.recipe, days), self.active, self.quiet)

    def save(self, folder: Path) -> dict[str, Any]:
        return {"kind": self.kind, "quiet": self.quiet, "active": self.active, "last_data_day": self.last_data_day.isoformat()}


def fit_climatology(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Climatology:
    """The climatology. It needs no fit, because it rolls."""
    return Climatology(history.last_day)


def fit_best_rate(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> BestRate:
    """The span of YEARS whose rate had the lowest log loss on the days of `history` that have a year of final outcomes before them.

    Raises:
        NotTrainable: there is no such day, or the inputs do not hold the recipe's target events.
    """
    _check_inputs(history)
    first_day = history.days.first_day
    ends = history.days.target_ends_us
    later = history.days.cut_us >= (earliest_issue_us(ends) if len(ends) >= MIN_DAYS else NEVER)
    if not later.any():
        raise NotTrainable(
            f"{history.recipe.id}: no trailing rate can be chosen on {len(history.days)} days, of which the first "
            f"{MIN_DAYS + FINAL_AFTER_DAYS} only make the first rate; fit on a longer span"
        )
    rates = trailing_rates(history.inputs, history.recipe, first_day, history.days.cut_us[later], YEARS)
    losses = tuple(log_loss(rate, history.happened[later]) for rate in rates)
    return BestRate(history.recipe, first_day, YEARS[int(np.argmin(losses))], history.last_day, losses)


def fit_recent_rate(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> BestRate:
    """The rate of the last three years, which needs no fit. It shows how far the rate has moved from the ten-year rate.

    Raises:
        NotTrainable: the inputs do not hold the recipe's target events.
    """
    _check_inputs(history)
    return _recent(history.recipe, history.days.first_day, history.last_day)


def recent_rate_for(recipe: Recipe, day: date, first_day: date) -> BestRate | None:
    """The three-year rate for a recipe without a fit, whose target days are known since `first_day`. None below the magnitude that the
    inputs hold everywhere.

    It reports `first_day`, from which it counts, as its last data day.
    """
    return _recent(recipe, first_day, first_day) if recipe.threshold_mag >= LOWEST_THRESHOLD else None


def _recent(recipe: Recipe, first_day: date, last_data_day: date) -> BestRate:
    return BestRate(recipe, first_day, RECENT_YEARS, last_data_day, (0.0,) * len(YEARS), "recent_rate")


def fit_persistence(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Persistence:
    """The two rates, each shrunk towards the rate of all days with the weight of one day.

    Raises:
        NotTrainable: the inputs do not hold the recipe's target events.
    """
    _check_inputs(history)
    yesterday = happened_yesterday(history.inputs, history.recipe, history.days)
    overall = (history.happened.sum() + 0.5) / (len(history.days) + 1.0)
    quiet, active = ((history.happened[mask].sum() + overall) / (mask.sum() + 1.0) for mask in (~yesterday, yesterday))
    return Persistence(history.recipe, float(quiet), float(active), history.last_day)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> FittedModel:
    """The model whose `save` returned `record`.

    Raises:
        CorruptModel: the record is not a valid one.
    """
    try:
        last = date.fromisoformat(record["last_data_day"])
        if record["kind"] in ("best_rate", "recent_rate"):
            losses = tuple(record["losses"][_span_name(years)] for years in YEARS)
            return BestRate(recipe, date.fromisoformat(record["first_day"]), record["years"], last, losses, record["kind"])
        if record["kind"] == "persistence":
            return Persistence(recipe, float(record["quiet"]), float(record["active"]), last)
        if record["kind"] == "climatology":
            return Climatology(last)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{folder}: the record of a rate lacks or garbles {error}; delete the folder and fit again") from error
    raise CorruptModel(f"{folder}: kind {record['kind']!r} is no rate; delete the folder and fit again")


def trailing_rates(inputs: Events, recipe: Recipe, first_day: date, cut_us: np.ndarray, spans_years: Sequence[float | None]) -> np.ndarray:
    """float64 (len(spans_years), n): the rate of the trailing years at each cutoff (int64 (n,)), each shrunk as `climatology` does.

    Counted are target days since `first_day` whose window had ended 45 days before the cutoff, each by the versions of events that were
    current at the cutoff. With s target days among n of the span, S among all N, and w = 365.25: q = (S + 1/2) / (N + 1), P = (s + w q) /
    (n + w); the long-term rate is q.

    Raises:
        NotScoreable: fewer than a year of such days before one of the cutoffs.
    """
    cut_us = np.asarray(cut_us, dtype=np.int64)
    if not len(cut_us):
        return np.empty((len(spans_years), 0))
    count = int((cut_us.max() // DAY_US) - np.datetime64(first_day, "D").astype(np.int64)) + 2
    days = target_days(recipe, first_day, max(count, 0))
    final_us = days.target_ends_us + FINAL_AFTER_DAYS * DAY_US
    final = np.searchsorted(final_us, cut_us, side="right")
    if final.min() < MIN_DAYS:
        raise NotScoreable(
            f"{recipe.id}: no trailing rate: {final.min()} outcomes since {first_day} were final at the first issue, at least "
            f"{MIN_DAYS} are needed; forecast later days"
        )
    day, begins, ends = _believed(inputs, recipe, days, final_us)
    verified = (begins == final_us[day]) & (ends == NEVER)
    total = np.concatenate([[0], np.cumsum(np.bincount(day[verified], minlength=len(days)))])
    oldest = np.stack([_oldest(days, cut_us, years) for years in spans_years])
    since_first = total[final] + _unsettled(day[~verified], begins[~verified], ends[~verified], cut_us, np.zeros_like(final))
    long_term = (since_first + 0.5) / (final + 1.0)
    rates = np.empty(oldest.shape)
    for row, years in enumerate(spans_years):
        if years is None:
            rates[row] = long_term
            continue
        start = np.minimum(oldest[row], final)
        hits = total[final] - total[start] + _unsettled(day[~verified], begins[~verified], ends[~verified], cut_us, start)
        rates[row] = shrunk_rate(hits, final - start, since_first, final)
    return rates


def trailing_rate_of_circles(circles: Circles, first_day: date, years: float | None) -> np.ndarray:
    """float64 (n,): `trailing_rates` at the circles' common cutoff.

    Only spans (`_believed`) that are open at that cutoff count, so the versions visible at the cutoff suffice.

    Raises:
        NotScoreable: as `trailing_rates`.
    """
    cut_us = circles.cut_us
    first = int(np.datetime64(first_day, "D").astype(np.int64))
    final = cut_us // DAY_US - FINAL_AFTER_DAYS - first  # windows of UTC days that ended at least 45 days before the cut
    if final < MIN_DAYS:
        raise NotScoreable(
            f"no trailing rate of {len(circles)} circles: {max(final, 0)} outcomes since {first_day} were final at the issue, at least "
            f"{MIN_DAYS} are needed; forecast later days"
        )
    oldest = 0 if years is None else min(max(-((trailing_us(years) - cut_us) // DAY_US) - first, 0), final)
    strong = circles.inputs.take(circles.inputs.magnitude >= circles.threshold_mag)
    happened = positive_days(circles.latitude_deg, circles.longitude_deg, circles.radius_km, strong, first_day)
    hits, all_hits = happened.windows(oldest, final), happened.windows(0, final)
    return (all_hits + 0.5) / (final + 1.0) if years is None else shrunk_rate(hits, final - oldest, all_hits, final)


def happened_yesterday(inputs: Events, recipe: Recipe, days: TargetDays) -> np.ndarray:
    """bool (n,): whether, according to the catalogue at the cutoff, a target event occurred on the local day before each target, up to the
    cutoff.
    """
    targets = target_events(inputs, recipe)
    span, index = pairs_between(targets.origin_time_us, days.day_starts_us[:, -1], np.minimum(days.target_starts_us, days.cut_us))
    seen = (targets.known_at_us[index] <= days.cut_us[span]) & (days.cut_us[span] < targets.known_until_us[index])
    return np.bincount(span[seen], minlength=len(days)) > 0


def _believed(inputs: Events, recipe: Recipe, days: TargetDays, final_us: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(day, begins_us, ends_us), each (m,), int64: the spans of time, after the day was final, in which it counted as a target day.

    Versions of one day are joined where they overlap or touch, so that at any moment at most one span of a day is open.
    """
    targets = target_events(inputs, recipe)
    day, index = pairs_between(targets.origin_time_us, days.target_starts_us, days.target_ends_us)
    begins = np.maximum(targets.known_at_us[index], final_us[day])
    ends = targets.known_until_us[index]
    return joined_spans(day, begins, ends)


def _unsettled(day: np.ndarray, begins: np.ndarray, ends: np.ndarray, cut_us: np.ndarray, oldest: np.ndarray) -> np.ndarray:
    """int64 (n,): at each cutoff, the number of these spans that are open and belong to a day from `oldest` (n,) on."""
    counts = np.zeros(len(cut_us), dtype=np.int64)
    for start in range(0, len(cut_us) if len(day) else 0, CUTS_AT_ONCE):
        part = slice(start, start + CUTS_AT_ONCE)
        cuts = cut_us[part, None]
        counts[part] = ((begins <= cuts) & (cuts < ends) & (day >= oldest[part, None])).sum(axis=1)
    return counts


def _oldest(days: TargetDays, cut_us: np.ndarray, years: float | None) -> np.ndarray:
    if years is None:
        return np.zeros(len(cut_us), dtype=np.int64)
    return np.searchsorted(days.target_starts_us, cut_us - trailing_us(years), side="left")


def _check_inputs(history: History) -> None:
    seen = daily_labels(history.inputs, history.recipe, history.days)[0]
    targets = int(history.happened.sum())
    held = int((seen & history.happened).sum())
    if held < SHARE_IN_INPUTS * targets:
        raise NotTrainable(
            f"{history.recipe.id}: the inputs hold {held} of {targets} target days, its threshold M {history.recipe.threshold_mag} lies "
            "below the common streams; a rate counted from them would be too low"
        )


def _span_name(years: float | None) -> str:
    return "long_term" if years is None else f"{years:g}_years"
