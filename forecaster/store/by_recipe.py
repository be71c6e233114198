"""One query for all recipes in place of one for each: the history is read once, however long it is."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from forecaster.store.database import Connection
from forecaster.store.engine import frame_as

if TYPE_CHECKING:
    import pandas as pd


def wanted(targets: Mapping[str, str], until: Mapping[str, datetime] | None = None) -> "pd.DataFrame":
    """Return the table that a query for these targets (recipe id -> target hash) joins: recipe_id, target_hash, until."""
    import pandas as pd

    rows = [(recipe_id, target_hash, (until or {}).get(recipe_id)) for recipe_id, target_hash in targets.items()]
    return pd.DataFrame(rows, columns=["recipe_id", "target_hash", "until"])


def by_recipe(
    connection: Connection, sql: str, rows: "pd.DataFrame", parameters: dict[str, Any] | None = None
) -> "dict[str, pd.DataFrame]":
    """Run `sql`, which joins its rows as `wanted` and orders by recipe_id first, and return one frame for each recipe of `rows`."""
    if rows.empty:
        return {}
    with frame_as(connection, "wanted", rows):
        frame = connection.execute(sql, parameters or {}).df()
    places: dict[str, slice] = {}
    start = 0
    for recipe_id, same in groupby(frame.pop("recipe_id").tolist()):
        end = start + sum(1 for _ in same)
        places[recipe_id] = slice(start, end)
        start = end
    return {recipe_id: frame.iloc[places.get(recipe_id, slice(0, 0))].reset_index(drop=True) for recipe_id in rows["recipe_id"]}
