"""What a recipe publishes: the combination, what people decide instead, what cannot be loaded, and what older stores hold."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.models import networks
from forecaster.pipeline.issuing import published_rows
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.training.train import TrainOptions
from forecaster.publishing_rule.blend import NO_MEMBER, Blend
from forecaster.recipe import load_recipes
from forecaster.registry.model_kinds import KINDS
from forecaster.settings import load_settings
from forecaster.store import fits, publications
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish
from tests.support import tiny, toy_models
from tests.support.changed_recipes import changed_recipe
from tests.support.old_schemas import old_schema
from tests.support.steps import machine, predict, train_recipes
from tests.support.toys import cover, dump, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = date(2024, 1, 3)
QUICK = TrainOptions(max_minutes=5)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home after training in the world with a sign, which was seen before NOW. Copy it; never write to it."""
    settings = load_settings(home=tmp_path_factory.mktemp("trained"))
    store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    write(store, quake("now", NOW - 2 * HOUR, 5.5, place=tiny.NEXT_CELL))
    path = tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    recipe = load_recipes(path.parent)[tiny.RECIPE_ID]
    result = train_recipes(Store(settings.database), [recipe], settings, Clock.standing_at(NOW), QUICK)
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
        monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW + after))
        settings = home[1]
        environment = {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_RECIPES": str(settings.home / "recipes")}
        return CliRunner().invoke(cli.main, list(arguments), env=environment)

    return invoke


def published(home, moment=NOW, day=None):
    """(the published row with its details parsed, {kind: probability} of the issue, what is said of the silent)."""
    store, settings, recipe, _ = home
    result = predict(store, [recipe], settings, Clock.standing_at(moment), target_day=day)
    rows = table(store, "forecast")
    rows = rows[rows["forecast_id"].isin(result.forecast_ids)]
    (row,) = rows[rows["published"]].to_dict("records")
    said = dict(zip(rows["model_kind"], rows["probability"], strict=True))
    return row | {"details": json.loads(row["details"])}, said, result.silent.get(recipe.id, {})


def test_a_person_pins_one_model(home, run):
    store, _, _, models = home
    done = run("models", "promote", models["pooled"], "--reason", "a test of  the trees", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["how"], told["weights"], told["model_id"]) == ("kind", {"pooled": 1.0}, models["pooled"])
    assert (told["source"], told["reason"]) == ("person", "a test of the trees")
    row, said, _ = published(home)
    assert row["probability"] == pytest.approx(said["pooled"], rel=1e-12) and said["etas"] == 0.98 and not row["degraded"]
    details = {name: row["details"][name] for name in ("how", "weights", "members", "source")}
    assert details == {"how": "kind", "weights": {"pooled": 1.0}, "members": {"pooled": models["pooled"]}, "source": "person"}
    (decision,) = table(store, "publication").to_dict("records")
    assert (decision["number"], decision["how"], decision["kind"], decision["since"]) == (1, "kind", "pooled", NOW)
    listed = run("models", "list").stdout.splitlines()
    assert listed[0] == "athens: pooled 1.00 (person: a test of the trees)"
    own = listed[1 : listed.index("sets of the world:")]
    assert {line.split()[1]: line.split()[0] for line in own} == {models["etas"]: "-", models["pooled"]: "1.00"}


def test_a_pinned_kind_goes_with_its_newest_fit_and_a_pinned_model_stays(home, run):
    store, settings, recipe, models = home
    assert run("models", "promote", "--recipe", "athens", "--kind", "etas", "--reason", "a test").exit_code == 0
    cover(store, NOW + WEEK, start=NOW)
    again = train_recipes(store, [recipe], settings, Clock.standing_at(NOW + WEEK), QUICK).trained[recipe.id]
    newer = again["models"]["etas"]["model_id"]
    assert published(home)[0]["details"]["members"] == {"etas": models["etas"]} and newer != models["etas"]
    assert published(home, NOW + WEEK)[0]["details"]["members"] == {"etas": newer}
    assert run("models", "promote", models["etas"], "--reason", "the new fit jumps", after=WEEK + HOUR).exit_code == 0
    row, said, _ = published(home, NOW + WEEK + HOUR)
    assert row["details"]["members"] == {"etas": models["etas"]} and sorted(said) == sorted(
        ["climatology", "recent_rate", "etas", "pooled", "published"]
    )


def test_the_rate_is_published_until_a_person_goes_back_to_the_combination(home, run):
    store, settings, recipe, _ = home
    done = run("models", "retire", "--recipe", "athens", "--reason", "too sure of itself")
    assert done.stdout == "athens: published from now on: the usual rate\n"
    row, said, _ = published(home)
    assert row["probability"] == pytest.approx(row["reference_probability"], rel=1e-12) and said["etas"] == 0.98
    assert (row["details"]["how"], row["details"]["weights"], row["degraded"]) == ("rate", {}, False)
    cover(store, NOW + WEEK, start=NOW)
    train_recipes(store, [recipe], settings, Clock.standing_at(NOW + WEEK), QUICK)
    assert published(home, NOW + WEEK)[0]["details"]["how"] == "rate", "no fit undoes what a person decided"
    assert run("models", "list", after=WEEK).stdout.splitlines()[0] == "athens: the usual rate alone (person: too sure of itself)"
    back = run("models", "promote", "--recipe", "athens", "--combination", "--reason", "looked into", after=WEEK + HOUR)
    assert back.stdout == "athens: published from now on: the combination of all members\n"
    row, said, _ = published(home, NOW + WEEK + HOUR)
    assert row["details"]["how"] == "combination" and row["probability"] == pytest.approx(said["etas"], rel=1e-9)


def test_going_back_to_what_was_before(home, run):
    _, _, _, models = home
    back = ("models", "promote", "--recipe", "athens", "--previous", "--reason", "as before")
    nothing = run(*back)
    assert nothing.exit_code == 2 and "athens has always published the combination" in nothing.stderr
    assert run("models", "promote", models["pooled"], "--reason", "a test").exit_code == 0
    assert run("models", "retire", "--recipe", "athens", "--reason", "a test", after=HOUR).exit_code == 0
    assert run(*back, after=2 * HOUR).stdout == f"athens: published from now on: {models['pooled']} alone\n"
    assert [published(home, NOW + n * HOUR)[0]["details"]["how"] for n in (0, 1, 2)] == ["kind", "rate", "kind"]


def test_the_first_decision_goes_back_to_the_combination(home, run):
    assert run("models", "retire", "--recipe", "athens", "--reason", "a test").exit_code == 0
    back = run("models", "promote", "--recipe", "athens", "--previous", "--reason", "as before", "--json", after=HOUR)
    assert json.loads(back.stdout)["how"] == "combination"


def test_a_decision_counts_from_its_moment_on(home, run):
    """What had been known before it is published as it was then."""
    _, _, _, models = home
    assert run("models", "promote", models["pooled"], "--reason", "a test", after=HOUR).exit_code == 0
    assert [published(home, NOW + n * HOUR)[0]["details"]["how"] for n in (0, 1)] == ["combination", "kind"]


def test_the_same_issue_again_publishes_what_it_did(home, run):
    """The clock stands still while a person pins another kind: the issue has been made."""
    store, settings, recipe, models = home
    first = predict(store, [recipe], settings, Clock.standing_at(NOW))
    assert run("models", "promote", models["pooled"], "--reason", "why not").exit_code == 0
    again = predict(store, [recipe], settings, Clock.standing_at(NOW))
    rows = table(store, "forecast").set_index("forecast_id")
    (row,) = rows[rows["published"]].to_dict("records")
    assert set(again.forecast_ids) >= set(first.forecast_ids) and json.loads(row["details"])["how"] == "combination"


def test_what_cannot_be_loaded_is_told_and_only_what_counts_degrades(home):
    _, settings, recipe, models = home
    (settings.models / recipe.id / models["pooled"] / toy_models.FILE).write_text("[1, 1]")
    row, said, silent = published(home)
    assert (row["degraded"], row["probability"]) == (False, pytest.approx(0.98)) and "pooled" not in said
    assert list(silent) == ["pooled"] and "numbers.json was changed" in silent["pooled"]
    shutil.rmtree(settings.models / recipe.id / models["etas"])
    row, said, silent = published(home, NOW + HOUR)
    assert row["degraded"] and row["degraded_reason"].startswith("without etas: ") and "\n" not in row["degraded_reason"]
    assert list(silent) == ["pooled"] and row["probability"] == pytest.approx(row["reference_probability"], rel=1e-12)
    assert (row["details"]["how"], row["details"]["weights"], row["details"]["members"]) == ("rate", {}, {})


def test_a_changed_recipe_has_no_fit_until_it_is_trained(home):
    """Fits are of a recipe as it was; what no fit of this one stands behind is not asked."""
    store, settings, recipe, models = home
    changed = changed_recipe(recipe, dropout=0.2)
    row, said, _ = published((store, settings, changed, models))
    assert sorted(said) == ["climatology", "published", "recent_rate"] and row["details"]["how"] == "rate"
    train_recipes(store, [changed], settings, Clock.standing_at(NOW), QUICK)
    assert published((store, settings, changed, models), NOW + HOUR)[0]["details"]["how"] == "combination"


def test_a_pin_of_a_model_of_the_recipe_before_is_flagged(home, run):
    store, settings, recipe, models = home
    assert run("models", "promote", models["etas"], "--reason", "a test").exit_code == 0
    changed = changed_recipe(recipe, dropout=0.2)
    row, _, _ = published((store, settings, changed, models))
    assert row["degraded"] and row["degraded_reason"].startswith("without etas: ") and "was fitted for athens" in row["degraded_reason"]
    fewer = changed_recipe(recipe, models=("pooled",))
    row, _, _ = published((store, settings, fewer, models), NOW + HOUR)
    assert row["degraded_reason"] == f"without etas: {NO_MEMBER}"
    assert row["probability"] == pytest.approx(row["reference_probability"], rel=1e-12)


def test_a_model_that_has_seen_the_day_is_refused(home):
    """A window of 3 days and a target of one: a model with data to 29 December may forecast 3 January, four days later, but not with one
    day more."""
    store, settings, recipe, _ = home
    for moment, last, allowed in ((NOW + HOUR, date(2023, 12, 29), True), (NOW + 2 * HOUR, date(2023, 12, 30), False)):
        toy = toy_models.Toy("etas", 0.9, 0.1, last)
        saved = toy_models.save(settings.models, recipe, toy, data_as_of=moment)
        row = {"model_id": saved.model_id, "recipe_id": recipe.id, "kind": "etas", "recipe_hash": recipe.recipe_hash, "decision": ""}
        row |= {
            "directory": f"{recipe.id}/{saved.model_id}",
            "data_as_of": moment,
            "created_at": moment,
            "details": {},
            "code_version": "0",
        }
        with store.transaction() as connection:
            fits.add_model(connection, row)
        made, said, _ = published(home, moment, DAY)
        assert (said.get("etas") == 0.9, not made["degraded"]) == (allowed, allowed)
    assert "has seen days up to 2023-12-30 and may forecast from 2024-01-04 on, not 2024-01-03" in made["degraded_reason"]


def test_ids_follow_from_members_and_weights(home):
    """The same members with the same weights have the same id, also where others are about; another weight or member has another."""
    _, _, recipe, models = home
    members = [published_member(kind, model_id) for kind, model_id in (*models.items(), ("hybrid", "h1"))]

    def model_id(weights, of=members):
        return published_rows.model_id_of(recipe, of, Blend("combination", weights, "a reason", "a source"))

    first = model_id({"etas": 0.5, "hybrid": 0.25})
    assert first == model_id({"hybrid": 0.25, "etas": 0.5}) == model_id({"etas": 0.5, "hybrid": 0.25}, members[::-1])
    assert first == model_id({"etas": 0.5, "hybrid": 0.25}, [member for member in members if member.kind != "pooled"])
    others = [model_id({"etas": 0.5}), model_id({"etas": 0.5, "hybrid": 0.26}), model_id({"etas": 0.5, "hybrid": 0.25}, members[:2])]
    assert len({first, *others}) == 4 and all(each.startswith("athens-published-") for each in (first, *others))


def published_member(kind, model_id):
    return published_rows.Member(model_id, kind, toy_models.Toy(kind, 0.9, 0.1, date(2023, 1, 1)), date(2023, 1, 5))


def test_learnt_weights_count_from_their_moment_on_the_recipes_own_before_the_worlds(home):
    """Written straight into the store; those on top of other weights of the package play no part."""
    store, _, recipe, _ = home

    def learnt(scope, target_hash, weights, since, *, base="mean", rate_only=False):
        row = {"scope": scope, "target_hash": target_hash, "base": base, "since": since, "weights": weights, "belief": {}}
        with store.transaction() as connection:
            publications.add_weights(connection, row | {"rate_only": rate_only, "reason": "a test", "numbers": {}, "code_version": "0"})

    def blend(moment):
        with store.transaction() as connection:
            found = blend_of(connection, recipe, moment, DAY)
        return found.how, dict(found.weights), found.source

    learnt("world", "", {"etas": 0.7}, NOW + HOUR)
    learnt("world", "", {"etas": 0.9}, NOW + 2 * HOUR, base="combination-2020-01-01")
    learnt("athens", "of another target", {"etas": 0.1}, NOW + 2 * HOUR)
    learnt("athens", recipe.target_hash, {"pooled": 0.4}, NOW + 3 * HOUR)
    learnt("athens", recipe.target_hash, {}, NOW + 4 * HOUR, rate_only=True)
    assert [blend(NOW + n * HOUR) for n in range(5)] == [
        ("combination", {"etas": 0.5, "hybrid": 0.5}, "mean"),
        ("combination", {"etas": 0.7}, "world 1"),
        ("combination", {"etas": 0.7}, "world 1"),
        ("combination", {"pooled": 0.4}, "athens 1"),
        ("rate", {}, "athens 2"),
    ]
    row, said, _ = published(home, NOW + 3 * HOUR, DAY)
    assert row["details"]["source"] == "athens 1" and row["details"]["weights"] == {"pooled": 0.4}
    away = [np.log(p / (1 - p)) for p in (row["probability"], row["reference_probability"], said["pooled"])]
    assert away[0] - away[1] == pytest.approx(0.4 * (away[2] - away[1]), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "show", "nobody"], "there is no model 'nobody'; `quakecast models list` names those there are"),
        (["models", "promote", "nobody", "--reason", "why not"], "there is no model 'nobody'"),
        (["models", "promote", "--reason", "why not"], "name either a MODEL_ID, or a --recipe with one of"),
        (["models", "promote", "x", "--previous", "--recipe", "athens", "--reason", "why not"], "name either"),
        (["models", "promote", "--recipe", "athens", "--reason", "why not"], "name either"),
        (["models", "promote", "--recipe", "athens", "--kind", "etas", "--combination", "--reason", "why not"], "name either"),
        (
            ["models", "promote", "--recipe", "athens", "--kind", "convlstm", "--reason", "why not"],
            "its kinds are: recent_rate, etas, pooled",
        ),
        (["models", "promote", "--recipe", "athens", "--combination", "--reason", "why not"], "athens publishes that already"),
        (["models", "promote", "--recipe", "athens", "--previous", "--reason", "why not"], "nothing to go back to"),
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
    for arguments in (("retire", "--recipe", "athens"), ("promote", models["etas"]), ("promote", "--recipe", "athens", "--kind", "etas")):
        assert run("models", *arguments, "--reason", "why not").exit_code == 0
        again = run("models", *arguments, "--reason", "why not")
        assert again.exit_code == 2 and "athens publishes that already: " in again.stderr


