"""A region's training in two halves: the fit reads only and may be sent; storing it is done whole, once, and for the recipe it was of."""

import pickle
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.cli.models import _lines
from forecaster.clock import Clock
from forecaster.errors import CorruptModel, NotTrainable, RecipeChanged
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.fit_recipe import TrainOptions, fit_region, store_region
from forecaster.pipeline.training.manage_models import list_models
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store import fits, publications
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.parquet import export_tables
from forecaster.store.sharing.publish import publish
from forecaster.store.sharing.read_only_store import open_source
from tests.support import tiny, toy_models
from tests.support.changed_recipes import changed_recipe
from tests.support.folders import content_of
from tests.support.processes import started
from tests.support.steps import train_recipes
from tests.support.toys import dump, table

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
QUICK = TrainOptions(max_minutes=5)
FIT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from forecaster.pipeline.training.fit_recipe import TrainOptions, fit_region
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.sharing.read_only_store import open_source
settings = load_settings(home=Path(sys.argv[1]))
recipe = load_recipes(settings.home / "recipes")["athens"]
source = open_source(settings)
fit_region(source, recipe, datetime(2024, 1, 2, 12, tzinfo=UTC), TrainOptions(), 5.0, lambda what: print(what, flush=True))
print("done", flush=True)
"""


pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home whose catalogue has a sign before each target, published. Copy it; never write to it."""
    settings = load_settings(home=tmp_path_factory.mktemp("world"))
    store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    publish(store, settings.published)
    tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    return settings.home


@pytest.fixture
def home(world, settings):
    """A copy of that home: (store, settings, recipe)."""
    shutil.copytree(world, settings.home)
    return Store(settings.database), settings, load_recipes(settings.home / "recipes")[tiny.RECIPE_ID]


def fitted(home, as_of=NOW, **more):
    _, settings, recipe = home
    return fit_region(open_source(settings), recipe, as_of, QUICK, 5.0, **more)


def test_a_fit_writes_nothing_and_can_be_sent(home, tmp_path, monkeypatch):
    store, settings, recipe = home
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before, files = dump(store), content_of(settings.home)
    fit = fitted(home)
    assert dump(store) == before and content_of(settings.home) == files and not list((tmp_path / "temporary").iterdir())
    assert (fit.recipe_id, fit.recipe_hash, fit.as_of) == (recipe.id, recipe.recipe_hash, NOW)
    assert sorted(fit.models) == sorted(fit.evaluated) == ["etas", "pooled"] and not fit.failed
    sent = pickle.loads(pickle.dumps(fit))
    assert sent == fit


def test_an_untrained_network_is_neither_judged_nor_stored_and_the_fit_before_it_goes_on(home, monkeypatch):
    store, settings, recipe = home
    before = store_region(store, settings, recipe, fitted(home))["models"]["pooled"]
    start = toy_models.Toy("pooled", 0.2, 0.2, date(2023, 1, 1), {"best_epoch": 0, "epochs": 2})
    monkeypatch.setattr(toy_models, "fit_rate", lambda history, **_: start)
    fit = fitted(home, NOW + timedelta(days=7))
    assert fit.failed["pooled"].startswith("not fitted: untrained: its best state is its start, after 2 epochs; allow more time")
    assert list(fit.models) == list(fit.evaluated) == ["etas"]
    store_region(store, settings, recipe, fit)
    with store.transaction() as connection:
        newest = fits.newest_models(connection, recipe.id, recipe.recipe_hash, NOW + timedelta(days=8))
    assert newest["pooled"]["model_id"] == before["model_id"] and newest["etas"]["model_id"] == fit.models["etas"].row["model_id"]


def test_what_became_of_a_training_is_told_in_the_list_of_models(home, monkeypatch):
    store, settings, recipe = home
    monkeypatch.setattr(toy_models.Toy, "told", property(lambda toy: f"{toy.kind} moved by 2 epochs"), raising=False)
    store_region(store, settings, recipe, fitted(home))
    job = Job(settings, store, [recipe], Clock.standing_at(NOW), "0" * 16)
    (row,) = list_models(job)
    assert [model["told"] for model in row["models"]] == [f"{model['kind']} moved by 2 epochs" for model in row["models"]]
    assert [line.strip() for line in _lines(row)].count("etas moved by 2 epochs") == 1


def test_a_fit_that_was_sent_and_stored_is_what_training_at_once_gives(home, world, tmp_path):
    store, settings, recipe = home
    made = store_region(store, settings, recipe, pickle.loads(pickle.dumps(fitted(home))))
    other = load_settings(home=tmp_path / "other")
    shutil.copytree(world, other.home)
    at_once = train_recipes(Store(other.database), [recipe], other, Clock.standing_at(NOW), QUICK).trained[recipe.id]
    assert made == at_once and made["judged"].startswith("etas: +")
    assert dump(store) == dump(Store(other.database)) and content_of(settings.models) == content_of(other.models)


def test_the_same_fit_stored_again_changes_nothing(home):
    store, settings, recipe = home
    fit = fitted(home)
    first = store_region(store, settings, recipe, fit)
    rows, files = dump(store), content_of(settings.models)
    assert store_region(store, settings, recipe, fit) == first
    assert dump(store) == rows and content_of(settings.models) == files


