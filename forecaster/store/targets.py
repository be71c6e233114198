"""The target of each recipe, stored beside its forecasts. With it, a query on the database alone can compute a day in the recipe's own
zone."""

import json
from collections.abc import Iterable

from forecaster.recipe import Recipe
from forecaster.store.database import Connection
from forecaster.store.ledger import insert

_COLUMNS = (
    "recipe_id",
    "target_hash",
    "display_name",
    "latitude_deg",
    "longitude_deg",
    "radius_km",
    "threshold_mag",
    "range_days",
    "time_zone",
    "comparison_only",
)


def note_targets(connection: Connection, recipes: Iterable[Recipe]) -> int:
    """Write the targets of these recipes that are new or described differently; returns how many. A changed target is another row."""
    stored = set(connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM target").fetchall())
    fresh = [row for row in map(_row, recipes) if row not in stored]
    insert(connection, "target", [dict(zip(_COLUMNS, row, strict=True)) for row in fresh], replace=True)
    return len(fresh)


def _row(recipe: Recipe) -> tuple[object, ...]:
    return (
        recipe.id,
        recipe.target_hash,
        json.dumps(recipe.display_name.model_dump(), ensure_ascii=False),
        recipe.predict_center_lat,
        recipe.predict_center_lng,
        recipe.radius_km,
        recipe.threshold_mag,
        recipe.predict_range_days,
        recipe.time_zone,
        recipe.comparison_only,
    )
