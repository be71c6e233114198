"""The forecasts that pages, files and messages show: the last ones of each recipe, and all models of an issue.

What is shown began lately, in nearly every case. So the days around it are read first, and all of them only for recipes of which too little
was found. The answer is the same, and its cost does not grow with the years.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from forecaster.store.by_recipe import by_recipe, wanted
from forecaster.store.database import Connection
from forecaster.store.ledger import EVER, first_and_last_start
from forecaster.store.row_types import ForecastRow, IssuedRow, rows_as

if TYPE_CHECKING:
    import pandas as pd

MAX_DAY = timedelta(hours=25)  # to the next local midnight, where a clock is set back
CLOCKS_APART = timedelta(minutes=1)  # of two runs at once; the active issue may be the other's
LATELY = timedelta(days=40)  # longer than any window, and a few days that were missed


def recent_published(
    connection: Connection, targets: Mapping[str, str], until: Mapping[str, datetime], limit: int
) -> "dict[str, pd.DataFrame]":
    """Return the last `limit` published forecasts of each of these targets (recipe id -> target hash) whose window ended by `until` (of the
    recipe), with their outcome where there is one. There is one frame for each recipe, oldest first."""
    if not targets:
        return {}
    since = min(until[recipe_id] for recipe_id in targets) - timedelta(days=limit) - LATELY
    found = _published_since(connection, targets, until, limit, since)
    short = {recipe_id: target_hash for recipe_id, target_hash in targets.items() if len(found[recipe_id]) < limit}
    return found | _published_since(connection, short, until, limit, EVER)


def _published_since(
    connection: Connection, targets: Mapping[str, str], until: Mapping[str, datetime], limit: int, since: datetime
) -> "dict[str, pd.DataFrame]":
    """Return the same, of windows that began at `since` or later."""
    return by_recipe(
        connection,
        "WITH said AS (SELECT f.recipe_id, f.target_hash, f.target_start, f.target_end, f.probability, f.reference_probability, f.mode, "
        "f.method, f.official, f.issue_time, f.created_at FROM forecast f JOIN wanted w USING (recipe_id, target_hash) "
        "WHERE f.published AND NOT f.in_sample AND f.target_end <= w.until AND f.target_start >= $since), "
        "days AS (SELECT recipe_id, target_start, row_number() OVER (PARTITION BY recipe_id ORDER BY target_start DESC) AS place "
        "FROM (SELECT DISTINCT recipe_id, target_start FROM said) d), "
        "last AS (SELECT recipe_id, min(target_start) AS first_start FROM days WHERE place <= $limit GROUP BY recipe_id) "
        "SELECT said.recipe_id, said.target_start, said.target_end, said.probability, said.reference_probability, said.mode, said.method, "
        "o.happened, o.status, o.max_magnitude, o.changed "
        "FROM said JOIN last USING (recipe_id) "
        "LEFT JOIN (SELECT * FROM outcome WHERE target_start >= $since) o USING (recipe_id, target_start, target_hash) "
        "WHERE said.target_start >= last.first_start QUALIFY row_number() OVER (PARTITION BY said.recipe_id, said.target_start "
        "ORDER BY official DESC, method = 'daily' DESC, method DESC, issue_time DESC, created_at DESC) = 1 ORDER BY 1, 2",
        wanted(targets, until),
        {"limit": limit, "since": since},
    )


def latest_published(connection: Connection, now: datetime, target_hashes: list[str]) -> list[ForecastRow]:
    """Return for each recipe the published forecast to show at `now`, of one of these targets; one row each.

    It is the forecast of the next window that has not begun yet, else of the last window. Of several issues for it, the one stored last is
    used, whatever the clock said. Rows of a backfill are not shown. An advance forecast (prospective, of a window without an official
    forecast) is shown only to the person who asked for it. One exception: a forecast for the next day that is not official because
    something was wrong (it is degraded) is shown, and says so.
    """
    made = connection.execute(
        "SELECT DISTINCT recipe_id FROM forecast WHERE published AND method = 'daily' AND target_hash IN (SELECT unnest($hashes))",
        {"hashes": target_hashes},
    ).fetchall()
    recipe_ids = {recipe_id for (recipe_id,) in made}
    found = _shown(connection, now, target_hashes, recipe_ids, now - LATELY)
    found += _shown(connection, now, target_hashes, recipe_ids - {row["recipe_id"] for row in found}, EVER)
    return sorted(found, key=lambda row: row["recipe_id"])


def _shown(
    connection: Connection, now: datetime, target_hashes: list[str], recipe_ids: Collection[str], since: datetime
) -> list[ForecastRow]:
    """Return the same of these recipes, of windows that began at `since` or later."""
    if not recipe_ids:
        return []
    # The row to show for each recipe is found with narrow columns; the wide columns are read for that row alone.
    frame = connection.execute(
        "WITH issued AS (SELECT rowid AS place, forecast_id, recipe_id, target_hash, target_start, issue_time, mode, degraded "
        "FROM forecast WHERE published AND method = 'daily' AND issue_time <= $said AND target_start >= $since "
        "AND target_hash IN (SELECT unnest($hashes)) AND recipe_id IN (SELECT unnest($ids))), "
        "official AS (SELECT DISTINCT recipe_id, target_hash, target_start FROM forecast WHERE official AND target_start >= $since "
        "AND recipe_id IN (SELECT unnest($ids))), "
        "shown AS (SELECT forecast_id FROM issued LEFT JOIN official o USING (recipe_id, target_hash, target_start) "
        "WHERE mode <> 'prospective' OR o.recipe_id IS NOT NULL OR (degraded AND target_start <= issue_time + $day) "
        "QUALIFY row_number() OVER (PARTITION BY issued.recipe_id "
        "ORDER BY target_start <= $now, abs(epoch(target_start) - epoch($now)), place DESC) = 1) "
        "SELECT f.* FROM forecast f JOIN shown USING (forecast_id) WHERE f.target_start >= $since ORDER BY recipe_id",
        {"now": now, "said": now + CLOCKS_APART, "hashes": target_hashes, "ids": sorted(recipe_ids), "since": since, "day": MAX_DAY},
    ).df()
    return rows_as(ForecastRow, frame)


def live_reforecasts(connection: Connection, now: datetime, target_hashes: list[str]) -> list[ForecastRow]:
    """Return for each recipe its newest reforecast of a window that has not ended: the combination of an issue beside the official one, of
    which nothing is published."""
    frame = connection.execute(
        "SELECT * FROM forecast WHERE target_start >= $since AND target_end > $now AND issue_time <= $said AND mode = 'prospective' "
        "AND model_kind = 'published' AND NOT published AND NOT official AND method = 'daily' AND target_hash IN (SELECT unnest($hashes)) "
        "QUALIFY row_number() OVER (PARTITION BY recipe_id ORDER BY issue_time DESC, created_at DESC) = 1 ORDER BY recipe_id",
        {"since": now - LATELY, "now": now, "said": now + CLOCKS_APART, "hashes": target_hashes},
    ).df()
    return rows_as(ForecastRow, frame)


def models_of_issues(connection: Connection, forecast_ids: Sequence[str]) -> dict[str, list[IssuedRow]]:
    """Return by forecast id every model's forecast of the same issue, itself included, the published one first, each with `model_details`.

    Of two rows of a kind the newest is used. Details of the forecast and of the model are parsed, and None where there are none.
    """
    # The rows of each issue are found with narrow columns; the wide columns are read for those rows alone.
    first, last = first_and_last_start(connection, forecast_ids)
    frame = connection.execute(
        "WITH issue AS (SELECT g.forecast_id AS asked, f.forecast_id FROM forecast g "
        "JOIN forecast f USING (recipe_id, target_hash, target_start, mode, method, issue_time) "
        "WHERE g.forecast_id IN (SELECT unnest($ids)) AND g.target_start BETWEEN $first AND $last "
        "AND f.target_start BETWEEN $first AND $last "
        "QUALIFY row_number() OVER (PARTITION BY g.forecast_id, f.model_kind ORDER BY f.created_at DESC) = 1) "
        "SELECT issue.asked, f.*, m.details AS model_details FROM forecast f JOIN issue USING (forecast_id) "
        "LEFT JOIN model m ON m.model_id = f.model_id WHERE f.target_start BETWEEN $first AND $last "
        "ORDER BY issue.asked, f.published DESC, f.model_kind",
        {"ids": list(forecast_ids), "first": first, "last": last},
    ).df()
    import pandas as pd

    asked_for = frame.pop("asked")
    for name in ("details", "model_details"):
        frame[name] = pd.Series([_parsed(text) for text in frame[name]], dtype=object, index=frame.index)
    found: dict[str, list[IssuedRow]] = {forecast_id: [] for forecast_id in forecast_ids}
    for asked, row in zip(asked_for, rows_as(IssuedRow, frame), strict=True):
        found[asked].append(row)
    return found


def _parsed(text: object) -> dict[str, Any] | None:
    return json.loads(text) if isinstance(text, str) else None
