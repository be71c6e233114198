"""Forecasts, outcomes and a judged model put straight into a store, so that alert rules can be tested day by day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from forecaster.clock import Clock
from forecaster.pipeline.daily.issue_rows import identified
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe, parse_recipe
from forecaster.settings import Settings
from forecaster.store import fits, ledger
from forecaster.store.database import Store
from forecaster.timewindow import issue_time
from tests.support.forecast_rows import forecast_row

RECIPE_FILE = Path(__file__).resolve().parents[2] / "recipes" / "athens.toml"
RULE = {"name": "raised", "probability": 0.05, "ratio": 3.0, "probability_off": 0.03, "ratio_off": 2.0}
MODEL = "athens-etas-20240101-0123abcd"
USUAL = 0.01
TWO_CHANNELS = {  # set up, and nobody there
    "smtp_host": "127.0.0.1",
    "mail_to": "a@example.org",
    "webhook_url": "http://127.0.0.1:9/",
    "webhook_secret": "whsec_AAAA",
}


def toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


def bare() -> str:
    """The bundled recipe athens without the rule that it ships with, as TOML."""
    return RECIPE_FILE.read_text(encoding="utf-8").partition("[[alerts]]")[0]


def text(*rules: dict) -> str:
    """The same with these alert rules."""
    tables = ["\n[[alerts]]\n" + "\n".join(f"{key} = {toml_value(value)}" for key, value in rule.items()) for rule in rules]
    return bare() + "\n".join(tables)


def athens(*rules: dict) -> Recipe:
    """The same as a recipe, with RULE where no rule is given."""
    return parse_recipe(text(*(rules or (RULE,))), "athens.toml")


def judged(store: Store, *rules: dict) -> Recipe:
    """The same, whose model is judged good enough for its forecasts to raise alerts."""
    recipe = athens(*rules)
    judge(store, recipe)
    return recipe


def job(store: Store, settings: Settings, recipe: Recipe, now: datetime, *, simulated: bool = False) -> Job:
    return Job(settings, store, [recipe], Clock(lambda: now, simulated), "run")


def issued(recipe: Recipe, day: date) -> datetime:
    """A minute after the recipe's issue time for the local `day`."""
    return issue_time(day, recipe.zone, recipe.issue_local_time) + timedelta(minutes=1)


def _row(recipe: Recipe, day: date, issued_at: datetime, **changes: object) -> dict:
    """A row of the table `forecast` by MODEL, with the id that the program gives it."""
    due = issue_time(day, recipe.zone, recipe.issue_local_time)
    stamp = {"model_id": MODEL, "model_kind": "etas", "as_of": due}
    return identified(forecast_row(recipe, recipe.target_window(day), issued_at, **(stamp | changes)))


def say(store: Store, recipe: Recipe, day: date, probability: float, usual: float = USUAL, **changes) -> str:
    """Store the published forecast of `day` (official, prospective, by MODEL unless told otherwise); returns its id."""
    stamp = {"probability": probability, "reference_probability": usual, "official": changes.get("mode", "prospective") == "prospective"}
    row = _row(recipe, day, changes.get("issue_time", issued(recipe, day)), **(stamp | changes))
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", [row])
    return row["forecast_id"]


def walked(store: Store, recipe: Recipe, first_day: date, line: list[tuple[float, bool | None]], usual: float = USUAL, **changes) -> None:
    """Walk-forward forecasts of consecutive days with their final outcomes (None: not settled), written in one go."""
    stamp = {"mode": "hindcast", "official": False, "method": "walk-forward", "reference_probability": usual}
    rows, came = [], []
    for number, (probability, happened) in enumerate(line):
        day = first_day + timedelta(days=number)
        due = issue_time(day, recipe.zone, recipe.issue_local_time)
        rows.append(_row(recipe, day, due, **({"probability": probability} | stamp | changes)))
        if happened is not None:
            came.append(outcome(recipe, day, happened, recipe.target_window(day).end + timedelta(days=45)))
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", rows)
        ledger.insert(connection, "outcome", came, replace=True)


def outcome(recipe: Recipe, day: date, happened: bool, as_of: datetime, status: str = "final") -> dict:
    window = recipe.target_window(day)
    return {
        "recipe_id": recipe.id,
        "target_start": window.start,
        "target_end": window.end,
        "target_hash": recipe.target_hash,
        "happened": happened,
        "event_count": int(happened),
        "max_magnitude": 5.0 if happened else None,
        "status": status,
        "as_of": as_of,
        "changed": False,
    }


def settle(store: Store, recipe: Recipe, day: date, happened: bool, as_of: datetime, status: str = "provisional") -> None:
    """Store the outcome of a day in the place of the one before."""
    with store.transaction() as connection:
        ledger.insert(connection, "outcome", [outcome(recipe, day, happened, as_of, status)], replace=True)


def judge(store: Store, recipe: Recipe, low: float = 0.02, model_id: str = MODEL, directory: str = "athens/" + MODEL, **evaluation) -> None:
    """Register a model with its evaluation: a gain of 0.1 nats a target day with this low end."""
    found = {"information_gain": 0.1, "low": low, "high": 0.2, "target_days": 80, "undefined_share": 0.0, "test_last_day": "2023-12-31"}
    row = {
        "model_id": model_id,
        "recipe_id": recipe.id,
        "kind": "etas",
        "recipe_hash": recipe.recipe_hash,
        "directory": directory,
        "data_as_of": datetime(2024, 1, 1, tzinfo=UTC),
        "decision": "first",
        "details": {"evaluation": found | evaluation},
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "code_version": "0",
    }
    with store.transaction() as connection:
        fits.add_model(connection, row)
