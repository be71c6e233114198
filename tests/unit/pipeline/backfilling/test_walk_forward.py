"""The weights of a walk-forward block: the package's, moved by nothing but days of the blocks before that were settled by then."""

import json
from dataclasses import replace
from datetime import date

import pytest

from forecaster.pipeline.as_of.as_known_by_day import known_at
from forecaster.pipeline.backfilling.backfill import backfill
from forecaster.pipeline.backfilling.walk_forward import _block, _block_weights
from forecaster.settings import load_settings
from forecaster.timewindow import issue_time
from tests.support import past_world
from tests.support.past_world import WALK
from tests.support.toys import table

pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture(scope="module")
def job(past_home, tmp_path_factory):
    """A home with walk-forward forecasts of 2023-10-01 to 2023-10-20, in which etas is always right."""
    made = past_world.copied(past_home, load_settings(home=tmp_path_factory.mktemp("walked") / "home"))
    backfill(made, replace(WALK, first_day=date(2023, 10, 1), last_day=date(2023, 10, 20)))
    return made


def weights_of(job, first):
    recipe = job.recipes[0]
    as_of = issue_time(first, recipe.zone, recipe.issue_local_time)
    return _block_weights(job.store, recipe, first, known_at(job.store, as_of), as_of)


@pytest.mark.parametrize(
    ("first", "days"),
    [
        (date(2023, 11, 15), 0),
        (date(2023, 11, 16), 1),
        (date(2023, 11, 25), 10),
        (date(2024, 1, 4), 20),
    ],
)
def test_only_settled_days_count(job, first, days):
    """2023-10-01 in Athens ends at 21:00 UTC (summer time) and is final 45 days later, 2023-11-15 21:00, half an hour before the issue
    for the 16th; each day after it a day later."""
    blend, numbers = weights_of(job, first)
    if not days:
        assert blend.source == "mean" and blend.weights == {"etas": 0.5, "hybrid": 0.5}
        return
    assert numbers["days"] == days and blend.reason == f"learnt from {days} walk-forward days of its own, on top of mean"
    assert blend.how == "combination" and blend.weights["etas"] > 0.5


def test_weights_of_a_block_are_stored_and_read_back(job):
    (fit, *_) = table(job.store, "walk_forward_fit").sort_values("first_day").to_dict("records")
    parsed = {name: json.loads(fit[name]) for name in ("numbers", "models", "failed")}
    block = _block(fit | parsed)
    assert block is not None and (block.blend.how, block.blend.source) == ("combination", "mean")
    assert block.blend.weights == {"etas": 0.5, "hybrid": 0.5} and sorted(block.models) == ["etas", "pooled"]
    old = _block(fit | parsed | {"numbers": {"gains": {}}})
    assert old is not None and (old.blend.how, old.blend.weights) == ("rate", {}), "of a version that had champions"
