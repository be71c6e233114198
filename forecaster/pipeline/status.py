"""The state of an installation, from the published copy alone."""

from datetime import timedelta

import pandas as pd

from forecaster.clock import Clock
from forecaster.pipeline.predict import STALE_AFTER
from forecaster.settings import Settings, code_version
from forecaster.store.database import query

_LAST_RUN = "SELECT run_id, kind, state, started_at, finished_at FROM run ORDER BY started_at DESC LIMIT 1"
_LAST_READ = "SELECT max(span_end) AS read_until, max(read_at) AS read_at FROM coverage WHERE stream = 'world'"
_FORECASTS = (
    "SELECT count(*) AS forecasts, max(issue_time) AS last_issue, count(DISTINCT recipe_id) AS recipes FROM forecast WHERE published"
)
_PUBLISHED = (
    "SELECT model_kind, count(*) AS recipes FROM (SELECT * FROM forecast WHERE published "
    "QUALIFY row_number() OVER (PARTITION BY recipe_id ORDER BY issue_time DESC, created_at DESC) = 1) GROUP BY 1 ORDER BY 1"
)
_WAITING = "SELECT state, count(*) AS messages FROM delivery WHERE state IN ('pending', 'failed', 'dead') GROUP BY state ORDER BY state"


def status_document(settings: Settings, clock: Clock) -> dict:
    """state ('ok' or what is wrong), and the figures it comes from; times as ISO text.

    Raises:
        BadInput: nothing has been published yet.
    """
    now = clock.now()
    read = query(settings.published, _LAST_READ).iloc[0]
    runs = query(settings.published, _LAST_RUN).to_dict("records")
    forecasts = query(settings.published, _FORECASTS).iloc[0]
    published = {row["model_kind"]: row["recipes"] for row in query(settings.published, _PUBLISHED).to_dict("records")}
    waiting = {row["state"]: row["messages"] for row in query(settings.published, _WAITING).to_dict("records")}
    age = now - read["read_until"].to_pydatetime() if not pd.isna(read["read_until"]) else None
    problems = []
    if age is None or age > STALE_AFTER:
        problems.append("the catalogue has not been read" if age is None else f"the catalogue is {age / timedelta(hours=1):.0f} hours old")
    if runs and runs[0]["state"] in ("failed", "partial"):
        problems.append(f"the last run was {runs[0]['state']}")
    problems += [f"{count} messages {state}" for state, count in waiting.items()]
    return {
        "state": "; ".join(problems) or "ok",
        "code_version": code_version(),
        "data_age_hours": None if age is None else round(age / timedelta(hours=1), 2),
        "read_until": _text(read["read_until"]),
        "last_run": {name: _text(value) for name, value in runs[0].items()} if runs else None,
        "recipes_forecast": int(forecasts["recipes"]),
        "forecasts": int(forecasts["forecasts"]),
        "last_issue": _text(forecasts["last_issue"]),
        "published": published,
        "messages_waiting": waiting,
    }


def status_text(document: dict) -> str:
    """The same for a person, a line each."""
    run = document["last_run"]
    kinds = ", ".join(f"{kind} for {count}" for kind, count in document["published"].items()) or "nothing yet"
    return "\n".join(
        [
            f"state      {document['state']}",
            f"catalogue  read until {document['read_until']}, {document['data_age_hours']} hours ago",
            f"last run   {run['state']} at {run['finished_at'] or run['started_at']}" if run else "last run   none yet",
            f"forecasts  {document['forecasts']} published for {document['recipes_forecast']} recipes, last at {document['last_issue']}",
            f"published  {kinds}",
        ]
    )


def _text(value) -> str | None:
    if value is None or pd.isna(value):
        return None
    return value if isinstance(value, str) else value.isoformat()
