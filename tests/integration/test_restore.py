"""deployments/backup.sh: what is saved while quakecast works is restored row for row and file for file, and the next day goes on."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.pipeline.daily import predict, publish_report, verify
from forecaster.pipeline.daily.pull import pull_catalog
from forecaster.pipeline.run_context import Job, publish_copy
from forecaster.pipeline.training.train import TrainOptions
from forecaster.recipe import load_recipes
from forecaster.reports.web.index import HEADS_FILE
from forecaster.settings import Settings
from forecaster.store.database import open_store, query
from tests.support import tiny, toy_models
from tests.support.steps import machine, train_recipes
from tests.support.toys import READ_FROM, dump
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve

pytestmark = pytest.mark.closed_files

SCRIPT = Path(__file__).resolve().parents[2] / "deployments" / "backup.sh"
FIRST_EVENING = READ_FROM + timedelta(days=500, hours=14)


def backup(settings: Settings, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "QUAKECAST_HOME": str(settings.home), **environment}
    return subprocess.run([str(SCRIPT), *map(str, arguments)], env=env, text=True, capture_output=True, timeout=600)


def the_day(settings: Settings, now: datetime) -> Job:
    """The steps of the daily job at `now`, against a service that has nothing new."""
    recipes = list(load_recipes(settings.recipe_folder).values())
    clock = machine(now)
    job = Job(settings, open_store(settings.database), recipes, clock, f"{now:%Y%m%d}")
    with serve(history_of([]), clock=now) as usgs:
        client = UsgsClient(usgs.url, "", clock=clock.now, rng=np.random.default_rng(1))
        pull_catalog(replace(job, settings=settings.model_copy(update={"recipe_streams": False})), client)
    predict.predict(job)
    verify.verify(job)
    publish_report.write_report(job, ["en"])
    publish_copy(job)
    return job


def files(home: Path) -> dict[str, str]:
    """Every file of a data folder by its sum; the databases are compared row by row, and what is only remembered is left out."""
    apart = ("quakecast.duckdb", HEADS_FILE)
    found = [path for path in home.rglob("*") if path.is_file() and not path.name.startswith(apart)]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture
def lived(store, settings, monkeypatch) -> Settings:
    """An installation with own recipes, models and two days behind it."""
    toy_models.put_in_place(monkeypatch)
    tiny.write_tiny_recipe(settings.home / "recipes", models='["etas", "pooled"]')
    with_recipes = settings.model_copy(update={"recipes": settings.home / "recipes"})
    tiny.fill(store, FIRST_EVENING - timedelta(hours=14), sign=True)
    recipes = list(load_recipes(with_recipes.recipe_folder).values())
    clock = machine(FIRST_EVENING)
    train_recipes(store, recipes, with_recipes, clock, TrainOptions(max_minutes=1))
    the_day(with_recipes, FIRST_EVENING)
    the_day(with_recipes, FIRST_EVENING + timedelta(days=1))
    return with_recipes


def test_saved_destroyed_restored_and_the_next_day_goes_on(lived, tmp_path):
    kept = tmp_path / "kept" / "monday.tar.gz"
    half_written = lived.models / "athens" / ".new-abc"
    half_written.mkdir(parents=True)
    (half_written / "model.json").write_text("{")
    tiny.write_recipe(lived.recipes / "first_system", "tokyo")
    done = backup(lived, "save", kept, QUAKECAST_RECIPES=str(lived.recipes))
    assert done.returncode == 0 and f"as {kept}" in done.stderr, done.stderr
    assert sorted(path.name for path in kept.parent.iterdir()) == ["monday.tar.gz", "monday.tar.gz.sha256"]
    assert kept.stat().st_mode & 0o137 == 0, "it holds the database, and is as private"
    shutil.rmtree(half_written)
    rows, before = dump(open_store(lived.database)), files(lived.home)
    assert any(name.startswith("models/") for name in before) and any(name.endswith(".html") for name in before)

    shutil.rmtree(lived.home)
    lived.output.mkdir(parents=True)  # as a fresh container has it
    done = backup(lived, "restore", kept)
    assert done.returncode == 0 and "set QUAKECAST_RECIPES" in done.stderr, done.stderr
    assert dump(open_store(lived.database)) == rows
    assert files(lived.home) == before and "recipes/first_system/tokyo.toml" in before
    shutil.rmtree(lived.recipes / "first_system")
    assert [path.stat().st_mode & 0o777 for path in (lived.database, lived.published)] == [0o640] * 2
    said = "SELECT count(*) AS n FROM forecast WHERE official AND published"
    assert query(lived.published, said)["n"].item() == 2

    the_day(lived, FIRST_EVENING + timedelta(days=1))
    assert query(lived.published, said)["n"].item() == 2, "an official forecast stands"
    the_day(lived, FIRST_EVENING + timedelta(days=2))
    assert query(lived.published, said)["n"].item() == 3
    kinds = query(lived.published, "SELECT DISTINCT model_kind FROM forecast WHERE run_id = (SELECT max(run_id) FROM forecast)")
    assert set(kinds["model_kind"]) == {"climatology", "recent_rate", "etas", "pooled", "published"}, "the restored models forecast"


@pytest.mark.slow
def test_nothing_is_overwritten_and_a_damaged_backup_is_refused(lived, tmp_path):
    kept = tmp_path / "monday.tar.gz"
    assert backup(lived, "save", kept).returncode == 0
    rows = dump(open_store(lived.database))
    again = backup(lived, "restore", kept)
    assert again.returncode == 1 and "has a database already" in again.stderr and again.stderr.count("\n") == 1
    assert dump(open_store(lived.database)) == rows

    elsewhere = lived.model_copy(update={"home": tmp_path / "other"})
    (elsewhere.models / "mine").mkdir(parents=True)
    other = backup(elsewhere, "restore", kept)
    assert other.returncode == 1 and f"{elsewhere.models} is there already" in other.stderr and not elsewhere.database.exists()
    shutil.rmtree(elsewhere.models)

    kept.write_bytes(kept.read_bytes()[:-100])
    damaged = backup(elsewhere, "restore", kept)
    assert damaged.returncode == 1 and "is not what was saved" in damaged.stderr
    Path(f"{kept}.sha256").unlink()
    damaged = backup(elsewhere, "restore", kept)
    assert damaged.returncode == 1 and "cannot be unpacked; nothing was restored" in damaged.stderr
    assert not elsewhere.database.exists() and files(elsewhere.home) == {}


def test_a_backup_before_the_first_run_and_a_wrong_word_are_one_line_each(settings, tmp_path):
    for arguments, told in ((("save", tmp_path / "a.tar.gz"), "there is no published database"), (("safe",), "usage: ")):
        done = backup(settings, *arguments)
        assert done.returncode == 1 and told in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.glob("a*")) == []
