"""Training: reproducible, within its budget, resampled on the training span only, undone afterwards."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from forecaster.errors import NotTrainable
from forecaster.models.first_system.convlstm_batches import batches, evaluated_days, training_days
from forecaster.models.first_system.convlstm_training import fit
from forecaster.models.first_system.daily_grid import day_summary, window_tensor
from forecaster.models.first_system.spans import Span
from forecaster.models.interface import log_loss, sigmoid


class Clock:
    """Seconds that pass only when somebody looks: `tick` at every reading."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture(scope="module")
def fitted(tiny_dataset, trains):
    """The tiny world with undersampling, trained for twelve passes."""
    epochs = []
    dataset = tiny_dataset(epochs=12, patience=12)
    return dataset, fit(dataset, max_minutes=None, on_epoch=epochs.append), epochs


def test_learns_what_is_there(fitted):
    """The target follows busy days (60 % against 5 %): a log loss of 0.36 is the best there is, 0.54 that of the mean rate of 23 %."""
    dataset, result, _ = fitted
    assert result.loss_after < result.loss_before
    later = result.predictions[result.predictions["span"] == "calibration"]
    assert result.losses["calibration"]["corrected"] < result.losses["calibration"]["reference"]
    assert later["corrected"].corr(later["happened"].astype(float)) > 0.4
    assert dataset.happened.mean() == pytest.approx(0.23, abs=0.04)


def test_history_and_predictions_tell_what_happened(fitted):
    dataset, result, epochs = fitted
    assert list(result.history) == epochs
    assert [epoch.epoch for epoch in epochs] == list(range(result.epochs + 1))
    assert epochs[0].steps == 0
    assert np.isnan(epochs[0].train_loss)
    assert result.loss_before == epochs[0].validation_loss
    assert result.loss_after == min(epoch.validation_loss for epoch in epochs) == epochs[result.best_epoch].validation_loss
    assert (result.reason, result.epochs) == ("epochs", 12)
    assert result.steps == epochs[-1].steps == 12 * epochs[1].steps
    rows = result.predictions
    assert list(rows["span"].unique()) == ["validation", "calibration"]
    for name, group in rows.groupby("span"):
        span = result.spans.named()[name].slice
        np.testing.assert_array_equal(group["target_start_us"], dataset.days.target_starts_us[span])
        np.testing.assert_array_equal(group["happened"], dataset.happened[span])
    validation = rows[rows["span"] == "validation"]
    assert log_loss(validation["corrected"], validation["happened"]) == pytest.approx(result.loss_after, abs=1e-12)
    np.testing.assert_allclose(result.calibration.apply(rows["corrected"]), rows["probability"], rtol=1e-9)
    assert result.losses["validation"]["corrected"] == pytest.approx(result.loss_after)


def test_kept_weights_are_those_of_the_best_epoch(fitted):
    """The network that is handed back gives the predictions that are handed back, to single precision."""
    dataset, result, _ = fitted
    span = result.spans.validation.slice
    logits = np.asarray(result.network(window_tensor(dataset.grid, dataset.days.take(span)), training=False))[:, 0]
    validation = result.predictions[result.predictions["span"] == "validation"]
    np.testing.assert_allclose(sigmoid(logits), validation["raw"], atol=1e-5)


@pytest.mark.trains
def test_running_statistics_are_freed_of_their_start(tiny_dataset):
    """With weights that stand still (learning rate 1e-12), by hand from the same batches: sum of 0.99^(t - k) 0.01 m_k over the steps k,
    divided by 1 - 0.99^t. Keras alone would leave 0.99^17 = 84 % of the starting variance of 1 in it."""
    dataset = tiny_dataset(learning_rate=1e-12)
    seed = 5  # one by which the freed statistics alone are better than none, so that epoch 1 is kept
    result = fit(dataset, max_minutes=None, max_epochs=1, seed=seed)
    assert result.best_epoch == 1
    resampling, order = np.random.default_rng(seed).spawn(2)
    training = training_days(dataset, result.spans.train, resampling)
    stream, states = batches(training, order), result.network.get_layer("convlstm")
    means, variances = [], []
    for _ in range(result.steps):
        out = np.asarray(states(training.gather(next(stream))[0]))
        means.append(out.mean(axis=(0, 1, 2)))
        variances.append(out.var(axis=(0, 1, 2)))
    share = 0.01 * 0.99 ** np.arange(result.steps - 1, -1, -1)
    layer = result.network.get_layer("normalisation")
    np.testing.assert_allclose(layer.moving_mean, share @ np.array(means) / share.sum(), atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, share @ np.array(variances) / share.sum(), atol=1e-5)


