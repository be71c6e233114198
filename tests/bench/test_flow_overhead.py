"""What Prefect adds to a day: the daily flow against the same steps called one after the other, in one run. Nothing fails on a clock."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.clock import Clock
from forecaster.pipeline import run_context
from forecaster.pipeline.alerting import raise_alerts
from forecaster.pipeline.daily import export_map_files, predict, publish_report, pull, verify
from forecaster.pipeline.daily.issue_schedule import missing_issues
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from tests.bench import page
from tests.bench.figures import Amount, Figure
from tests.support import tiny
from tests.support.usgs_history import history_of
from tests.support.usgs_server import serve

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
RUNS = 5


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recipes of a toy catalogue; the settings name it."""
    folder = tmp_path / "home"
    tiny.fill(open_store(folder / "quakecast.duckdb"), NOW - timedelta(hours=1), sign=True)
    for recipe_id in ("athens", "istanbul", "tokyo-m45"):
        tiny.write_recipe(folder / "recipes", recipe_id, models='["best_rate"]')
    monkeypatch.setenv("QUAKECAST_HOME", str(folder))
    monkeypatch.setenv("QUAKECAST_RECIPES", str(folder / "recipes"))
    return folder


def median_seconds(action: Callable[[datetime], object], start: datetime) -> float:
    """Of RUNS runs, each an hour of the simulated clock after the one before."""
    times = []
    for number in range(RUNS):
        begun = time.perf_counter()
        action(start + timedelta(hours=number))
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def test_a_day_with_prefect_and_without(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.testing.utilities import prefect_test_harness

    from flows.daily import daily
    from flows.support.own_prefect import no_heartbeats

    def steps(now: datetime) -> None:
        work = run_context.open_job(load_settings(), Clock.standing_at(now))
        run_context.start_run(work, "daily")
        pull.pull_catalog(work, run_context.catalogue_source(work))
        predict.predict(work)
        verify.verify(work)
        raise_alerts.raise_alerts(work)
        publish_report.write_report(work, ("en",))
        export_map_files.export(work, work.settings.output)
        run_context.note_end(work, "success", {})
        run_context.publish_copy(work)

    def nothing_due(now: datetime) -> None:
        work = run_context.open_job(load_settings(), Clock.standing_at(now))
        assert missing_issues(work.store, work.recipes, now, replay=True) == []

    options = {"train_mode": "never", "languages": ("en",), "send": "nothing"}
    with serve(history_of([]), clock=NOW + timedelta(days=9)) as usgs, prefect_test_harness(server_startup_timeout=180), no_heartbeats():
        monkeypatch.setenv("QUAKECAST_USGS_URL", usgs.url)
        daily(issue="due", simulated_now=NOW, **options)  # imports, the server, the first pages
        plain = median_seconds(steps, NOW + timedelta(days=1))
        flow = median_seconds(lambda now: daily(simulated_now=now, **options), NOW + timedelta(days=2))
        daily(issue="due", simulated_now=NOW + timedelta(days=3), **options)
        bare = median_seconds(nothing_due, NOW + timedelta(days=3))
        idle = median_seconds(lambda now: daily(issue="due", simulated_now=now, **options), NOW + timedelta(days=3))
    page.keep(
        Figure("flow", "a day of three recipes as a flow", "its steps called one after the other", flow, plain, unit="wall s"),
        Amount("flow day", "what Prefect adds to a day of three recipes", flow - plain, "wall s", 1),
        Amount("flow idle", "what Prefect adds to a run that finds nothing due", idle - bare, "wall s", 1),
    )
