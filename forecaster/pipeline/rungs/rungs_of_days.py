"""The ladders of many past days of one recipe at once; they are those that the daily run would have made for each day."""

from collections.abc import Sequence

import numpy as np

from forecaster.catalog.coverage import lowest_magnitude
from forecaster.errors import NotScoreable
from forecaster.features.geometry import in_circle
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas_horizons import Horizons
from forecaster.models.ladder.extend_forecast import horizons_of
from forecaster.models.ladder.magnitude_law import MagnitudeLaw
from forecaster.models.ladder.usual_horizons import usual_horizons
from forecaster.pipeline.as_of.as_known_by_day import KnownThrough, settled_as_known
from forecaster.pipeline.rungs.issue_rungs import Shape, ladder_rows, law_of_circle, window_ends
from forecaster.recipe import Recipe
from forecaster.store.row_types import NewRung
from forecaster.timewindow import from_us


def rungs_of_days(
    recipe: Recipe, known: KnownThrough, days: TargetDays, reference: np.ndarray, published: np.ndarray, shape: Shape | None
) -> list[list[NewRung] | NotScoreable]:
    """Return for each day the rungs of its published forecast, or why there is no ladder.

    reference, published: (n,), the usual rate of the days' own windows, and what is published. shape: over `horizons_of` the recipe's own
    window; None where the usual rate alone is published.
    """
    found: list[list[NewRung] | NotScoreable] = []
    usual: list[Horizons] = []
    for one in _usual(recipe, known, days):
        found.append(one if isinstance(one, NotScoreable) else [])
        usual += [] if isinstance(one, NotScoreable) else [one]
    good = np.array([not isinstance(one, NotScoreable) for one in found], dtype=bool)
    if not good.any():
        return found
    some = days.take(good)
    part = None if shape is None else shape.take(good)
    ends_us = window_ends(recipe, some, horizons_of(recipe.predict_range_days))
    laws = _laws(recipe, known, some)
    rows = ladder_rows(recipe.predict_range_days, ends_us, reference[good], published[good], part, Horizons.joined(usual), laws)
    for place, made in zip(np.flatnonzero(good).tolist(), rows, strict=True):
        found[place] = made
    return found


def _usual(recipe: Recipe, known: KnownThrough, days: TargetDays) -> list[Horizons | NotScoreable]:
    """Return the usual rates of the windows at each issue, (1, horizons) each."""
    single = recipe.model_copy(update={"predict_range_days": 1})
    found: list[Horizons | NotScoreable] = []
    for place, (count, settled) in enumerate(settled_as_known(single, known, days.cut_us)):
        try:
            found.append(usual_horizons(count, settled, days.cut_us[place : place + 1], horizons_of(recipe.predict_range_days)))
        except NotScoreable as error:
            found.append(error)
    return found


def _laws(recipe: Recipe, known: KnownThrough, days: TargetDays) -> Sequence[MagnitudeLaw]:
    """Fit the magnitude law of each day to the earthquakes that were known at its issue."""
    events = known.versions
    here = events.take(in_circle(recipe, events.latitude_deg, events.longitude_deg))
    cut, read = lowest_magnitude(recipe, known.coverage), known.coverage["span_end"].max().to_pydatetime()
    moments = [from_us(moment) for moment in days.cut_us.tolist()]
    return [
        law_of_circle(recipe, here.visible(at), moment, cut, min(moment, read))
        for at, moment in zip(days.cut_us.tolist(), moments, strict=True)
    ]