def test_correction_is_counted_from_the_training_span(fitted):
    """RandomUnderSampler 0.25 keeps every target day and four quiet days for each, where there are more."""
    dataset, result, _ = fitted
    happened = dataset.happened[result.spans.train.slice]
    quiet, target = result.training_samples
    assert target == happened.sum()
    assert quiet == min((~happened).sum(), 4 * target)
    assert result.correction.odds_factor == pytest.approx(quiet / (~happened).sum())
    assert result.correction.exact


@pytest.mark.slow
def test_two_fits_are_identical_and_max_epochs_gives_the_same_bits(tiny_dataset):
    """One fit stops by its budget, the other by its number of epochs: every probability is the same, bit for bit."""
    dataset = tiny_dataset(epochs=50, patience=50)
    budget = fit(dataset, max_minutes=20 / 60, clock=Clock(1.0))
    assert budget.reason == "budget"
    assert 1 <= budget.epochs < 15
    again = fit(dataset, max_minutes=None, max_epochs=budget.epochs)
    assert (again.epochs, again.reason) == (budget.epochs, "max_epochs")
    assert again.predictions.equals(budget.predictions)
    assert again.history[1:] == budget.history[1:]
    assert fit(dataset, max_minutes=None, max_epochs=1, seed=8).history[1] != again.history[1]


@pytest.fixture(scope="module")
def untrained(tiny_dataset, trains):
    return fit(tiny_dataset(), max_minutes=None, max_epochs=0)


def test_no_epoch_fits_the_budget(tiny_dataset, untrained):
    """Every reading of the clock costs 10 s and there are 6: the untrained network stays, and it says why."""
    result = fit(tiny_dataset(), max_minutes=0.1, clock=Clock(10.0))
    assert (result.reason, result.epochs, result.steps, result.best_epoch) == ("budget", 0, 0, 0)
    assert result.loss_after == result.loss_before
    assert result.predictions.equals(untrained.predictions)


def test_first_epoch_that_would_overshoot_is_broken_off(tiny_dataset, untrained):
    """Five steps take 300 s by this clock (after seven readings at 0), the epoch's other 11 of 17 would take 660 s more: too long for 10
    minutes. The steps that were done leave no trace."""
    readings = itertools.chain([0.0] * 7, itertools.repeat(300.0))
    result = fit(tiny_dataset(), max_minutes=10, clock=lambda: next(readings))
    assert (result.reason, result.epochs, result.steps) == ("budget", 0, 0)
    assert result.predictions.equals(untrained.predictions)


@pytest.mark.trains
def test_early_stopping_after_patience(tiny_dataset):
    """With a learning rate of 1 the network soon gets worse: it stops two epochs after its best."""
    result = fit(tiny_dataset(epochs=50, patience=2, learning_rate=1.0), max_minutes=None)
    assert result.reason == "early stopping"
    assert result.epochs == result.best_epoch + 2


def test_later_days_change_nothing_in_training(fitted):
    """Outcomes after the validation span are not looked at by training (faults 2 and 3 of the first system)."""
    dataset, result, _ = fitted
    changed = dataset.happened.copy()
    changed[result.spans.calibration.start :] = ~changed[result.spans.calibration.start :]
    other = fit(replace(dataset, happened=changed), result.spans, max_minutes=None)
    assert result.history[1:] == other.history[1:]
    np.testing.assert_array_equal(result.predictions["corrected"], other.predictions["corrected"])
    assert result.calibration != other.calibration


@pytest.mark.trains
def test_a_fit_uses_all_days(tiny_dataset):
    result = fit(tiny_dataset(epochs=1), max_minutes=None)
    assert (result.spans.train.start, result.spans.calibration.stop) == (0, 500)


