"""Pre-train one kind; reads only, and may run anywhere. It makes a twin for the evaluation, forecasts of days that neither the twin nor the
present set has seen, and the set to serve.

As in a recipe's fits (`fit_region`), the set to serve has to see the latest data, which leaves no day to evaluate it on. Its twin is
trained by the same code with the same settings on data that end before the last two verified years, and represents it there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import WORLD
from forecaster.errors import NotScoreable, NotTrainable
from forecaster.features.circles import circle_recipe, spread_circles
from forecaster.features.events import Events
from forecaster.models.baselines.rates import Climatology, recent_rate_for
from forecaster.models.fit_and_load import model_of_set
from forecaster.models.interface import Forecaster, bounded
from forecaster.models.pooled.pooled_training import FIRST_LABEL, events_until
from forecaster.models.pretrained import PURGE_DAYS, Pretrained
from forecaster.models.training_progress import Teller
from forecaster.pipeline.as_of.as_known import MATURITY, Known, labelled_days
from forecaster.pipeline.as_of.as_known_by_day import known_at
from forecaster.pipeline.as_of.training_history import history_of
from forecaster.pipeline.pretraining.artefacts import Artefact, Unpacked, train
from forecaster.pipeline.pretraining.free_memory import give_back
from forecaster.recipe import Recipe
from forecaster.store.database import Store

NEW, OLD, RECENT = "new", "old", "recent_rate"
SEED = 4711


@dataclass(frozen=True)
class Size:
    """The size of a training.

    circles: by kind, the number of places to train on (absent: the kind's own number).
    evaluation_circles, evaluated_days: the last verified ones, on which both sets are compared.
    """

    circles: Mapping[str, int] = field(default_factory=dict)
    evaluation_circles: int = 120
    evaluated_days: int = 730


@dataclass(frozen=True)
class Span:
    """The days of a pre-training.

    until: the last verified UTC day, where the data of the set to serve end. first_judged: the first day of the twin's evaluation, which
    ends with `until`. twin_until: the end of the twin's data, a purge earlier.
    """

    until: date
    first_judged: date

    @property
    def twin_until(self) -> date:
        return self.first_judged - timedelta(days=PURGE_DAYS + 1)


@dataclass(frozen=True)
class KindFit:
    """The results of one kind's pre-training, not stored yet; plain values that can be sent to another process.

    compared_with: the name of the set that it is compared with.
    judged: daily rows of the circles: recipe_id, local_day, happened, reference, and the probabilities of the twin ("new"), of the set that
    it is compared with ("old") and of the recent rate (NaN where it has no forecast).
    """

    kind: str
    span: Span
    made: Artefact
    twin: Artefact
    compared_with: str
    judged: pd.DataFrame


def span_of(known: Known, size: Size) -> Span:
    """Return the days available for a pre-training at `known.as_of`.

    Raises:
        NotTrainable: the catalogue of the world begins too late, or has a gap.
    """
    anywhere = circle_recipe(0, 0.0, 0.0, 200.0, WORLD.min_magnitude)
    try:
        days = labelled_days(anywhere, known).days.local_days
    except NotScoreable as error:
        raise NotTrainable(f"sets of the world need the catalogue from {FIRST_LABEL} on: {error}") from error
    first, until = days[0].item(), days[-1].item()
    read_until = known.read_until
    stops_early = read_until is not None and until < (read_until - MATURITY).date() - timedelta(days=2)
    if first > FIRST_LABEL or stops_early:
        raise NotTrainable(
            f"sets of the world need the catalogue from {FIRST_LABEL} on without a gap, the longest span that was read is {first} to "
            f"{until}; load the bundled snapshot (a fresh QUAKECAST_HOME does), then run `quakecast pull`"
        )
    return Span(until, until - timedelta(days=size.evaluated_days - 1))


def strong_events(known: Known) -> Events:
    """Return the training events of the sets: the world stream's earthquakes as known now, as if each had been known at once."""
    return known.events.take(known.events.magnitude >= WORLD.min_magnitude).known_at_once()


def fit_kind(
    source: Store,
    kind: str,
    as_of: datetime,
    size: Size,
    opponent: Artefact | None,
    opponent_name: str,
    code_version: str,
    tell: Teller = lambda what: None,
) -> KindFit:
    """Train the twin, forecast the evaluation days with it and with `opponent`, and train the set to serve.

    opponent: called `opponent_name`; None stands for the package's parameters of ETAS or, where the kind has none, the usual rate.

    Raises:
        NotTrainable: the store is too young, has a gap, or holds too little.
    """
    known = known_at(source, as_of)
    span, events, circles = span_of(known, size), strong_events(known), size.circles.get(kind)
    tell(f"{kind}: the twin, on data to {span.twin_until}")
    twin = train(kind, events, span.twin_until, circles, tell, code_version)
    give_back()
    with Unpacked() as unpack:
        sets = {NEW: unpack(twin), OLD: None if opponent is None else unpack(opponent)}
        evaluated = forecast_on_circles(known, evaluation_circles(events, span, size), span, kind, sets, tell)
    tell(f"{kind}: the set that serves, on data to {span.until}")
    made = train(kind, events, span.until, circles, tell, code_version)
    give_back()
    return KindFit(kind, span, made, twin, opponent_name, evaluated)


def evaluation_circles(events: Events, span: Span, size: Size) -> list[Recipe]:
    """Draw circles that hardly overlap from the catalogue before the evaluation days, so that their outcomes do not affect the choice.

    Raises:
        NotTrainable: no circle can be drawn.
    """
    found = spread_circles(events_until(events, span.twin_until), size.evaluation_circles, np.random.default_rng(SEED), prefix="world")
    if not found:
        raise NotTrainable(f"the catalogue to {span.twin_until} has no place for a circle to judge by; load more of it")
    return found


def forecast_on_circles(
    known: Known, circles: list[Recipe], span: Span, kind: str, sets: Mapping[str, Pretrained | None], tell: Teller
) -> pd.DataFrame:
    """Return `KindFit.judged`: forecasts of `kind` with each of these sets for the evaluation days, from what was known at each issue."""
    parts = []
    for number, circle in enumerate(circles, start=1):
        forecasts = forecasts_by(known, circle, span.first_judged, span.until, {name: _maker(kind, one) for name, one in sets.items()})
        parts.append(forecasts)
        if number % 20 == 0:
            tell(f"{kind}: judged on {number} of {len(circles)} circles")
    return pd.concat(parts, ignore_index=True)


def _maker(kind: str, world: Pretrained | None) -> Callable[[Recipe], Forecaster]:
    return lambda recipe: model_of_set(kind, recipe, world) or Climatology(date.min)


def forecasts_by(known: Known, recipe: Recipe, first: date, last: date, makers: Mapping[str, Callable[[Recipe], Any]]) -> pd.DataFrame:
    """Return daily rows of one circle from `first` to `last`; days without a usual rate are left out.

    Columns: recipe_id, local_day, happened, reference, a probability for each of `makers` and for the recent rate.
    """
    history = history_of(recipe, known)
    local = history.days.local_days
    days = history.take((local >= np.datetime64(first)) & (local <= np.datetime64(last)) & np.isfinite(history.reference))
    inputs = known.inputs.known_before(int(days.days.cut_us[-1])) if len(days.days) else known.inputs
    models = {name: maker(recipe) for name, maker in makers.items()} | {RECENT: recent_rate_for(recipe, first, history.days.first_day)}
    nothing = np.full(len(days.days), np.nan)
    probabilities = {
        name: nothing if model is None else bounded(model.probability(inputs, days.days, days.reference)) for name, model in models.items()
    }
    head = {"recipe_id": recipe.id, "local_day": days.days.local_days.astype("datetime64[s]"), "happened": days.happened}
    return pd.DataFrame(head | {"reference": days.reference} | probabilities)
