"""The region's network: where it starts, when it moves, what its training may see, how it is kept. A toy region on a set of the package.

Mutations that were seen to fail are named in the docstrings.
"""

import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from forecaster.errors import CorruptModel
from forecaster.features.circles import circle_recipe
from forecaster.models.hybrid import hybrid, regional
from forecaster.models.hybrid.hybrid_inference import network_of
from forecaster.models.hybrid.hybrid_pool import Thinning
from forecaster.models.hybrid.regional_training import Epoch, TuningSettings, better, split, thinned, tune
from forecaster.models.interface import History, log_loss
from forecaster.models.pretrained import of_data_until
from forecaster.timewindow import DAY_US
from tests.support import toy_models
from tests.support.clustered_world import clustered_events, history_until

PLACE = (10.0, 20.0)
LAST = date(2016, 12, 31)
QUICK = TuningSettings(Thinning(date(2005, 1, 1), 400, 0.5, 0.2), learning_rate=5e-3, batch=128, epochs=2, sd=0.1, evidence=0.1)
SERVED = slice(-300, None)


@pytest.fixture(scope="module")
def history() -> History:
    """Thirteen years of mainshocks, 40 a year, half of them with six aftershocks within ten days: more than the world's network expects."""
    events = clustered_events(
        [PLACE],
        np.random.default_rng(3),
        first_year=35,
        years=13,
        mainshocks=520,
        clustered_share=0.5,
        aftershocks=6,
        within_days=10,
        known_within_us=DAY_US // 2,
    )
    whole = history_until(events, circle_recipe(0, *PLACE, 200.0, 4.5), LAST)
    return whole.take(whole.days.local_days >= np.datetime64("2005-01-01"))


@pytest.fixture(scope="module")
def world():
    return of_data_until("hybrid", date(2014, 12, 31))


@pytest.fixture(scope="module")
def told() -> list[Epoch]:
    return []


@pytest.fixture(scope="module")
def tuned(history, world, told, trains):
    return tune(history, world, QUICK, seed=5, on_epoch=told.append)


def model_of(history: History, world, tuned) -> regional.RegionalModel:
    """As `regional.fit` gives it."""
    networks = tuple(network_of(content, name) for name, content in tuned.files.items())
    return regional.RegionalModel(history.recipe, world, LAST, tuned.files, networks, tuned.training)


def said(model, history: History) -> np.ndarray:
    days = history.take(SERVED)
    return model.probability(days.inputs, days.days, days.reference)


@pytest.mark.slow
def test_a_region_that_is_unlike_the_world_moves_its_network(history, tuned, told):
    """The best epoch on days that it was not trained on is kept; each is told of. A loss turned round fails."""
    losses = [epoch["validation_loss"] for epoch in tuned.training["history"]]
    assert tuned.training["kept_epoch"] == int(np.argmin(losses)) > 0 and losses[0] - min(losses) > 0.001
    assert [epoch.epoch for epoch in told] == [0, 1, 2] and [epoch.validation_loss for epoch in told] == losses
    assert list(tuned.files) == ["network-0.keras"] and tuned.training["reason"] == "epochs"


def test_the_same_seed_gives_the_same_losses_and_the_future_plays_no_part(history, world, tuned):
    """A second training, of events that end with the last day's issue; looking at the catalogue beyond it would differ. That no epoch is
    ever 99 standard errors better leaves the world's network."""
    past = replace(history, inputs=history.inputs.known_before(int(history.days.cut_us[-1])))
    assert len(past.inputs) < len(history.inputs)
    again = tune(past, world, replace(QUICK, evidence=99.0, epochs=1), seed=5)
    assert again.training["history"][1] == tuned.training["history"][1]
    assert (again.files, again.training["kept_epoch"], again.training["epochs"]) == ({}, 0, 1)


@pytest.mark.slow
def test_the_pull_holds_the_weights_near_the_worlds_and_minutes_end_a_training(history, world, tuned):
    """With a hundredth of the freedom the weights stray less than a third as far. Ten seconds pass at each look: after the first epoch
    another does not fit into 35."""
    start = hybrid.content_of(world)[2][0]

    def strayed(files) -> float:
        network = network_of(files["network-0.keras"], "n")
        layers = ("convlstm", "counts", "joined", "residual")
        pairs = [pair for layer in layers for pair in zip(network.weights[layer], start.weights[layer], strict=True)]
        return float(np.sqrt(sum(np.sum((ours - theirs) ** 2) for ours, theirs in pairs)))

    now = iter(range(0, 1000, 10))
    settings = replace(QUICK, sd=0.001, evidence=-9.0)
    held = tune(history, world, settings, seed=5, max_minutes=35 / 60, clock=lambda: float(next(now)))
    assert (held.training["reason"], held.training["epochs"]) == ("budget", 1)
    assert 0 < strayed(held.files) < strayed(tuned.files) / 3


