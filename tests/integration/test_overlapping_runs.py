"""Two runs at once, in two real processes: one official issue, one report sent, neither is taken for dead, and one that is killed is."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.clock import Clock
from forecaster.pipeline.run_context import open_job
from forecaster.settings import load_settings
from forecaster.store.sharing import running
from tests.support import tiny
from tests.support.steps import report_data
from tests.support.toys import cover, quake, table, write
from tests.support.webhook_server import SECRET, WebhookServer

pytestmark = pytest.mark.closed_files

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
RECIPES = ("tokyo-m45", "athens")
KINDS = 3  # the usual rate, the recent rate, and the combination that is published


class Runner:
    """A process of `tests.support.one_run`."""

    def __init__(self, settings: dict) -> None:
        command = [sys.executable, "-m", "tests.support.one_run", json.dumps(settings)]
        self.process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def tell(self, now: datetime, wait: str | None = None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"now": now.isoformat(), "wait": wait}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()[-3000:]
        return json.loads(line)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def home(store, settings):
    write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC)), quake("us2", datetime(2023, 6, 1, tzinfo=UTC)))
    for name in RECIPES:
        tiny.write_recipe(settings.home / "recipes", name, models="[]")
    with WebhookServer(SECRET) as hook:
        told = {
            "home": str(settings.home),
            "recipes": str(settings.home / "recipes"),
            "webhook_url": f"http://127.0.0.1:{hook.port}/hook",
            "webhook_secret": SECRET,
            "webhook_allow_private": True,
        }
        yield store, told, hook


@contextmanager
def runners(told: dict, count: int):
    started = [Runner(told) for _ in range(count)]
    try:
        assert [runner.answer() for runner in started] == ["ready"] * count
        yield started
    finally:
        for runner in started:
            runner.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("clocks", [[0, -1], pytest.param([0, 1, 0, -1], marks=pytest.mark.slow)], ids=len)
def test_two_runs_started_together_leave_one_issue_and_send_one_report(home, clocks):
    """Two or four days: on every second of them the two clocks are a second apart, the first or the second ahead."""
    store, told, hook = home
    with runners(told, 2) as pair:
        for day, apart in enumerate(clocks):
            now = NOW + day * DAY
            cover(store, now - timedelta(minutes=1), start=NOW - 1000 * DAY)
            for runner, clock in zip(pair, (now, now + apart * SECOND), strict=True):
                runner.tell(clock)
            first, second = (runner.answer() for runner in pair)
            rows = table(store, "forecast")
            rows = rows[rows["target_start"] > now]
            assert rows["official"].all(), day
            assert len(rows) == KINDS * len(RECIPES) and rows.groupby("recipe_id")["published"].sum().eq(1).all(), day
            assert first["forecast_ids"] == second["forecast_ids"] == sorted(rows["forecast_id"])
            assert first["report_id"] == second["report_id"]
            assert sorted(first["sent"] + second["sent"]) == ["sent"] and len(hook.received) == day + 1
            assert first["abandoned"] == second["abandoned"] == [] == first["alerts"] + second["alerts"]
            data = report_data(
                store, open_job(load_settings(**told), Clock(lambda at=now: at, simulated=False)).recipes, Clock.standing_at(now)
            )
            assert all(recipe.official for recipe in data.recipes)
    runs = table(store, "run")
    assert len(runs) == 2 * len(clocks) and set(runs["state"]) == {"success"}
    assert len({document["report_id"] for document in hook.received}) == len(clocks) and not hook.rejected


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", ["notify", pytest.param("predict", marks=pytest.mark.slow)])
def test_a_living_run_is_left_alone_and_a_killed_one_is_found_and_told_once(home, step):
    store, told, hook = home
    cover(store, NOW - timedelta(minutes=1))
    folder = Path(told["home"])

    def states() -> dict[str, str]:
        return table(store, "run").set_index("run_id")["state"].to_dict()

    with runners(told, 2) as (slow, other):
        slow.tell(NOW, wait=step)
        assert slow.answer() == f"before {step}"
        (living,) = states()
        other.tell(NOW + SECOND)
        beside = other.answer()
        assert beside["abandoned"] == [] == beside["alerts"]
        assert states() == {living: "running", beside["run_id"]: "success"} and running.is_alive(folder, living)
        slow.kill()
        assert not running.is_alive(folder, living) and states()[living] == "running"
        other.tell(NOW + 2 * SECOND)
        after = other.answer()
        assert after["abandoned"] == [living] and len(after["alerts"]) == 1
        assert states()[living] == "failed"
        other.tell(NOW + 3 * SECOND)
        again = other.answer()
        assert again["abandoned"] == [] and states()[living] == "failed"
    rows = table(store, "forecast")
    assert len(rows) == KINDS * len(RECIPES) and rows["official"].all()
    assert sum("report_id" in document for document in hook.received) == 1
    (alert,) = table(store, "alert").to_dict("records")
    assert (alert["rule"], alert["state"]) == ("run_failed:daily", "cleared"), "told once, and that a run has ended well since"
    assert sum("without reporting" in json.dumps(document) for document in hook.received) == 2
    assert list((folder / "running").iterdir()) == []
