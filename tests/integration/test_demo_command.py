"""`quakecast demo`: the days around the Noto earthquake from the bundled catalogue alone."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.catalog import snapshot
from forecaster.clock import Clock
from forecaster.pipeline import demo
from forecaster.pipeline.as_of import bundled_catalogue
from forecaster.reports.texts import languages
from forecaster.store.engine.parquet_files import read_parquet, write_parquet
from tests.support.toys import table

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def noto_file(tmp_path_factory) -> Path:
    """One in 500 of the snapshot's earthquakes, and all of the demo's days around Noto."""
    rows = read_parquet(snapshot.snapshot_path())
    days = (rows["origin_time_ms"] >= 1_703_980_800_000) & (rows["origin_time_ms"] < 1_704_326_400_000)  # 2023-12-31 to 2024-01-04
    near = rows["latitude_deg"].between(36, 39) & rows["longitude_deg"].between(136, 140)
    path = tmp_path_factory.mktemp("noto") / "snapshot.parquet"
    write_parquet(path, rows[(days & near) | (rows.index % 500 == 0)])
    return path


@pytest.fixture
def noto(noto_file, tmp_path, monkeypatch) -> Path:
    """A world with two recipes, one of them for comparison; the folder that the demo may use."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for file in ("niigata-m45.toml", "first_system/nagoya.toml"):
        shutil.copy(ROOT / "recipes" / file, recipes)
    monkeypatch.setattr(snapshot, "snapshot_path", lambda: noto_file)
    monkeypatch.setattr("forecaster.settings.bundled_folder", lambda name: recipes if name == "recipes" else ROOT / name)
    return tmp_path / "demo"


def run(folder: Path, *options: str):
    environment = {"QUAKECAST_HOME": str(folder.parent / "untouched"), "QUAKECAST_RECIPES": str(folder.parent / "none")}
    return CliRunner().invoke(cli.main, ["demo", "--quick", "--folder", str(folder), *options], env=environment)


@pytest.mark.slow
def test_it_replays_four_days_and_says_how_to_look_at_them(noto, settings):
    told = run(noto)
    assert told.exit_code == 0, told.output
    home = settings.model_copy(update={"home": noto})
    runs = table(demo.open_job(home, Clock.standing_at(demo.LAST_ISSUE + timedelta(days=1))).store, "run")
    assert len(runs) == 4 and set(runs["state"]) == {"success"} and runs["replay"].all()
    pages = [Path(line.split(": ", 1)[1]) for line in told.stdout.splitlines() if line.startswith("report: ")]
    assert [page.name for page in pages] == [f"2024-01-03T1200Z-replay.{language}.html" for language in languages()]
    assert "niigata-m45" in told.stdout and "nagoya " not in told.stdout and "yes, M" in told.stdout
    assert not (noto.parent / "untouched").exists()
    shown = CliRunner().invoke(cli.main, ["notify", "--preview", "--channel", "slack"], env={"QUAKECAST_HOME": str(noto)})
    assert shown.exit_code == 0 and "--- report by slack, not configured" in shown.stdout


def test_a_folder_with_anything_else_is_left_alone(noto):
    noto.mkdir()
    (noto / "thesis.txt").write_text("years of work")
    told = run(noto)
    assert told.exit_code == 2 and "holds files that are no demo's" in told.stderr and told.stderr.count("\n") == 1
    assert (noto / "thesis.txt").read_text() == "years of work"


def test_the_folder_of_an_earlier_demo_is_emptied(noto):
    demo.prepare(noto)
    (noto / "quakecast.duckdb").write_text("of the demo before")
    demo.prepare(noto)
    assert [path.name for path in noto.iterdir()] == [demo.MARK]


def test_the_snapshot_grows_with_the_clock_and_never_ahead_of_it(noto, store):
    first, second = demo.LAST_ISSUE - timedelta(days=3), demo.LAST_ISSUE
    bundled_catalogue.load_snapshot(store, first)
    before = table(store, "event_revision")
    assert bundled_catalogue.replay_snapshot(store, Clock.standing_at(second)) > 10
    after = table(store, "event_revision")
    assert len(after) > len(before) and after["known_at"].max() <= second
    assert bundled_catalogue.replay_snapshot(store, Clock.standing_at(second)) == 0
    assert table(store, "coverage")["span_end"].max() == second