def test_without_evidence_it_is_the_hybrid_to_the_last_bit(history, world):
    quiet = replace(history, happened=np.arange(len(history.happened)) % 500 == 0)
    model = regional.fit(quiet, seed=5)
    assert model.as_the_worlds and model.files == {} and model.last_data_day == LAST
    assert np.array_equal(said(model, history), said(hybrid.HybridModel(history.recipe, world), history))


def test_too_few_target_days_train_nothing(history):
    quiet = replace(history, happened=np.arange(len(history.happened)) % 500 == 0)
    model = regional.fit(quiet)
    assert (model.training["epochs"], model.training["kept_epoch"]) == (0, 0)
    assert model.training["reason"] == "only 7 target days to train on and 1 to stop by; 30 and 10 are the least"
    nothing = regional.fit(replace(history, happened=np.zeros(len(history.happened), bool)))
    assert nothing.told == f"the world's network, unchanged: {nothing.training['reason']}"
    assert nothing.training["reason"].startswith("only 0 target days") and nothing.learning_curves() == {"loss": [], "val_loss": []}


def test_days_are_split_in_the_order_of_time_with_a_purge(history):
    first, last = split(history, QUICK)
    gap = (last.days.local_days[0] - first.days.local_days[-1]).astype(int)
    assert gap == 1 + history.recipe.window_days + history.recipe.predict_range_days
    assert len(last.happened) == pytest.approx(0.2 * len(history.happened), abs=1)


def test_kept_days_stand_for_all(history):
    """Their weights add up to all days of the span within a tenth."""
    first, _ = split(history, QUICK)
    kept, weight = thinned(first, QUICK.thinning, np.random.default_rng(1))
    assert len(kept) < len(first.happened) and weight.sum() == pytest.approx(len(first.happened), rel=0.1)


def test_evidence_by_hand():
    """Two blocks of 30 days that gain 30 log(.9 / .5) and nothing: the sum over the root of the summed squares about the mean is
    g / sqrt(2 (g / 2)^2) = sqrt(2). Nothing gained, no evidence."""
    start, better_half = np.full(60, 0.5), np.concatenate([np.full(30, 0.9), np.full(30, 0.5)])
    assert better(better_half, start, np.ones(60, bool)) == pytest.approx(np.sqrt(2))
    assert better(start, better_half, np.ones(60, bool)) == pytest.approx(-np.sqrt(2))
    assert better(start, start, np.ones(60, bool)) == 0.0


def test_kept_and_loaded_without_tensorflow(monkeypatch, history, world, tuned, tmp_path):
    """Through the registry: what is loaded says the same to the last bit, and otherwise than the hybrid, without Keras."""
    model = model_of(history, world, tuned)
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    stored = toy_models.save(tmp_path, history.recipe, model, data_as_of=datetime(2017, 3, 1, tzinfo=UTC))
    assert sorted(stored.record["files"]) == ["network-0.keras"] and stored.model == model
    assert stored.model_id.startswith(f"{history.recipe.id}-regional-")
    assert stored.model.told == "moved by 2 epochs"
    again = said(stored.model, history)
    assert np.array_equal(again, said(model, history)) and np.abs(again - said(hybrid.fit(history), history)).max() > 1e-3
    days = history.take(SERVED)
    assert log_loss(again, days.happened) < log_loss(said(hybrid.fit(history), history), days.happened)
    shutil.copy(stored.directory / "network-0.keras", stored.directory / "network-1.keras")
    with pytest.raises(CorruptModel, match=r"network-0\.keras, network-1\.keras, the record names network-0\.keras"):
        regional.load(stored.directory, stored.record["record"], history.recipe)
    (stored.directory / "network-1.keras").unlink()
    (stored.directory / "network-0.keras").write_bytes(b"PK")
    with pytest.raises(CorruptModel, match=r"network-0\.keras is no \.keras file"):
        regional.load(stored.directory, stored.record["record"], history.recipe)
    with pytest.raises(CorruptModel, match="holds no network of a region"):
        regional.load(stored.directory, {"networks": []}, history.recipe)


def test_without_a_fit_the_worlds_network_serves(history):
    model = regional.generic_for(history.recipe, date(2016, 6, 1), date(2005, 1, 1))
    assert model is not None and model.as_the_worlds and model.told == "the world's network, unchanged"
    assert model.last_data_day == date(2014, 12, 31) and model.training is None
    assert np.array_equal(said(model, history), said(hybrid.fit(history), history))
    assert json.loads(json.dumps(model.save(None))) and regional.generic_for(history.recipe, date(2014, 6, 1), date(2005, 1, 1)) is None


def test_without_tensorflow_the_worlds_network_is_kept_and_the_record_says_why(monkeypatch, history):
    monkeypatch.setattr(regional, "why_none", lambda: "networks need tensorflow")
    model = regional.fit(history, seed=7)
    assert model.as_the_worlds and model.last_data_day == LAST
    assert model.training == {"seed": 7, "epochs": 0, "kept_epoch": 0, "history": [], "reason": "networks need tensorflow"}
