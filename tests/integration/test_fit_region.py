"""A region's training in two halves: the fit reads only and may be sent; storing it is done whole, once, and for the recipe it was of."""

import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.clock import Clock
from forecaster.errors import CorruptModel, NotTrainable, RecipeChanged
from forecaster.pipeline import champion
from forecaster.pipeline.champion import Champion
from forecaster.pipeline.fit_region import TrainOptions, fit_region, store_region
from forecaster.pipeline.train import train_recipes
from forecaster.recipe import Recipe, load_recipes
from forecaster.settings import load_settings
from forecaster.store import champions
from forecaster.store.database import Store, open_store
from forecaster.store.parquet import export_tables
from forecaster.store.publish import publish
from forecaster.store.source import open_source
from tests.support import tiny, toy_models
from tests.support.toys import cover, dump, table

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
QUICK = TrainOptions(max_minutes=5)
FIT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from forecaster.pipeline.fit_region import TrainOptions, fit_region
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.source import open_source
settings = load_settings(home=Path(sys.argv[1]))
recipe = load_recipes(settings.home / "recipes")["athens"]
source = open_source(settings)
fit_region(source, recipe, datetime(2024, 1, 2, 12, tzinfo=UTC), TrainOptions(), 5.0, lambda what: print(what, flush=True))
print("done", flush=True)
"""


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    toy_models.put_in_place(monkeypatch)


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


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_fit_writes_nothing_and_can_be_sent(home, tmp_path, monkeypatch):
    store, settings, recipe = home
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before, files = dump(store), content(settings.home)
    fit = fitted(home)
    assert dump(store) == before and content(settings.home) == files and not list((tmp_path / "temporary").iterdir())
    assert (fit.recipe_id, fit.recipe_hash, fit.incumbent) == (recipe.id, recipe.recipe_hash, Champion("climatology", None))
    assert fit.decision.kind == "etas" and sorted(fit.models) == ["etas", "pooled"] and not fit.failed
    sent = pickle.loads(pickle.dumps(fit))
    assert sent == fit


def test_a_fit_that_was_sent_and_stored_is_what_training_at_once_gives(home, world, tmp_path):
    store, settings, recipe = home
    made = store_region(store, settings, recipe, pickle.loads(pickle.dumps(fitted(home))))
    other = load_settings(home=tmp_path / "other")
    shutil.copytree(world, other.home)
    at_once = train_recipes(Store(other.database), [recipe], other, Clock.standing_at(NOW), QUICK).trained[recipe.id]
    assert made == at_once and made["champion"] == "etas"
    assert dump(store) == dump(Store(other.database)) and content(settings.models) == content(other.models)


def test_the_same_fit_stored_again_changes_nothing(home):
    store, settings, recipe = home
    fit = fitted(home)
    first = store_region(store, settings, recipe, fit)
    rows, files = dump(store), content(settings.models)
    assert store_region(store, settings, recipe, fit) == first
    assert dump(store) == rows and content(settings.models) == files


def test_storing_that_is_cut_off_leaves_at_most_directories_and_is_mended_by_the_next(home, monkeypatch):
    """Cut between the first row and the second: neither is there."""
    store, settings, recipe = home
    fit, before, add = fitted(home), dump(store), champions.add_model
    with monkeypatch.context() as patch:
        calls = []

        def cut(connection, row):
            if calls:
                raise KeyboardInterrupt
            calls.append(row)
            add(connection, row)

        patch.setattr(champions, "add_model", cut)
        with pytest.raises(KeyboardInterrupt):
            store_region(store, settings, recipe, fit)
    assert dump(store) == before and len(list((settings.models / recipe.id).iterdir())) == 2
    assert store_region(store, settings, recipe, fit)["champion"] == "etas" and len(table(store, "model")) == 2


def test_a_killed_fit_leaves_nothing(home):
    """A process of its own with the real kinds, killed without warning as the second fit begins."""
    store, settings, _ = home
    before, files = dump(store), content(settings.home)
    worker = subprocess.Popen([sys.executable, "-c", FIT, str(settings.home)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    told = [worker.stdout.readline().strip() for _ in range(2)]
    worker.send_signal(signal.SIGKILL)
    rest, _ = worker.communicate(timeout=60)
    assert told == ["etas, evaluation fit", "etas, served fit"] and "done" not in rest and worker.returncode == -signal.SIGKILL
    assert dump(store) == before and content(settings.home) == files


def test_a_recipe_that_has_changed_meanwhile_is_not_given_the_old_fit(home):
    store, settings, recipe = home
    fit, before = fitted(home), dump(store)
    changed = Recipe.model_validate(recipe.model_dump() | {"dropout": 0.2})
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
    assert "\n" not in str(caught.value) and dump(store) == before and not content(settings.home.parent).get("escaped")
    assert not [path for path in content(settings.home) if "athens-etas" in path]


def test_what_a_person_decided_while_a_fit_ran_stands(home):
    """Promoted meanwhile: that kind stays, with its fresh fit. Retired meanwhile: it is not put back."""
    store, settings, recipe = home
    fit = fitted(home)
    assert fit.decision.kind == "etas"
    with store.transaction() as connection:
        champion.appoint(connection, recipe, Champion("pooled", None), NOW, "person", "looked into", {})
    made = store_region(store, settings, recipe, fit)
    assert made["champion"] == "pooled" and made["decision"].startswith("pooled stays published: the others were compared with climatology")
    assert table(store, "champion").sort_values("number")["model_id"].iloc[-1] == fit.models["pooled"].row["model_id"]
    later = NOW + timedelta(hours=1)
    with store.transaction() as connection:
        champion.appoint(connection, recipe, Champion("etas", None), later, "person", "why not", {})
        champion.appoint(connection, recipe, Champion("climatology", None), later, "person", "no", {})
    week = NOW + timedelta(days=7)
    cover(store, week, start=NOW)
    again = replace(fit, as_of=week, incumbent=Champion("climatology", None))
    assert store_region(store, settings, recipe, again)["champion"] == "climatology"


def test_a_given_incumbent_takes_the_place_of_all_that_the_store_holds_of_champions(home):
    """A chain of its own (walk-forward) is not told what people or records decided."""
    store, settings, recipe = home
    store_region(store, settings, recipe, fitted(home))
    with store.transaction() as connection:
        champion.appoint(connection, recipe, Champion("climatology", None), NOW, "person", "no", {})
    publish(store, settings.published)
    free = fitted(home, incumbent=Champion("climatology", None))
    assert free.decision.kind == "etas" and free.decision.numbers["over"] == "climatology"
    assert fitted(home).decision.kind == "climatology", "a person has retired etas"
    held = fitted(home, incumbent=Champion("etas", "of the chain"))
    assert held.incumbent == Champion("etas", "of the chain") and held.decision.numbers["over"] == "etas"


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
        fit_region(exported, Recipe.model_validate(recipe.model_dump() | {"threshold_mag": 9.0}), NOW, QUICK, 5.0)
