"""How much sooner a retraining ends with two Dask workers than with one, as the flow does it, in one run. Nothing fails on a clock."""

import time
from pathlib import Path

import pytest

from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.settings import load_settings
from forecaster.store.database import open_store

RECIPES = ["athens", "tokyo-m45", "anchorage", "istanbul"]
ROUNDS = 2


def test_one_worker_and_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same four regions (ETAS, trees, hybrid), one and two workers in turn; the start of the workers and their imports count."""
    from prefect.testing.utilities import prefect_test_harness

    from flows.retrain import retrain

    monkeypatch.setenv("QUAKECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUAKECAST_TASK_RUNNER", "dask")
    load_snapshot(open_store(load_settings().database))
    walls: dict[int, list[float]] = {1: [], 2: []}
    with prefect_test_harness(server_startup_timeout=180):
        for _ in range(ROUNDS):
            for workers, times in walls.items():
                monkeypatch.setenv("QUAKECAST_WORKERS", str(workers))
                begun = time.perf_counter()
                done = retrain(recipes=RECIPES, force=True)
                times.append(time.perf_counter() - begun)
                assert sorted(done["trained"]) == sorted(RECIPES), done
    one, two = min(walls[1]), min(walls[2])
    print(f"\n{len(RECIPES)} regions: {one:.0f} s with one worker, {two:.0f} s with two: {one / two:.2f} times as fast ({walls})")