def test_blended_samples_are_gathered_as_said(tiny_dataset):
    """SMOTE: (1 - w) X[i] + w X[j], built only for the batch; its prior cannot be undone exactly."""
    dataset = tiny_dataset(resampling_methods=[{"name": "SMOTE", "args": {"k_neighbors": 3}}])
    training = training_days(dataset, Span(10, 310), np.random.default_rng(0))
    assert not training.correction.exact
    assert training.class_counts[0] == training.class_counts[1]
    blended = np.flatnonzero(training.sample.weight > 0)
    plain = np.flatnonzero(training.sample.weight == 0)[:5]
    chosen = np.concatenate([plain, blended])
    windows, labels, weights = training.gather(chosen)
    span_days = dataset.days.take(slice(10, 310))
    x_i, x_j = (window_tensor(dataset.grid, span_days.take(index[chosen])) for index in (training.sample.i, training.sample.j))
    w = training.sample.weight[chosen].reshape(-1, 1, 1, 1, 1)
    assert not np.array_equal(x_i, x_j)
    np.testing.assert_allclose(windows, (1 - w) * x_i + w * x_j, atol=1e-6)
    assert (labels[5:] == 1).all()
    assert (weights == 1).all()
    assert day_summary(dataset.grid, span_days).shape[0] == 300


def test_a_long_span_is_judged_by_days_that_stand_for_all():
    """200 target days and 800 quiet ones: 50 of each for a hundred, weighing 4 and 16, so that the log loss of what says the same of all
    days of a class is that of the whole span. With 30 target days all are kept, beside 70 quiet ones. Another seed draws others."""
    happened = np.arange(1200) % 5 == 0
    drawn = evaluated_days(happened, Span(100, 1100), 100, np.random.default_rng(1))
    assert len(drawn) == 100 and (np.diff(drawn.indices) > 0).all() and drawn.indices[0] >= 100 and drawn.indices[-1] < 1100
    chosen = happened[drawn.indices]
    assert chosen.sum() == 50 and set(drawn.weight[chosen]) == {4.0} and set(drawn.weight[~chosen]) == {16.0}
    said = np.where(happened, 0.3, 0.1)
    span = slice(100, 1100)
    assert log_loss(said[drawn.indices], chosen, drawn.weight) == pytest.approx(log_loss(said[span], happened[span]))
    few = np.arange(1000) < 30
    kept = evaluated_days(few, Span(0, 1000), 100, np.random.default_rng(1))
    assert few[kept.indices].sum() == 30 and set(kept.weight[few[kept.indices]]) == {1.0} and kept.weight.sum() == pytest.approx(1000)
    assert evaluated_days(happened, Span(0, 100), 100, np.random.default_rng(1)).weight.tolist() == [1.0] * 100
    assert not np.array_equal(drawn.indices, evaluated_days(happened, Span(100, 1100), 100, np.random.default_rng(2)).indices)


def test_every_sample_once_a_pass(tiny_dataset):
    training = training_days(tiny_dataset(), Span(0, 300), np.random.default_rng(0))
    stream = batches(training, np.random.default_rng(1))
    drawn = np.concatenate([next(stream) for _ in range(training.steps_per_pass)])
    assert len(drawn) == len(set(drawn.tolist())) == training.steps_per_pass * 16


def test_balanced_batches_are_half_and_half(tiny_dataset):
    """Their correction: raw odds of 1 mean the span's own odds."""
    dataset = tiny_dataset(balanced_batch=True, resampling_methods=[])
    training = training_days(dataset, Span(0, 300), np.random.default_rng(0))
    stream = batches(training, np.random.default_rng(1))
    for _ in range(40):
        assert training.sample.labels[next(stream)].sum() == 8
    happened = dataset.happened[:300]
    assert training.correction.probability(np.zeros(1))[0] == pytest.approx(happened.mean())
    assert training.class_weights == (1.0, 1.0)


def test_class_weights_reach_the_loss(tiny_dataset):
    dataset = tiny_dataset(use_class_weight=True, resampling_methods=[])
    training = training_days(dataset, Span(0, 300), np.random.default_rng(0))
    _, labels, weights = training.gather(np.arange(300))
    assert weights[labels == 1].sum() == pytest.approx(150, rel=1e-5) == weights[labels == 0].sum()
    assert training.correction.probability(np.zeros(1))[0] == pytest.approx(dataset.happened[:300].mean())


def test_no_day_at_all(tiny_dataset):
    dataset = tiny_dataset()
    with pytest.raises(NotTrainable, match="athens: no day with a final outcome"):
        replace(dataset, days=dataset.days.take(slice(0, 0)), happened=dataset.happened[:0], reference=dataset.reference[:0])
