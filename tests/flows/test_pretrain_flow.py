"""The flow `pretrain`: workers train, the flow stores; a kind that fails makes the run partial, and nothing else."""

from datetime import timedelta

import pytest

from flows import pretrain as flow
from flows.support import steps
from forecaster.models.pretrained import newest_before
from forecaster.pipeline.run_context import Job
from tests.support import small_globe as world
from tests.support.steps import machine
from tests.support.toys import table
from tests.support.world_sets import own_periods

pytestmark = pytest.mark.usefixtures("own_periods")
assert own_periods


@pytest.fixture
def job(store, settings, monkeypatch) -> Job:
    opened = Job(settings, store, [], machine(world.NOW), "0123456789abcdef")
    monkeypatch.setenv("QUAKECAST_HOME", str(settings.home))
    monkeypatch.setenv("QUAKECAST_WORKERS", "2")
    monkeypatch.setattr(steps, "open_work", lambda *_: opened)
    monkeypatch.setattr(flow, "known_at", lambda *_: world.globe())
    monkeypatch.setattr(flow.fit_set, "Size", lambda: world.SMALL)
    return opened


def test_what_is_due_is_trained_by_workers_and_a_kind_that_fails_makes_the_run_partial(job, monkeypatch):
    world.install(monkeypatch, {"hybrid": world.TOO_LITTLE})
    done = flow.pretrain()
    assert done["state"] == "partial" and sorted(done["decided"]) == [f"{kind}-{world.UNTIL}" for kind in ("cells", "etas", "pooled")]
    assert len(done["problems"]) == 2 and done["problems"][0] == f"hybrid: {world.TOO_LITTLE}"
    tomorrow = world.NOW.date() + timedelta(days=1)
    assert [newest_before(kind, tomorrow).data_until for kind in ("cells", "etas", "pooled")] == [world.UNTIL] * 3
    assert newest_before("hybrid", tomorrow).folder.name == "hybrid-2014-12-31"
    run = table(job.store, "run").iloc[-1]
    assert (run["kind"], run["state"]) == ("pretrain", "partial")
    trained = world.install(monkeypatch, {})
    again = flow.pretrain()
    assert again["state"] == "success" and ("hybrid", world.UNTIL) in trained, "what failed is tried again"
    assert newest_before("combination", tomorrow).data_until == world.UNTIL
    trained.clear()
    assert flow.pretrain()["decided"] == {} and not trained, "nothing is due any more"
