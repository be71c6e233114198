"""What the catalogue can tell about each recipe: completeness, past target days, coverage."""

from datetime import timedelta

import numpy as np

from forecaster.catalog import completeness
from forecaster.catalog.coverage import lowest_magnitude
from forecaster.errors import NotScoreable
from forecaster.features.geometry import in_circle
from forecaster.pipeline.job import Job
from forecaster.pipeline.known import Known, labelled_days, load_known
from forecaster.recipe import Recipe

COMPLETENESS_YEARS = 10


def check_recipes(job: Job) -> list[dict]:
    """One dict a recipe: id, completeness_magnitude, at_most (the catalogue is cut there), target_days, days, warnings, text."""
    known = load_known(job.store, job.clock.now())
    return [_check(recipe, known) for recipe in job.recipes]


def _check(recipe: Recipe, known: Known) -> dict:
    row: dict = {"recipe_id": recipe.id, "threshold_mag": recipe.threshold_mag, "warnings": []}
    cut = lowest_magnitude(recipe, known.coverage)
    since = known.as_of - timedelta(days=365.25 * COMPLETENESS_YEARS)
    events = known.events
    recent = events.take(
        in_circle(recipe, events.latitude_deg, events.longitude_deg)
        & (events.origin_time_us >= int(since.timestamp() * 1e6))
        & (events.magnitude >= (cut if cut is not None else np.inf))
    )
    text = f"{recipe.id:16} "
    found = completeness.estimate_completeness(recent.magnitude, cut) if cut is not None else None
    if found is not None:
        slope = completeness.estimate_b_value(recent.magnitude, found.mc)
        row |= {"completeness_magnitude": found.mc, "at_most": found.at_most, "events": found.n}
        text += f"complete from M {'<= ' if found.at_most else ''}{found.mc:.1f} ({found.n} events in {COMPLETENESS_YEARS} years"
        text += f", b = {slope.b_value:.2f} +- {slope.sigma:.2f})" if slope else ")"
        if not found.at_most and found.mc > recipe.threshold_mag:
            row["warnings"].append(f"threshold M {recipe.threshold_mag} is below the completeness magnitude {found.mc:.1f}")
    else:
        text += f"completeness unknown ({len(recent)} events in {COMPLETENESS_YEARS} years)"
    try:
        labelled = labelled_days(recipe, known)
        row |= {"days": len(labelled.days), "target_days": int(labelled.happened.sum())}
        share = row["target_days"] / row["days"]
        text += f"; {row['target_days']} target days of {row['days']} ({share:.1%}) since {labelled.days.first_day}"
    except NotScoreable as error:
        row["warnings"].append(str(error))
    if recipe.comparison_only:
        row["warnings"].append(f"comparison only: {recipe.comparison_only}")
    row["text"] = text + "".join(f"\n{'':17}! {warning}" for warning in row["warnings"])
    return row
