"""Who is published, after training: what people decide, what expires, what cannot be loaded, and what older stores hold."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.pipeline import champion
from forecaster.pipeline.predict import predict
from forecaster.pipeline.train import TrainOptions, train_recipes
from forecaster.pipeline.verify import verify
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store import champions, database, ledger
from forecaster.store.database import Store, open_store
from tests.support import tiny, toy_models
from tests.support.toys import cover, dump, table

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = date(2024, 1, 3)
QUICK = TrainOptions(max_minutes=5)
WEEK = timedelta(days=7)


@pytest.fixture(scope="module", autouse=True)
def toys():
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home after training in the world with a sign: etas is published, pooled is not. Copy it; never write to it."""
    settings = load_settings(home=tmp_path_factory.mktemp("trained"))
    tiny.fill(open_store(settings.database), NOW, sign=True)
    path = tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    recipe = load_recipes(path.parent)[tiny.RECIPE_ID]
    result = train_recipes(Store(settings.database), [recipe], settings, Clock.standing_at(NOW), QUICK)
    assert result.trained[recipe.id]["champion"] == "etas"
    return settings, recipe, {kind: row["model_id"] for kind, row in result.trained[recipe.id]["models"].items()}


@pytest.fixture
def home(trained, settings):
    """A copy of that home: (store, settings, recipe, model id by kind)."""
    shutil.copytree(trained[0].home, settings.home)
    return Store(settings.database), settings, trained[1], trained[2]