def test_a_broken_model_cannot_be_promoted(home, run):
    _, settings, recipe, models = home
    (settings.models / recipe.id / models["pooled"] / toy_models.FILE).unlink()
    result = run("models", "promote", models["pooled"], "--reason", "why not")
    assert result.exit_code == 1 and "numbers.json is missing" in result.stderr and result.stderr.count("\n") == 1


def test_show_tells_all_figures(home, run):
    _, _, _, models = home
    assert run("models", "promote", models["etas"], "--reason", "a test").exit_code == 0
    text = run("models", "show", models["etas"]).stdout
    assert "pinned from 2024-01-02 12:00Z: a test" in text and "nats per target day over the usual rate" in text
    document = json.loads(run("models", "show", models["etas"], "--json").stdout, parse_constant=pytest.fail)
    assert document["details"]["evaluation"]["low"] > 1.5 and [row["how"] for row in document["decisions"]] == ["kind"]
    assert document["recipe_changed_since"] is False
    everything = json.loads(run("models", "list", "--history", "--json").stdout)["recipes"][0]
    assert {model["model_id"]: model["weight"] for model in everything["models"]} == {models["etas"]: 1.0, models["pooled"]: 0.0}


def test_a_store_made_before_goes_on(settings):
    """Schema 3 with a published ConvLSTM of format 1: it opens, the usual rate is left, the network asks to be trained again."""
    with old_schema(3):
        store = open_store(settings.database)
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
    tiny.fill(store, NOW, sign=True)  # the writer knows the newest schema only
    row, _, silent = published((store, settings, recipe, {}))
    assert row["details"]["how"] == "rate" and not row["degraded"], "without learnt weights the network counts nothing"
    assert silent["convlstm"].endswith("model.json is of format 1, this version reads format 2; train again")
    assert np.isfinite(table(store, "forecast")["probability"]).all()


