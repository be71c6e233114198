"""The daily rows of one arm as arrays: every model's forecast probability, the observed outcome, and the baselines of gains."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecaster.recipe import Recipe

BASELINES = ("climatology", "etas", "best_rate")
POOLS = ("japan", "abroad", "circles")
CIRCLES_POOL = "circles"
CIRCLES_ETAS = "etas_generic"  # the ETAS for circles, which have no fit of their own
HALF_DAY = np.timedelta64(12, "h")


@dataclass(frozen=True)
class Rows:
    """Days of recipes under one arm; arrays (n,), ascending by `recipe` (a number) and day.

    `probability` is NaN where the model has no forecast; `others`, by name, likewise.
    """

    recipe: np.ndarray
    local_days: np.ndarray
    happened: np.ndarray
    probability: np.ndarray
    others: dict[str, np.ndarray]

    def take(self, chosen: np.ndarray | slice) -> "Rows":
        """Return the rows where a mask is true, or those of a slice."""
        others = {name: values[chosen] for name, values in self.others.items()}
        return Rows(self.recipe[chosen], self.local_days[chosen], self.happened[chosen], self.probability[chosen], others)

    def by_recipe(self) -> Iterator[tuple[int, "Rows"]]:
        """Yield (number, rows) of every recipe that has rows."""
        present, starts, counts = np.unique(self.recipe, return_index=True, return_counts=True)
        for number, start, count in zip(present.tolist(), starts, counts, strict=True):
            yield number, self.take(slice(start, start + count))


@dataclass(frozen=True)
class ArmForecasts:
    """One arm.

    names: of its recipes, sorted; pools: the pool of each, None for none. The rest are arrays (n,), by recipe and day: `recipe` numbers
    them as in `names`; `utc_days` (datetime64[D]) holds the middle of each target window; `status` "quiet" or "sequence"; `probability` by
    model, NaN where it has no forecast; `others`, the baselines of gains: those of BASELINES that exist.
    """

    arm: str
    names: list[str]
    pools: list[str | None]
    recipe: np.ndarray
    local_days: np.ndarray
    utc_days: np.ndarray
    happened: np.ndarray
    status: np.ndarray
    probability: dict[str, np.ndarray]
    others: dict[str, np.ndarray]

    def rows(self, model: str, chosen: np.ndarray | None = None) -> Rows:
        """Return the days on which the model has a forecast, among those where the mask `chosen` is true."""
        of_model = self.probability[model]
        kept = np.isfinite(of_model) if chosen is None else np.isfinite(of_model) & chosen
        return Rows(self.recipe, self.local_days, self.happened, of_model, self.others).take(kept)

    def members(self, pool: str) -> np.ndarray:
        """Return the mask of the rows of a pool's recipes, bool (n,)."""
        inside: np.ndarray = np.array([name == pool for name in self.pools], dtype=bool)[self.recipe]
        return inside


def pool_of(recipe: Recipe) -> str | None:
    """Return the pool that a recipe counts in: "japan", "abroad", or None where it is kept for comparison only."""
    if recipe.comparison_only:
        return None
    return "japan" if recipe.time_zone == "Asia/Tokyo" else "abroad"


def forecasts_by_arm(daily: pd.DataFrame, pools: Mapping[str, str | None]) -> Iterator[ArmForecasts]:
    """Yield every arm of the rows of `evaluate`. pools: recipe id -> its pool, None for none."""
    for arm, part in daily.groupby("arm", sort=True):
        wide = part.pivot(index=["recipe_id", "local_day"], columns="model", values="probability")
        days = part.drop_duplicates(["recipe_id", "local_day"]).set_index(["recipe_id", "local_day"]).loc[wide.index]
        recipe, found = pd.factorize(wide.index.get_level_values("recipe_id"), sort=True)
        names = [str(name) for name in found]
        local_days = wide.index.get_level_values("local_day").to_numpy().astype("datetime64[D]")
        starts = days["target_start"].dt.tz_convert(None).to_numpy() if "target_start" in days else local_days.astype("datetime64[us]")
        probability = {str(model): wide[model].to_numpy() for model in wide}
        others = {name: probability[name] for name in BASELINES[1:] if name in probability}
        if CIRCLES_ETAS in probability:
            circle = np.array([pools.get(name) == CIRCLES_POOL for name in names])[recipe]
            others["etas"] = np.where(circle, probability[CIRCLES_ETAS], others.get("etas", np.nan))
        yield ArmForecasts(
            arm=str(arm),
            names=names,
            pools=[pools.get(name) for name in names],
            recipe=recipe,
            local_days=local_days,
            utc_days=(starts + HALF_DAY).astype("datetime64[D]"),
            happened=days["happened"].to_numpy(dtype=bool),
            status=days["status"].to_numpy(),
            probability=probability,
            others=others | {"climatology": days["reference"].to_numpy()},
        )
