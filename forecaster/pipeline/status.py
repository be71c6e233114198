"""The state of an installation, read from the published copy (or what QUAKECAST_READ_FROM names), so that it works while a run writes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.installed import code_version
from forecaster.models import networks
from forecaster.pipeline.as_of.as_known import STALE_AFTER
from forecaster.pipeline.pretraining.trained_sets import SET_KINDS, in_service, use
from forecaster.pipeline.recipes_in_use import recipes_and_left_out
from forecaster.pipeline.training.due import due_reasons
from forecaster.quantities import age_text, counted
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import current_state
from forecaster.store.database import Store
from forecaster.store.sharing.read_only_store import named_source, one_reading

RUN_KINDS = ("daily", "retrain", "pretrain", "backfill", "verify")


def status_document(settings: Settings, clock: Clock) -> dict[str, Any]:
    """Return state ('ok' or what is wrong), and the figures behind it; times as ISO text.

    last_run: the newest of all; runs: the newest of each kind. due: by recipe that is due for training, why; None where the recipes cannot
    be read. sets: by kind, the pre-trained set of the world in use, with its age. networks: why this installation cannot train any, None
    where it can; this does not affect its state.

    Raises:
        BadInput: nothing has been published yet.
    """
    with one_reading(named_source(settings)) as store:
        return _document(store, settings, clock)


def _document(store: Store, settings: Settings, clock: Clock) -> dict[str, Any]:
    now = clock.now()
    recipes, left_out, problems = _recipes(settings)
    with store.transaction() as connection:
        read_until = current_state.world_read_until(connection)
        runs = [{name: _text(value) for name, value in row.items()} for row in current_state.newest_runs(connection)]
        forecasts = current_state.forecast_counts(connection, left_out)
        published = current_state.published_by(connection, left_out)
        waiting = current_state.messages_waiting(connection)
    use(store, settings)
    sets = {kind: in_service(kind, now) for kind in SET_KINDS}
    age = None if read_until is None else now - read_until
    if age is None or age > STALE_AFTER:
        problems.append("the catalogue has not been read" if age is None else f"the catalogue is {age_text(age)} old")
    problems += [f"the last {run['kind']} run was {run['state']}" for run in runs if run["state"] in ("failed", "partial")]
    problems += [f"{counted(count, 'message')} {state}" for state, count in waiting.items()]
    problems += [served.problem for served in sets.values() if served.problem]
    return {
        "state": "; ".join(problems) or "ok",
        "code_version": code_version(),
        "data_age_hours": None if age is None else round(age / timedelta(hours=1), 2),
        "read_until": _text(read_until),
        "last_run": runs[0] if runs else None,
        "runs": {run["kind"]: run for run in runs},
        "recipes_forecast": int(forecasts["recipes"]),
        "forecasts": int(forecasts["forecasts"]),
        "last_issue": _text(forecasts["last_issue"]),
        "published": published,
        "messages_waiting": waiting,
        "due": None if recipes is None else due_reasons(store, recipes, clock, by_activity=False),
        "sets": {kind: {"name": served.name, "age_days": served.age_days} for kind, served in sets.items()},
        "networks": networks.why_none(),
    }


def status_text(document: dict[str, Any]) -> str:
    """Format the document for people, with one line per figure and per due recipe."""
    run, due = document["last_run"], document["due"] or {}
    waiting = f"{len(due)} for training" if due else "not known" if document["due"] is None else "none for training"
    kinds = ", ".join(f"{kind} for {count}" for kind, count in document["published"].items()) or "nothing yet"
    runs = [document["runs"].get(kind, {"kind": kind, "state": None}) for kind in dict.fromkeys([*RUN_KINDS, *document["runs"]])]
    width = max(map(len, due), default=0)
    return "\n".join(
        [
            f"state      {document['state']}",
            f"catalogue  {_catalogue_words(document)}",
            f"last run   {run['kind']}, {_run_words(run)}" if run else "last run   none yet",
            "runs       " + "; ".join(f"{each['kind']} {_run_words(each)}" for each in runs),
            f"forecasts  {document['forecasts']:,} published for {counted(document['recipes_forecast'], 'recipe')}, "
            f"last at {_minute(document['last_issue'])}",
            f"published  {kinds}",
            "sets       " + ", ".join(_set_words(served) for served in document["sets"].values()),
            f"due        {waiting}",
            *(f"  {recipe_id:{width}}  {'; '.join(reasons)}" for recipe_id, reasons in due.items()),
            *([f"networks   {document['networks']}"] if document["networks"] else []),
        ]
    )


def _set_words(served: dict[str, Any]) -> str:
    age = "" if served["age_days"] is None else f" ({age_text(timedelta(days=served['age_days']))} old)"
    return f"{served['name']}{age}"


def _catalogue_words(document: dict[str, Any]) -> str:
    if document["read_until"] is None:
        return "not read yet"
    return f"read until {_minute(document['read_until'])}, {age_text(timedelta(hours=document['data_age_hours']))} ago"


def _run_words(run: dict[str, Any]) -> str:
    if run["state"] is None:
        return "none yet"
    if run["state"] == "running":
        return f"running since {_minute(run['started_at'])}"
    return f"{run['state']} at {_minute(run['finished_at'] or run['started_at'])}"


def _minute(at: str | None) -> str:
    """Format an ISO time of the document for people."""
    return "never" if at is None else f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _recipes(settings: Settings) -> tuple[list[Recipe] | None, list[str], list[str]]:
    """Return the recipes in use, the ids of those left out, and no errors; or None, no ids, and the errors."""
    try:
        used, left_out = recipes_and_left_out(settings)
    except BadInput as error:
        return None, [], [f"the recipes cannot be read: {'; '.join(str(error).splitlines())}"]
    return list(used.values()), sorted(left_out), []


def _text(value: Any) -> str | None:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