@pytest.fixture
def without(monkeypatch):
    """Lets this installation lack what a kind needs, and says why."""

    def lack(kind: str) -> str:
        monkeypatch.setattr(networks, "why_none", lambda: "networks need tensorflow; install the extra cpu")
        monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], tensorflow=True))
        return networks.why_none()

    return lack


def test_a_kind_that_this_installation_cannot_run_is_told_once_and_is_no_fault_of_the_run(home, run, without):
    before = published(home)[0]
    reason = without("pooled")
    again = predict(home[0], [home[2]], home[1], Clock.standing_at(NOW + HOUR), reissue=True)
    assert (again.unusable, again.silent, again.degraded) == ({"pooled": reason}, {}, {})
    rows = table(home[0], "forecast")
    rows = rows[rows["forecast_id"].isin(again.forecast_ids)]
    assert sorted(rows["model_kind"]) == ["climatology", "etas", "published", "recent_rate"]
    assert rows.loc[rows["published"], "probability"].tolist() == [before["probability"]], "the others say what they said"
    listed = run("models", "list").stdout
    assert listed.count(reason) == 1 and f"without pooled: {reason}" in listed.splitlines()
    assert "! this installation cannot run models of kind pooled" in listed
    publish(home[0], home[1].published)
    status = run("status").stdout
    assert status.splitlines()[-1] == f"networks   {reason}" and status.startswith("state      ok")


def test_a_kind_that_counts_and_cannot_be_run_is_lacking_of_the_forecast(home, without):
    reason = without("etas")
    row, said, silent = published(home)
    assert row["degraded_reason"] == f"without etas: {reason}" and "etas" not in said and silent == {}


def test_training_fits_the_others_and_tells_once_of_a_kind_that_this_installation_cannot_fit(run, without):
    reason = without("etas")
    told = run("train", "--max-minutes", "1")
    assert told.exit_code == 3 and told.stderr.splitlines()[-1] == f"quakecast: athens: etas: not fitted: {reason}"
    assert told.stderr.count(reason) == 1
    assert told.stdout.startswith("athens: pooled: ")
    assert cli.common.problem_lines({f"r{number}": reason for number in range(8)}) == [f"8 recipes: {reason}"]
