"""Small tables of what the store holds, for people who inspect a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from forecaster.pipeline.run_context import Job
from forecaster.publishing_rule.combination import KIND
from forecaster.store import ledger
from forecaster.timewindow import day_of_window


def is_shown(row: Mapping[Any, Any], *, reforecast: bool) -> bool:
    """Return whether a forecast is what its issue shows: the published one or, of a reforecast, of which none is, the combination."""
    return bool(row["published"] or (reforecast and row["model_kind"] == KIND))


def published_rows(job: Job, forecast_ids: Sequence[str], *, reforecast: bool = False) -> list[dict[str, Any]]:
    """Return the forecasts among these ids that are shown (`is_shown`), each with `local_day` (ISO) in the recipe's zone."""
    zones = {recipe.id: recipe.time_zone for recipe in job.recipes}
    with job.store.transaction() as connection:
        rows: list[Any] = ledger.forecasts_of_issue(connection, list(forecast_ids)).to_dict("records")
    return [
        {**row, "local_day": day_of_window(row["target_start"], ZoneInfo(zones[row["recipe_id"]])).isoformat()}
        for row in rows
        if is_shown(row, reforecast=reforecast)
    ]


def skill_rows(job: Job) -> list[dict[str, Any]]:
    """Return the skill of published forecasts, nats per target day over the usual rate; by recipe, mode, method and maturity."""
    hashes = [recipe.target_hash for recipe in job.recipes]
    with job.store.transaction() as connection:
        rows = ledger.published_skill(connection, hashes).to_dict("records")
    return [
        {
            "recipe": row["recipe_id"],
            "mode": row["mode"],
            "method": row["method"],
            "outcomes": row["outcome_status"],
            "days": int(row["days"]),
            "target days": int(row["target_days"]),
            "gain": f"{row['information_gain']:+.3f}" if math.isfinite(row["information_gain"]) else "not known: no target day yet",
        }
        for row in rows
    ]
