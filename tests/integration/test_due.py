"""Which regions are due for training and why, and what the status says of them; figures worked by hand beside each case."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.training.due import changed_recipes, due_reasons, verified_target_days
from forecaster.recipe import Recipe, load_recipes
from forecaster.store import fits, ledger
from forecaster.store.database import Store
from forecaster.store.sharing.publish import publish
from forecaster.store.sharing.read_only_store import open_source
from forecaster.timewindow import TimeWindow
from tests.support import tiny
from tests.support.changed_recipes import changed_recipe
from tests.support.forecast_rows import forecast_row
from tests.support.processes import ended, started
from tests.support.steps import machine
from tests.support.toys import cover, dump, quake, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def recipe(settings):
    tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    return load_recipes(settings.home / "recipes")[tiny.RECIPE_ID]


@pytest.fixture
def read(store):
    """A store that has been read to NOW."""
    cover(store, NOW)
    return store


def model(store: Store, recipe: Recipe, fitted_at: datetime, kind: str = "etas", **details):
    """A row of the table `model`."""
    row = {"model_id": f"{recipe.id}-{kind}-{fitted_at:%Y%m%d%H}", "recipe_id": recipe.id, "kind": kind, "recipe_hash": recipe.recipe_hash}
    row |= {"directory": "", "data_as_of": fitted_at, "decision": "", "details": details, "created_at": fitted_at, "code_version": "0"}
    with store.transaction() as connection:
        fits.add_model(connection, row)


def due(store, *recipes, at=NOW):
    return due_reasons(store, list(recipes), Clock.standing_at(at))


def test_no_model_and_another_recipe(read, recipe):
    assert due(read, recipe) == {"athens": ["it has no model yet"]}
    model(read, recipe, NOW - DAY)
    assert due(read, recipe) == {} and changed_recipes(read, [recipe], Clock.standing_at(NOW)) == []
    other = changed_recipe(recipe, dropout=0.2)
    (reason,) = due(read, other)["athens"]
    assert reason == f"its recipe has changed since its newest model was fitted ({recipe.recipe_hash[:12]}, now {other.recipe_hash[:12]})"
    new, bare = changed_recipe(recipe, id="new"), changed_recipe(recipe, id="bare", models=())
    assert changed_recipes(read, [other, new, bare], Clock.standing_at(NOW)) == ["athens", "new"]
    assert changed_recipes(read, [recipe, bare], Clock.standing_at(NOW)) == []


def test_age_in_words_at_its_limit(read, recipe):
    model(read, recipe, NOW - 9 * DAY)
    model(read, recipe, NOW - 12 * DAY, "pooled")
    assert due(read, recipe) == {"athens": ["its newest model is 9 days old, 7 days are the limit"]}
    assert due(read, recipe, at=NOW - 2 * DAY) and not due(read, recipe, at=NOW - 2 * DAY - timedelta(microseconds=1))


def test_to_be_relied_on_first_then_who_has_waited_longest(read, recipe):
    old, older, compared, new = (changed_recipe(recipe, id=name) for name in ("old", "older", "compared", "new"))
    compared = changed_recipe(compared, comparison_only="kept for comparison")
    for each, days in ((old, 8), (older, 20)):
        model(read, each, NOW - days * DAY)
    assert list(due(read, compared, old, older, new)) == ["new", "older", "old", "compared"]


def test_of_those_without_a_model_the_place_with_more_than_its_usual_comes_first(read, recipe):
    """Twelve in a week and twelve in the year before, then three in a week and none before, then seventy a week all the year."""
    places = {"busy": (10.0, 10.0), "quiet": (-10.0, 10.0), "shaken": (10.0, -60.0), "stirred": (-40.0, 60.0)}
    recipes = [changed_recipe(recipe, id=name, predict_center_lat=at[0], predict_center_lng=at[1]) for name, at in places.items()]
    told = [("busy", n / 10) for n in range(3650)] + [("shaken", n / 2) for n in range(12)] + [("shaken", 20 + n * 28) for n in range(12)]
    told += [("stirred", 1.0 + n) for n in range(3)]
    write(
        read,
        *(quake(f"{name}{n}", NOW - days * DAY - timedelta(minutes=9), 5.2, place=places[name]) for n, (name, days) in enumerate(told)),
    )
    compared = changed_recipe(recipes[2], id="compared", comparison_only="kept for comparison")
    assert list(due(read, compared, *recipes)) == ["shaken", "stirred", "busy", "quiet", "compared"]


@pytest.mark.parametrize(
    ("known", "new", "is_due"), [(50, 4, False), (50, 5, True), (51, 5, False), (0, 4, False), (0, 5, True), (None, 50, False)]
)
def test_growth_is_a_tenth_and_five_settled_days_at_least(read, recipe, known, new, is_due):
    """`new` days with a target event that ended 45 days before NOW; two on one day are one, one on a younger day is none yet."""
    settled = NOW - 50 * DAY
    days = [settled - number * DAY for number in range((known or 0) + new)]
    write(read, *(quake(f"us{index}", day, 5.2, place=tiny.CENTRE) for index, day in enumerate(days)))
    write(read, quake("again", settled + timedelta(hours=1), 5.0, place=tiny.CENTRE), quake("weak", settled + DAY, 3.0, place=tiny.CENTRE))
    write(read, quake("young", NOW - 20 * DAY, 6.0, place=tiny.CENTRE), quake("far", settled + DAY, 6.0, place=tiny.NEXT_CELL))
    assert verified_target_days(load_known(read, NOW).events, recipe, NOW) == (known or 0) + new
    model(read, recipe, NOW - DAY, **({} if known is None else {"known_target_days": known}))
    reason = f"{new} days with a target event were verified since its newest model was fitted, which knew {known}"
    assert due(read, recipe) == ({"athens": [reason]} if is_due else {})


def test_a_version_that_was_replaced_is_no_growth(read, recipe):
    """Five days with a target event, of which the last one has been found to be too weak: four."""
    days = [NOW - (50 + number) * DAY for number in range(5)]
    write(read, *(quake(f"us{index}", day, 5.2, place=tiny.CENTRE) for index, day in enumerate(days)))
    model(read, recipe, NOW - DAY, known_target_days=0)
    assert due(read, recipe) != {}
    write(read, quake("us4", days[4], 4.0, place=tiny.CENTRE, known=days[4] + DAY))
    assert due(read, recipe) == {}


def scored(store, recipe, kind, probability, every, *, days=170, official=True, last=NOW):
    """Settled forecasts of one kind, each of the last `days` days; the target came on every `every`-th of them."""
    forecasts, scores = [], []
    for number in range(1, days + 1):
        start = last - number * DAY
        made = {"forecast_id": f"{kind}{number}", "model_id": kind, "model_kind": kind}
        row = forecast_row(recipe, TimeWindow(start, start + DAY), start, probability=probability, official=official, **made)
        forecasts.append(row)
        score = {"forecast_id": row["forecast_id"], "recipe_id": recipe.id, "target_start": start, "mode": "prospective", "brier": 0.0}
        score |= {"happened": number % every == 0, "status": "final", "log_score": 0.0, "reference_log_score": 0.0, "scored_at": NOW}
        scores.append(score)
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", forecasts)
        ledger.insert(connection, "score", scores)


def test_a_calibration_that_drifts_is_a_reason_every_second_day(read, recipe):
    """170 days at 0.3 expect 51 target days; every tenth, 17, came: a third as many, in every block of 30 days alike."""
    model(read, recipe, NOW - 2 * DAY)
    scored(read, recipe, "published", 0.3, 10)
    (reason,) = due(read, recipe)["athens"]
    assert reason.startswith("its forecasts expected 51.0 target days of the last 180 days and 17 were observed: 0.33 times as many")
    assert due(read, recipe, at=NOW - timedelta(microseconds=1)) == {}, "a refit of less than two days ago is given its time"
    model(read, recipe, NOW - timedelta(hours=47))
    assert due(read, recipe) == {}


@pytest.mark.parametrize(
    "case",
    [
        {"probability": 0.1, "every": 10},  # as many as expected
        {"probability": 0.02, "every": 500},  # 3.4 expected, none came: too few to speak of
        {"probability": 0.3, "every": 10, "official": False},
        {"probability": 0.3, "every": 10, "kind": "pooled"},  # a member's
        {"probability": 0.3, "every": 10, "last": NOW - 181 * DAY},
    ],
)
def test_what_shows_no_drift(read, recipe, case):
    model(read, recipe, NOW - 3 * DAY)
    case = {"kind": "published"} | case
    scored(read, recipe, case.pop("kind"), case.pop("probability"), case.pop("every"), **case)
    assert due(read, recipe) == {}


def test_none_of_many_expected_is_drift(read, recipe):
    """17 expected, none came."""
    model(read, recipe, NOW - 3 * DAY)
    scored(read, recipe, "published", 0.1, 500)
    (reason,) = due(read, recipe)["athens"]
    assert "expected 17.0 target days of the last 180 days and 0 were observed: 0.00 times as many" in reason


def test_asking_writes_nothing_and_a_read_only_copy_answers_the_same(read, recipe, settings):
    model(read, recipe, NOW - 9 * DAY, known_target_days=0)
    publish(read, settings.published)
    before = dump(read)
    assert due(open_source(settings), recipe) == due(read, recipe) != {} and dump(read) == before


@pytest.fixture
def run(read, recipe, settings, monkeypatch):
    monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW))

    def invoke(*arguments, **environment):
        publish(read, settings.published)
        folder = {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_RECIPES": str(settings.home / "recipes")}
        return CliRunner().invoke(cli.main, ["status", *arguments], env=folder | environment)

    return invoke


def test_the_status_says_who_is_due_and_how_runs_ended(run, read, recipe):
    assert run().stdout.splitlines()[-1] == "  athens  it has no model yet"
    model(read, recipe, NOW)
    assert run().stdout.splitlines()[-1] == "due        none for training"
    with read.transaction() as connection:
        connection.execute("DELETE FROM model")
    model(read, recipe, NOW - 9 * DAY)
    for kind, hours, state in (("daily", 30, "failed"), ("daily", 5, "success"), ("retrain", 1, None), ("backfill", 50, "partial")):
        row = {"run_id": f"{kind}{hours}", "kind": kind, "started_at": NOW - timedelta(hours=hours), "code_version": "0"}
        with read.transaction() as connection:
            ledger.start_run(connection, row)
            if state:
                ledger.finish_run(connection, row["run_id"], row["started_at"] + timedelta(minutes=9), state, {})
    answer = run("--json")
    document = json.loads(answer.stdout)
    assert answer.exit_code == 3 and document["state"] == "the last backfill run was partial"
    assert document["due"] == {"athens": ["its newest model is 9 days old, 7 days are the limit"]}
    assert document["runs"]["daily"]["state"] == "success" and document["last_run"]["run_id"] == "retrain1"
    assert document["runs"]["retrain"]["finished_at"] is None
    lines = run().stdout.splitlines()
    assert lines[2:4] == [
        "last run   retrain, running since 2024-01-02 11:00 UTC",
        "runs       daily success at 2024-01-02 07:09 UTC; retrain running since 2024-01-02 11:00 UTC; "
        "pretrain none yet; backfill partial at 2023-12-31 10:09 UTC; verify none yet",
    ]
    assert lines[-2:] == ["due        1 for training", "  athens  its newest model is 9 days old, 7 days are the limit"]


def test_the_status_needs_no_pandas(read, recipe, settings):
    """Its import would take as long as all the rest. Here all is asked: growth, drift, and who comes first."""
    model(read, recipe, NOW - 3 * DAY, known_target_days=0)
    scored(read, recipe, "published", 0.1, 500)
    write(read, *(quake(f"us{number}", NOW - (50 + number) * DAY, 5.2, place=tiny.CENTRE) for number in range(5)))
    for name in ("anchorage", "istanbul"):
        tiny.write_recipe(settings.home / "recipes", name, models='["etas"]')
    publish(read, settings.published)
    program = (
        "import sys\nfrom datetime import datetime\nfrom pathlib import Path\nfrom forecaster.clock import Clock\n"
        "from forecaster.pipeline.status import status_document, status_text\nfrom forecaster.settings import load_settings\n"
        "settings = load_settings(home=Path(sys.argv[1]), recipes=Path(sys.argv[1]) / 'recipes')\n"
        "print(status_text(status_document(settings, Clock.standing_at(datetime.fromisoformat(sys.argv[2])))))\n"
        "print('pandas' in sys.modules)"
    )
    asked = ended(started(program, settings.home, NOW.isoformat())).splitlines()
    told = asked.pop(asked.index(next(line for line in asked if line.startswith("  athens"))))
    assert "5 days with a target event" in told and "its forecasts expected 17.0 target days" in told
    assert asked[-3:] == ["  anchorage  it has no model yet", "  istanbul   it has no model yet", "False"]


def test_recipes_that_cannot_be_read_are_one_line_of_the_status(run, settings):
    (settings.home / "recipes" / "broken.toml").write_text("id = 'another'\n")
    answer = run()
    assert answer.exit_code == 3 and answer.stdout.splitlines()[0].startswith("state      the recipes cannot be read: broken.toml: ")
    assert answer.stdout.splitlines()[-1] == "due        not known"
    assert json.loads(run("--json").stdout)["due"] is None
    gone = run(QUAKECAST_RECIPES=str(settings.home / "nowhere"))
    assert "the recipes cannot be read: there is no folder" in gone.stdout.splitlines()[0]