def test_storing_that_is_cut_off_leaves_at_most_directories_and_is_mended_by_the_next(home, monkeypatch):
    """Cut between the first row and the second: neither is there."""
    store, settings, recipe = home
    fit, before, add = fitted(home), dump(store), fits.add_model
    with monkeypatch.context() as patch:
        calls = []

        def cut(connection, row):
            if calls:
                raise KeyboardInterrupt
            calls.append(row)
            add(connection, row)

        patch.setattr(fits, "add_model", cut)
        with pytest.raises(KeyboardInterrupt):
            store_region(store, settings, recipe, fit)
    assert dump(store) == before and len(list((settings.models / recipe.id).iterdir())) == 2
    assert sorted(store_region(store, settings, recipe, fit)["models"]) == ["etas", "pooled"] and len(table(store, "model")) == 2


def test_a_killed_fit_leaves_nothing(home):
    """A process of its own with the real kinds, killed without warning as the second fit begins."""
    store, settings, _ = home
    before, files = dump(store), content_of(settings.home)
    worker = started(FIT, settings.home)
    assert worker.stdout is not None
    told = [worker.stdout.readline().strip() for _ in range(2)]
    worker.send_signal(signal.SIGKILL)
    rest, _ = worker.communicate(timeout=600)
    assert told == ["etas, evaluation fit", "etas, served fit"] and "done" not in rest and worker.returncode == -signal.SIGKILL
    assert dump(store) == before and content_of(settings.home) == files


def test_a_recipe_that_has_changed_meanwhile_is_not_given_the_old_fit(home):
    store, settings, recipe = home
    fit, before = fitted(home), dump(store)
    changed = changed_recipe(recipe, dropout=0.2)
    with pytest.raises(RecipeChanged, match=r"athens: the recipe changed while it was trained .*it will be trained again"):
        store_region(store, settings, changed, fit)
    with pytest.raises(RecipeChanged):
        store_region(store, settings, recipe.model_copy(update={"id": "athens-again"}), fit)
    assert dump(store) == before and not settings.models.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda files: files | {toy_models.FILE: b"[1, 0]"},
        lambda files: files | {"../escaped": b""},
        lambda files: {name: text for name, text in files.items() if name != toy_models.FILE},
        lambda files: {name: text for name, text in files.items() if name != "model.json"},
        lambda files: files | {"model.json": files["model.json"].replace(b'"athens-etas', b'"../athens-etas')},
    ],
)
def test_a_model_that_did_not_arrive_as_it_was_sent_is_not_stored(home, spoil):
    store, settings, recipe = home
    fit, before = fitted(home), dump(store)
    spoilt = replace(fit.models["etas"], files=spoil(fit.models["etas"].files))
    with pytest.raises(CorruptModel, match="arrive") as caught:
        store_region(store, settings, recipe, replace(fit, models={"etas": spoilt}))
    assert "\n" not in str(caught.value) and dump(store) == before and not content_of(settings.home.parent).get("escaped")
    assert not [path for path in content_of(settings.home) if "athens-etas" in path]


def test_a_fit_changes_nothing_of_what_a_person_decided(home):
    """Pinned while the fit ran: the pin stands, and so do the weights that were learnt."""
    store, settings, recipe = home
    fit = fitted(home)
    with store.transaction() as connection:
        row = {"recipe_id": recipe.id, "target_hash": recipe.target_hash, "how": "kind", "kind": "pooled", "model_id": None}
        publications.add_decision(connection, row | {"since": NOW, "reason": "looked into", "code_version": "0"})
    before = dump(store, "model")
    store_region(store, settings, recipe, fit)
    assert dump(store, "model") == before
    with store.transaction() as connection:
        blend = blend_of(connection, recipe, NOW, date(2024, 1, 3))
    assert (blend.how, blend.weights, blend.reason) == ("kind", {"pooled": 1.0}, "looked into")


def test_fits_in_threads_are_those_of_one_after_the_other(home):
    _, settings, recipe = home
    moments = [NOW - timedelta(days=days) for days in (0, 1, 2, 3)]
    source = open_source(settings)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda moment: fit_region(source, recipe, moment, QUICK, 5.0), moments))
    assert together == [fitted(home, moment) for moment in moments]


def test_a_fit_is_of_what_was_known_at_its_moment_wherever_it_is_read(home, tmp_path):
    """From the published copy, from Parquet files, and from the store itself the same fit comes out; too little to fit on says so."""
    store, settings, recipe = home
    export_tables(store, tmp_path / "parquet")
    exported = open_source(load_settings(home=tmp_path / "elsewhere", read_from=str(tmp_path / "parquet")))
    fits = [fit_region(source, recipe, NOW, QUICK, 5.0) for source in (store, open_source(settings), exported)]
    assert fits[0] == fits[1] == fits[2]
    with pytest.raises(NotTrainable, match="came on none of the"):
        fit_region(exported, changed_recipe(recipe, threshold_mag=9.0), NOW, QUICK, 5.0)
