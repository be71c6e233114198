"""A backfill killed at any point is resumed by the same command: real processes, killed without a word (SIGKILL)."""

import json
import shutil
import signal
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from forecaster.errors import StoreBusy
from forecaster.pipeline.backfilling.backfill import BackfillOptions, backfill, only_backfill
from forecaster.pipeline.run_context import Job
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import Store, open_store
from tests.support import tiny, toy_models
from tests.support.processes import started
from tests.support.steps import machine
from tests.support.toys import table

pytestmark = pytest.mark.closed_files

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 1, 28, 12, tzinfo=UTC)
OPTIONS = BackfillOptions(date(2023, 12, 1), date(2024, 1, 10), "walk-forward", retrain_every_days=8, max_minutes=5)
RUN = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
import pytest
from forecaster.models import model_files as registry
from forecaster.pipeline.backfilling import backfill as past
from forecaster.store import hindcasts
from tests.integration import test_backfill_killed as here
from tests.support import toy_models

where, home = sys.argv[1], Path(sys.argv[2])
patch = pytest.MonkeyPatch()
toy_models.put_in_place(patch)

def die(name):
    if where == name:
        os.kill(os.getpid(), signal.SIGKILL)

add_fit, add_missing, store_chunks = hindcasts.add_fit, hindcasts.add_missing, past.store_chunks
done = []

def placed_then_fit(*arguments):
    if done:
        die("models in place, nothing stored")
    add_fit(*arguments)
    if done:
        die("fit written, rows not, not committed")

def rows_too(*arguments):
    count = add_missing(*arguments)
    if done:
        die("all written, not committed")
    return count

def stored(*arguments):
    count = store_chunks(*arguments)
    done.append(count)
    die("a block stored")
    return count

patch.setattr(hindcasts, "add_fit", placed_then_fit)
patch.setattr(hindcasts, "add_missing", rows_too)
patch.setattr(past, "store_chunks", stored)

def progress(done, total, text):
    if where == "wait":
        print("running", flush=True)
        sys.stdin.readline()

past.backfill(here.home_job(home), here.OPTIONS, progress)
"""
POINTS = ("models in place, nothing stored", "fit written, rows not, not committed", "all written, not committed", "a block stored")


def home_job(home: Path) -> Job:
    settings = load_settings(home=home)
    recipe = load_recipes(home / "recipes")[tiny.RECIPE_ID]
    return Job(settings, Store(settings.database), [recipe], machine(NOW), "0123456789abcdef")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(an untouched home, what an uninterrupted run makes in a copy of it)."""
    untouched, home = tmp_path_factory.mktemp("untouched"), tmp_path_factory.mktemp("whole") / "home"
    tiny.fill(open_store(load_settings(home=untouched).database), NOW, sign=True)
    tiny.write_tiny_recipe(untouched / "recipes", models='["etas", "pooled"]')
    shutil.copytree(untouched, home)
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        assert backfill(home_job(home), OPTIONS).days == 41
    return untouched, content(home)


def content(home: Path) -> dict[str, str]:
    store = Store(home / "quakecast.duckdb")
    keys = {"forecast": "forecast_id", "walk_forward_fit": ["recipe_id", "first_day"]}
    return {name: table(store, name).drop(columns=["seconds"], errors="ignore").sort_values(key).to_csv() for name, key in keys.items()}


@pytest.mark.parametrize("points", [POINTS[1::2], pytest.param(POINTS, marks=pytest.mark.slow)], ids=len)
def test_killed_at_every_point_of_a_block_one_run_after_the_other_makes_the_same(whole, tmp_path, points):
    """Two or four runs die one after the other, each while its second block is stored or after its first was; one more ends the work."""
    untouched, expected = whole
    home = tmp_path / "home"
    shutil.copytree(untouched, home)
    blocks = []
    for point in points:
        process = started(RUN, point, home)
        _, errors = process.communicate(timeout=6000)
        assert process.returncode == -signal.SIGKILL, errors
        fits, rows = (table(Store(home / "quakecast.duckdb"), name) for name in ("walk_forward_fit", "forecast"))
        blocks.append(len(fits))
        members = {json.loads(details)["members"]["etas"] for details in rows.loc[rows["published"], "details"]}
        assert members == {json.loads(models)["etas"]["model_id"] for models in fits["models"]}, point
    assert blocks == [*range(1, len(points) + 1)], "no run begins anew, and what was not committed is not there"
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        assert backfill(home_job(home), OPTIONS).state == "success"
    assert content(home) == expected


def test_a_second_backfill_hears_of_the_first_and_a_death_frees_the_place(whole, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(whole[0], home)
    process = started(RUN, "wait", home)
    assert process.stdout is not None and process.stdout.readline() == "running\n"
    with pytest.raises(StoreBusy, match=rf"running already, as process {process.pid} on .* since 2024-01-28 12:00:00Z; wait for it to end"):
        backfill(home_job(home), OPTIONS)
    process.kill()
    process.communicate(timeout=600)
    with only_backfill(load_settings(home=home), NOW):
        pass