@pytest.fixture
def run(home, monkeypatch):
    """Runs `quakecast ARGUMENTS` in that home, at NOW plus `after`."""

    def invoke(*arguments, after=timedelta(0)):
        monkeypatch.setattr(cli.common, "machine_clock", lambda: Clock(lambda: NOW + after, simulated=False))
        settings = home[1]
        environment = {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_RECIPES": str(settings.home / "recipes")}
        return CliRunner().invoke(cli.main, list(arguments), env=environment)

    return invoke


def published(home, moment=NOW, day=None):
    """(kind, degraded reason) of what is published of a forecast at `moment`, with what it says of the silent."""
    store, settings, recipe, _ = home
    result = predict(store, [recipe], settings, Clock.standing_at(moment), target_day=day)
    rows = table(store, "forecast")
    (row,) = rows[rows["forecast_id"].isin(result.forecast_ids) & rows["published"]].to_dict("records")
    return row["model_kind"], row["degraded_reason"], result.silent.get(recipe.id, {})


def test_a_person_promotes_against_the_rule(home, run):
    store, _, _, models = home
    done = run("models", "promote", models["pooled"], "--reason", "a test of  the trees", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["kind"], told["model_id"], told["decided_by"], told["reason"]) == (
        "pooled",
        models["pooled"],
        "person",
        "a test of the trees",
    )
    assert published(home) == ("pooled", None, {})
    first, second = table(store, "champion").sort_values("number").to_dict("records")
    assert (first["kind"], first["decided_by"], second["kind"], second["decided_by"]) == ("etas", "rule", "pooled", "person")
    with store.transaction() as connection:
        spans = connection.execute("SELECT kind, until FROM champion_span ORDER BY number").fetchall()
    assert [kind for kind, _ in spans] == ["etas", "pooled"] and spans[0][1] == NOW and spans[1][1] is None
    listed = run("models", "list").stdout.splitlines()
    assert listed[0] == f"athens: {models['pooled']} since 2024-01-02, by person: a test of the trees"
    assert [line.split()[0] for line in listed[1:]] == [models["etas"], "*"]


def test_a_retired_kind_is_left_alone_until_a_person_promotes_it(home, run):
    store, settings, recipe, _ = home
    assert run("models", "retire", "--recipe", "athens", "--reason", "too sure of itself").stdout.startswith("athens: the usual rate")
    assert published(home) == ("climatology", None, {})
    cover(store, NOW + WEEK, start=NOW)
    again = train_recipes(store, [recipe], settings, Clock.standing_at(NOW + WEEK), QUICK).trained[recipe.id]
    assert again["champion"] == "climatology" and "etas has +" in again["decision"]
    newest = again["models"]["etas"]["model_id"]
    assert run("models", "promote", newest, "--reason", "looked into", after=WEEK).exit_code == 0
    assert run("models", "retire", "--recipe", "athens", "--reason", "no", after=WEEK).exit_code == 2, "a reason of two letters"
    cover(store, NOW + 2 * WEEK, start=NOW)
    last = train_recipes(store, [recipe], settings, Clock.standing_at(NOW + 2 * WEEK), QUICK).trained[recipe.id]
    assert last["champion"] == "etas" and last["models"]["etas"]["model_id"] != newest


def test_going_back_to_the_champion_before(home, run):
    store, settings, recipe, models = home
    cover(store, NOW + WEEK, start=NOW)
    newer = train_recipes(store, [recipe], settings, Clock.standing_at(NOW + WEEK), QUICK).trained[recipe.id]["models"]["etas"]["model_id"]
    back = run("models", "promote", "--recipe", "athens", "--previous", "--reason", "the new fit jumps", after=WEEK)
    assert back.exit_code == 0 and models["etas"] in back.stdout and newer != models["etas"]
    predict(store, [recipe], settings, Clock.standing_at(NOW + WEEK))
    rows = table(store, "forecast")
    assert rows.loc[rows["published"], "model_id"].tolist() == [models["etas"]], "the pinned fit, and no other of its kind"
    assert sorted(rows["model_kind"]) == ["climatology", "etas", "pooled"]


def test_a_champion_with_old_data_is_not_published(home, run):
    store, _, _, models = home
    limit = timedelta(days=90)
    cover(store, NOW + limit + WEEK, start=NOW)
    assert published(home, NOW + limit)[:2] == ("etas", None)
    kind, reason, _ = published(home, NOW + limit + timedelta(days=1))
    assert kind == "climatology"
    assert reason == (
        f"{models['etas']} has expired: its data are 91 days old, 90 are the limit; train again; the usual rate is published instead"
    )
    refused = run("models", "promote", models["pooled"], "--reason", "why not", after=limit + timedelta(days=1))
    assert refused.exit_code == 2 and "are 91 days old, 90 are the limit; train athens again" in refused.stderr
    assert "has expired" in run("models", "list", after=limit + timedelta(days=1)).stdout


def test_the_same_issue_again_publishes_what_it_did(home, run):
    """The clock stands still while a person promotes a kind that had not spoken: its row is added, but the issue has been made."""
    store, settings, recipe, models = home
    fewer = type(recipe).model_validate(recipe.model_dump() | {"models": ("etas",)})
    first = predict(store, [fewer], settings, Clock.standing_at(NOW))
    assert run("models", "promote", models["pooled"], "--reason", "why not").exit_code == 0
    again = predict(store, [recipe], settings, Clock.standing_at(NOW))
    assert set(again.forecast_ids) > set(first.forecast_ids) and len(first.forecast_ids) == 2
    rows = table(store, "forecast")
    assert rows.loc[rows["published"], "model_kind"].tolist() == ["etas"]


def scored_days(store, recipe, kind, model_id, said):
    """Official, settled forecasts of one kind for a hundred days before NOW, every fourth with the target: `said(happened)`."""
    forecasts, outcomes, scores = [], [], []
    for number in range(100):
        start = NOW - timedelta(days=150 - number)
        happened = number % 4 == 0
        row = {"forecast_id": f"{kind}{number}", "recipe_id": recipe.id, "target_start": start, "target_end": start + timedelta(days=1)}
        row |= {"model_id": model_id, "model_kind": kind, "issue_time": start, "as_of": start, "mode": "prospective", "official": True}
        row |= {"published": True, "probability": said(happened), "reference_probability": 0.25, "recipe_hash": recipe.recipe_hash}
        row |= {"target_hash": recipe.target_hash, "code_version": "0", "degraded": False, "data_age_hours": 0.0, "created_at": start}
        forecasts.append(row)
        outcome = {name: row[name] for name in ("recipe_id", "target_start", "target_end", "target_hash")}
        outcomes.append(outcome | {"happened": happened, "event_count": 0, "status": "final", "as_of": NOW, "changed": False})
        score = {"forecast_id": row["forecast_id"], "recipe_id": recipe.id, "target_start": start, "mode": "prospective"}
        scores.append(
            score | {"happened": happened, "status": "final", "log_score": 0.0, "reference_log_score": 0.0, "brier": 0.0, "scored_at": NOW}
        )
    with store.transaction() as connection:
        ledger.insert(connection, "forecast", forecasts)
        ledger.insert(connection, "outcome", outcomes, replace=True)
        ledger.insert(connection, "score", scores)


def test_a_champion_whose_record_lies_below_the_usual_rate_expires(home):
    """0.6 on quiet days and 0.1 on the others, against 0.25: ln(.1/.25) + 3 ln(.4/.75) = -2.8 nats per target day."""
    store, settings, recipe, models = home
    scored_days(store, recipe, "etas", models["etas"], lambda happened: 0.1 if happened else 0.6)
    expired = verify(store, [recipe], Clock.standing_at(NOW)).expired
    assert list(expired) == ["athens"] and expired["athens"].startswith("etas has expired: -2.802 nats per target day (95 % -")
    assert verify(store, [recipe], Clock.standing_at(NOW)).expired == {}, "once"
    assert published(home) == ("climatology", None, {})
    cover(store, NOW + WEEK, start=NOW)
    again = train_recipes(store, [recipe], settings, Clock.standing_at(NOW + WEEK), QUICK).trained[recipe.id]
    assert again["champion"] == "climatology", "not on the strength of the validation span, while its record is what it is"


def test_a_record_above_the_usual_rate_or_of_others_expires_nobody(home):
    store, _, recipe, models = home
    scored_days(store, recipe, "etas", models["etas"], lambda happened: 0.5 if happened else 0.2)
    scored_days(store, recipe, "pooled", models["pooled"], lambda happened: 0.1 if happened else 0.6)
    assert verify(store, [recipe], Clock.standing_at(NOW)).expired == {} and published(home)[0] == "etas"


def test_what_cannot_be_loaded_is_told_and_only_the_champion_degrades(home):
    _, settings, recipe, models = home
    (settings.models / recipe.id / models["pooled"] / toy_models.FILE).write_text("[1, 1]")
    kind, reason, silent = published(home)
    assert (kind, reason) == ("etas", None) and "numbers.json was changed" in silent["pooled"]
    shutil.rmtree(settings.models / recipe.id / models["etas"])
    kind, reason, silent = published(home, NOW + timedelta(hours=1))
    assert kind == "climatology" and list(silent) == ["pooled"]
    assert reason.startswith("the model could not be loaded (") and reason.endswith("; the usual rate is published instead")


def test_a_changed_recipe_has_no_champion_until_it_is_trained(home):
    store, settings, recipe, models = home
    changed = type(recipe).model_validate(recipe.model_dump() | {"dropout": 0.2})
    kind, reason, _ = published((store, settings, changed, models))
    assert kind == "climatology" and "was fitted for athens" in reason and "train again" in reason
    fresh = train_recipes(store, [changed], settings, Clock.standing_at(NOW), QUICK).trained[recipe.id]
    assert fresh["champion"] == "etas" and published((store, settings, changed, models), NOW + timedelta(hours=1))[0] == "etas"


def test_a_model_that_has_seen_the_day_is_refused(home):
    """A window of 3 days and a target of one: a model with data to 29 December may forecast 3 January, four days later, but not with one
    day more."""
    store, settings, recipe, _ = home
    for moment, last, allowed in ((NOW, date(2023, 12, 29), True), (NOW + timedelta(hours=1), date(2023, 12, 30), False)):
        toy = toy_models.Toy("etas", 0.9, 0.1, last)
        saved = toy_models.save(settings.models, recipe, toy, data_as_of=NOW)
        row = {"model_id": saved.model_id, "recipe_id": recipe.id, "kind": "etas", "recipe_hash": recipe.recipe_hash, "decision": ""}
        row |= {"directory": f"{recipe.id}/{saved.model_id}", "data_as_of": NOW, "created_at": NOW, "details": {}, "code_version": "0"}
        with store.transaction() as connection:
            champions.add_model(connection, row)
            champion.appoint(connection, recipe, champion.Champion("etas", saved.model_id), NOW, "person", "a test", {})
        kind, reason, _ = published(home, moment, DAY)
        assert (kind == "etas") == allowed, reason
    assert "has seen days up to 2023-12-30 and may forecast from 2024-01-04 on, not 2024-01-03" in reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "show", "nobody"], "there is no model 'nobody'; `quakecast models list` names those there are"),
        (["models", "promote", "nobody", "--reason", "why not"], "there is no model 'nobody'"),
        (["models", "promote", "--reason", "why not"], "name either a MODEL_ID, or a --recipe with --previous"),
        (["models", "promote", "x", "--previous", "--recipe", "athens", "--reason", "why not"], "name either"),
        (["models", "promote", "--recipe", "athens", "--reason", "why not"], "name either"),
        (["models", "retire", "--recipe", "athens", "--reason", " "], "--reason has 0 characters"),
        (["models", "retire", "--recipe", "nowhere", "--reason", "why not"], "unknown recipe 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_commands_are_one_line_and_change_nothing(home, run, arguments, said):
    before = dump(home[0])
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and result.stderr.count("\n") == 1 and said in result.stderr
    assert dump(home[0]) == before


def test_what_is_so_already_is_refused(home, run):
    _, _, _, models = home
    assert "is what athens publishes already" in run("models", "promote", models["etas"], "--reason", "why not").stderr
    assert run("models", "retire", "--recipe", "athens", "--reason", "why not").exit_code == 0
    again = run("models", "retire", "--recipe", "athens", "--reason", "why not")
    assert again.exit_code == 2 and "climatology is what athens publishes already" in again.stderr


def test_a_broken_model_cannot_be_promoted(home, run):
    _, settings, recipe, models = home
    (settings.models / recipe.id / models["pooled"] / toy_models.FILE).unlink()
    result = run("models", "promote", models["pooled"], "--reason", "why not")
    assert result.exit_code == 1 and "numbers.json is missing" in result.stderr and result.stderr.count("\n") == 1


def test_show_tells_all_figures(home, run):
    _, _, _, models = home
    text = run("models", "show", models["etas"]).stdout
    assert "published from 2024-01-02 12:00Z, by rule: etas is published: +" in text and "nats per target day over climatology" in text
    document = json.loads(run("models", "show", models["etas"], "--json").stdout, parse_constant=pytest.fail)
    assert document["details"]["evaluation"]["low"] > 1.5 and document["champion"][0]["numbers"]["over"] == "climatology"
    assert document["recipe_changed_since"] is False
    everything = json.loads(run("models", "list", "--history", "--json").stdout)["recipes"][0]
    assert {model["model_id"]: model["champion"] for model in everything["models"]} == {models["etas"]: True, models["pooled"]: False}


def test_a_store_made_before_goes_on(settings, monkeypatch):
    """Schema 3 with a published ConvLSTM of format 1: it opens, the usual rate is published, the network asks to be trained again."""
    every = database.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: [each for each in every if each[0] <= 3])
        store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    path = tiny.write_tiny_recipe(settings.home / "recipes", models='["convlstm"]')
    recipe = load_recipes(path.parent)[tiny.RECIPE_ID]
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO model VALUES "
            "('athens-old', 'athens', 'convlstm', $hash, 'athens/athens-old', $now, true, 'published', '{}', $now, '0')",
            {"hash": recipe.recipe_hash, "now": NOW},
        )
    folder = settings.models / "athens" / "athens-old"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"format": 1, "kind": "convlstm"}))
    store = open_store(settings.database)
    kind, reason, silent = published((store, settings, recipe, {}))
    assert (kind, reason) == ("climatology", None)
    assert silent["convlstm"].endswith("model.json is of format 1, this version reads format 2; train again")
    assert np.isfinite(table(store, "forecast")["probability"]).all()
