"""Random circles as a pool of an evaluation: hundreds of places that were not chosen by hand and hardly overlap.

They are drawn from the catalogue up to `DRAWN_UNTIL`, so the choice is independent of the days under evaluation. The circles of the pool
are listed in circles.json of the result folder. Rows of circles with other seeds stay on disk and are left out of the tables.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from forecaster.errors import BadInput, CorruptModel
from forecaster.features.circles import MAX_OVERLAP, circle_recipe, spread_circles
from forecaster.features.overlap import overlap_matrix
from forecaster.models.fit_and_load import kind_named
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.evaluation.evaluate_plan import EvaluateOptions
from forecaster.pipeline.evaluation.evaluate_results import ResultFolder
from forecaster.recipe import Recipe
from forecaster.reports.map_files import write_atomic
from forecaster.timewindow import DAY_US

DRAWN_UNTIL = date(2014, 12, 31)
CIRCLES_FILE = "circles.json"
PREFIX = "circle"


@dataclass(frozen=True)
class Circles:
    """The pool: its recipes, the requested number, and the seed of the draw."""

    recipes: tuple[Recipe, ...]
    asked: int
    seed: int

    @property
    def largest_overlap(self) -> float:
        """The largest share of a circle that another circle of the pool also covers; 0 for a single circle."""
        shares = overlap_matrix(self.recipes)
        np.fill_diagonal(shares, 0.0)
        return float(shares.max(initial=0.0))


def draw_circles(known: Known, count: int, seed: int, avoid: Sequence[Recipe]) -> Circles:
    """Draw up to `count` circles; none shares more than MAX_OVERLAP of the smaller one's area with another or with one of `avoid`.

    Raises:
        BadInput: the catalogue up to DRAWN_UNTIL gives no circle at all.
    """
    until_us = (int(np.datetime64(DRAWN_UNTIL, "D").astype(np.int64)) + 1) * DAY_US
    events = known.events.take(known.events.origin_time_us < until_us)
    recipes = spread_circles(events, count, np.random.default_rng(seed), avoid, prefix=f"{PREFIX}-{seed}")
    if not recipes:
        raise BadInput(f"--circles {count}: the catalogue up to {DRAWN_UNTIL} has no place for a circle; run `quakecast pull` first")
    return Circles(tuple(recipes), count, seed)


def circle_options(options: EvaluateOptions) -> EvaluateOptions:
    """Return the options restricted to the kinds that need no training on a region's own days.

    Raises:
        BadInput: none of the kinds is left, or the circles were drawn from data that include the first day.
    """
    if options.first_day <= DRAWN_UNTIL:
        begin = DRAWN_UNTIL + timedelta(days=1)
        raise BadInput(f"--from {options.first_day}: circles are drawn from the catalogue up to {DRAWN_UNTIL}; begin on {begin} or later")
    kept = tuple(name for name in options.models if not kind_named(name).by_region)
    if not kept:
        raise BadInput(
            f"--circles with {', '.join(options.models)}: these are trained on each region's days; take etas_generic, for example"
        )
    return EvaluateOptions(**(vars(options) | {"models": kept}))


def write_circles(folder: ResultFolder, circles: Circles) -> None:
    """Write the pool to the folder; NotWritable where that fails."""
    document = {
        "version": 1,
        "seed": circles.seed,
        "asked": circles.asked,
        "found": len(circles.recipes),
        "drawn_until": DRAWN_UNTIL.isoformat(),
        "most_overlap": MAX_OVERLAP,
        "largest_overlap": round(circles.largest_overlap, 4),
        "circles": [
            {
                "id": recipe.id,
                "latitude_deg": recipe.predict_center_lat,
                "longitude_deg": recipe.predict_center_lng,
                "radius_km": recipe.radius_km,
                "threshold_mag": recipe.threshold_mag,
            }
            for recipe in circles.recipes
        ],
    }
    write_atomic(folder.folder / CIRCLES_FILE, json.dumps(document, indent=1) + "\n")


def read_circles(folder: ResultFolder) -> Circles | None:
    """Read the pool recorded in the folder; None where there is none.

    Raises:
        CorruptModel: the file is not one of ours.
    """
    path = folder.folder / CIRCLES_FILE
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        seed = int(document["seed"])
        recipes = [_recipe(number, circle, seed) for number, circle in enumerate(document["circles"])]
        return Circles(tuple(recipes), int(document["asked"]), seed)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{path} cannot be read ({' '.join(str(error).split())[:200]}); run `evaluate --circles` again") from None


def _recipe(number: int, circle: dict[str, Any], seed: int) -> Recipe:
    latitude, longitude, radius, threshold = (
        float(circle[name]) for name in ("latitude_deg", "longitude_deg", "radius_km", "threshold_mag")
    )
    return circle_recipe(number, latitude, longitude, radius, threshold, f"{PREFIX}-{seed}")


def is_circle(recipe_id: str) -> bool:
    """Whether this id belongs to a random circle."""
    return recipe_id.startswith(f"{PREFIX}-")
