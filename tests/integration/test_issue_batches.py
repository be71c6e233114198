"""Batches of a day's forecasts: divided, computed from a copy, and refused where the copy or the models are others."""

import shutil
from dataclasses import replace

import pytest

from forecaster.errors import BadInput, CorruptModel
from forecaster.pipeline.daily import predict
from forecaster.pipeline.daily.predict import PredictOptions
from forecaster.pipeline.issuing import issue_batches
from forecaster.pipeline.issuing.issue_batches import batches_of, compute_batch
from forecaster.pipeline.run_context import publish_copy
from forecaster.recipe import Recipe
from forecaster.settings import load_settings
from forecaster.store.sharing.read_only_store import PublishedCopy
from tests.support import past_world
from tests.support.past_world import FIRST, open_home
from tests.support.toys import quake, write

pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return past_world.trained(tmp_path_factory.mktemp("world"))


@pytest.fixture
def asked(world, settings, monkeypatch):
    """(a job of three recipes of two zones, what its day asks for)."""
    shutil.copytree(world[0].home, settings.home)
    others = [{"id": "other", "time_zone": "Asia/Tokyo"}, {"id": "third"}]
    job = open_home(settings, [world[1], *(Recipe.model_validate(world[1].model_dump() | changes) for changes in others)])
    requests = []

    def kept(job, wanted, doubts):
        requests.extend(wanted)
        return predict.compute_here(job, wanted, doubts)

    predict.predict(job, PredictOptions(FIRST), compute=kept)
    monkeypatch.setattr(issue_batches, "MOST_RECIPES", 2)
    return job, requests


def test_batches_hold_each_request_once_those_of_a_zone_together(asked):
    job, requests = asked
    batches = batches_of(job.store, job.settings, requests, predict.Doubts())
    assert [[one.asked.recipe.id for one in batch.requests] for batch in batches] == [["other", "athens"], ["third"]]
    assert [batch.text for batch in batches] == ["other and 1 more recipe", "third"]
    assert {name.split("/")[0] for batch in batches for name in batch.directories} == {"athens"}


def test_the_last_batches_are_small_where_there_are_many(asked, monkeypatch):
    """Two workers: a batch holds a quarter of what is left, 250 recipes at most and 25 at least."""
    job, requests = asked
    monkeypatch.setattr(issue_batches, "MOST_RECIPES", 250)
    settings = job.settings.model_copy(update={"workers": 2})
    batches = batches_of(job.store, settings, requests * 500, predict.Doubts())
    sizes = [len(batch.requests) for batch in batches]
    assert sizes == [250, 250, 250, 187, 140, 105, 79, 59, 45, 33, 25, 25, 25, 25, 2]


def test_a_copy_gives_what_the_store_gives_and_an_old_one_is_refused(asked):
    job, requests = asked
    publish_copy(job)
    copy = PublishedCopy(job.settings.published)
    (batch, _) = batches_of(job.store, job.settings, requests, predict.Doubts())
    assert compute_batch(copy, job.settings, batch) == list(predict.compute_here(job, batch.requests, batch.doubts))
    write(job.store, quake("new", past_world.NOW, 5.0, known=past_world.NOW))
    (newer, _) = batches_of(job.store, job.settings, requests, predict.Doubts())
    with pytest.raises(BadInput, match="has another catalogue than the database; let QUAKECAST_READ_FROM name"):
        compute_batch(copy, job.settings, newer)


def test_a_model_that_only_the_worker_lacks_is_refused(asked, tmp_path):
    """Where the writer lacks it too, the row says so, as without workers."""
    job, requests = asked
    publish_copy(job)
    (batch, _) = batches_of(job.store, job.settings, requests, predict.Doubts())
    bare = load_settings(home=tmp_path / "bare")
    with pytest.raises(CorruptModel, match=r"athens/athens-\w+-20231102-\w+ is not in .*bare.models on this machine; share"):
        compute_batch(PublishedCopy(job.settings.published), bare, batch)
    issues = compute_batch(PublishedCopy(job.settings.published), bare, replace(batch, directories=frozenset()))
    assert [issue.recipe_id for issue in issues] == ["other", "athens"] and issues[1].rows[-1]["model_kind"] == "published"
