"""The ETAS model of a recipe: probabilities against simulated frequencies, fit, save, load, bad input.

Mutations that these tests catch: 1 - exp(-N) of all generations in place of P, triggering inside the window forgotten, forecasts that
depend on the order of the days, K of another threshold.
"""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models.etas import etas, etas_intensity, etas_seen
from forecaster.models.etas.etas_horizons import number_before, over_horizons
from forecaster.models.etas.etas_intensity import daily_stream
from forecaster.models.etas.etas_kernels import omori_integral
from forecaster.models.etas.etas_pooling import world_histories
from forecaster.models.etas.etas_simulation import Law, draw_magnitudes, grow, simulated_counts, uniform_background
from forecaster.models.interface import History
from forecaster.timewindow import DAY_US
from tests.support.etas_catalogue import ONE, sequence, to_events

RUNS = 40_000


@pytest.fixture(scope="module")
def recipe(recipes):
    return recipes["wellington"]


@pytest.fixture(scope="module")
def history(recipe):
    """Twelve years of a simulated world."""
    rng = np.random.default_rng(3)
    days = target_days(recipe, date(1990, 1, 1), 4000)
    first = uniform_background(0.8, 700.0, 0.0, 4501.0, 1, Law(ONE, recipe.threshold_mag), rng)
    zero_us = int(days.target_starts_us[0]) - 500 * DAY_US
    parameters = replace(ONE, k=0.12)
    events = to_events(grow(first, 4501.0, Law(parameters, recipe.threshold_mag), rng), recipe, zero_us)
    happened = daily_labels(events, recipe, days)[0]
    return History(recipe, events, events, days, happened, np.full(len(days), 0.08))


@pytest.fixture(scope="module")
def model(history, trains):
    return etas.fit(history)


@pytest.mark.parametrize("first", [date(1995, 6, 1), date(1995, 10, 1), date(1995, 10, 2), date(1996, 3, 17)])
@pytest.mark.parametrize("range_days", [1, 7])
def test_one_day_shares_the_decay_of_its_earthquakes_with_the_days_before(history, first, range_days, monkeypatch):
    """Clocks changed on 1 October 1995 and 17 March 1996, between the days before and the day. Alone, the day and those before have streams
    of their own. Mutations that were seen to fail: no lateness within a slot, no decay from slot to slot, reads off by one."""
    late = np.where(np.arange(len(history.inputs)) % 3 == 0, 2 * DAY_US, 60_000_000)
    events = replace(history.inputs, known_at_us=history.inputs.origin_time_us + late)
    recipe = history.recipe.model_copy(update={"predict_range_days": range_days})
    model = etas.EtasModel(recipe, ONE, None, date(1990, 1, 1), "daily")
    days, reference = target_days(recipe, first, 1), np.array([0.05])
    ends = days.target_starts_us[:, None] + np.array([1, 3, 7, 30]) * DAY_US

    def said() -> list[np.ndarray]:
        gone = np.zeros((4, len(events)), dtype=bool)
        gone[1:, np.searchsorted(events.origin_time_us, days.cut_us[0]) - np.array([1, 5, 30])] = np.eye(3, dtype=bool)
        rates = over_horizons(model, events, days, ends, reference)
        before = number_before(model, events, days, reference, etas_seen.DAYS_BEFORE)
        without = model.probability_without(events, days, reference, gone)
        return [model.probability(events, days, reference), rates.hit[0], rates.number[0], before, without]

    together = said()
    assert etas_seen.seen_on(events, recipe, days).before is not None
    monkeypatch.setattr(
        etas_seen, "_seen", lambda parents, days: etas_seen.Seen(parents, np.arange(len(days)), daily_stream(parents, days))
    )
    monkeypatch.setattr(etas_seen, "_last", etas_seen._LastSeen())
    for one, alone in zip(together, said(), strict=True):
        assert one == pytest.approx(alone, rel=1e-12)


def test_a_day_that_is_issued_days_ahead_has_no_days_before_in_its_stream(history):
    days = target_days(history.recipe, date(1995, 6, 1), 1)
    early = replace(days, cut_us=days.cut_us - 3 * DAY_US)
    assert etas_seen.seen_on(history.inputs, history.recipe, early).before is None


@pytest.mark.parametrize(("threshold", "north_km", "magnitudes"), [(4.5, 0.0, [6.0, 5.5]), (4.5, 330.0, [7.3]), (5.5, 290.0, [6.5, 6.8])])
def test_probability_and_count_are_those_of_simulations(recipe, threshold, north_km, magnitudes):
    """Source: 40,000 simulated windows a case; four standard errors. In the second the sequence is outside, in the third M 4.5 to 5.5
    trigger targets without being ones."""
    changed = recipe.model_copy(update={"threshold_mag": threshold})
    parameters = replace(ONE, k=ONE.k * 10 ** (4.5 - threshold))
    days = target_days(changed, date(2001, 3, 5), 1)
    events = sequence(changed, int(days.cut_us[0]), magnitudes, north_km)
    fitted = etas.EtasModel(changed, parameters, None, date(2000, 1, 1), "daily")
    reference = np.array([0.03])
    parents = etas.parents_on(events, changed, days)
    background = 0.7 * -np.log1p(-0.03)
    rng = np.random.default_rng(4)
    counts = simulated_counts(parents, Law(parameters, threshold), int(days.target_starts_us[0]), 1.0, background, RUNS, rng)
    probability, expected = fitted.probability(events, days, reference)[0], fitted.expected_count(events, days, reference)[0]
    assert probability == pytest.approx((counts > 0).mean(), abs=4 * np.sqrt(probability * (1 - probability) / RUNS) + 0.002)
    assert expected == pytest.approx(counts.mean(), abs=4 * counts.std() / np.sqrt(RUNS) + 0.01 * expected)
    direct = fitted.direct_count(events, days, reference)[0]
    assert -np.expm1(-direct) < probability < -np.expm1(-expected)
    low, high = np.quantile(fitted.simulated(events, days, reference, np.random.default_rng(5), 2000)[0], [0.025, 0.975])
    assert abs(low - np.quantile(counts, 0.025)) <= 1
    assert abs(high - np.quantile(counts, 0.975)) <= 1 + 0.1 * high


def test_without_triggering_in_the_window_probability_is_that_of_the_direct_count(recipe):
    """A great earthquake's offspring at K so low that they have none of their own: P = 1 - exp(-N) to a part in 10,000."""
    days = target_days(recipe, date(2001, 3, 5), 1)
    events = sequence(recipe, int(days.cut_us[0]), [7.5], 0.0)
    fitted = etas.EtasModel(recipe, replace(ONE, k=1e-4, alpha=0.5), None, date(2000, 1, 1), "daily")
    direct = fitted.direct_count(events, days, np.array([0.1]))
    np.testing.assert_allclose(fitted.probability(events, days, np.array([0.1])), -np.expm1(-direct), rtol=1e-4)


def test_simulated_offspring_follow_their_laws(recipe):
    """Source: the laws themselves: mean number, mean magnitude above the lowest (0.434 with b = 1), share of early lags."""
    law, rng = Law(ONE, 4.5), np.random.default_rng(6)
    assert draw_magnitudes(200_000, 4.5, rng).mean() == pytest.approx(4.5 + 1 / np.log(10), abs=0.005)
    mean = 0.4 * 10**0.8 * omori_integral(0.0, 5.0, 0.02, 1.1)
    assert law.offspring(np.array([7.0]), 0.0, 5.0)[0] == pytest.approx(mean)
    assert law.offspring(np.array([4.4]), 0.0, 5.0)[0] == 0.0


def test_fit_keeps_the_better_likelihood(model, history):
    assert set(model.validation_loss) == {"daily", "point process"}
    assert model.likelihood == min(model.validation_loss, key=model.validation_loss.get)
    assert model.last_data_day >= history.days.local_days[-1].item()
    assert 0.05 < model.branching_ratio < 1.5
    assert all(np.isfinite(value) for value in model.standard_errors.values())
    assert etas.fit(history).parameters == model.parameters


def test_model_beats_the_reference_where_the_world_is_etas(model, history):
    probability = model.probability(history.inputs, history.days, history.reference)
    loss = etas.log_loss(probability, history.happened)
    assert loss < etas.log_loss(np.full(4000, history.happened.mean()), history.happened) - 0.005
    assert probability.mean() == pytest.approx(history.happened.mean(), rel=0.1)


def test_one_day_as_among_many_and_in_any_order(model, history):
    """No day's forecast depends on the others; where there is no reference there is none."""
    some = np.array([900, 17, 3999])
    reference = history.reference.copy()
    reference[17] = np.nan
    everything = model.probability(history.inputs, history.days, reference)
    found = model.probability(history.inputs, history.days.take(some), reference[some])
    np.testing.assert_allclose(found, everything[some], rtol=1e-9)
    assert np.isnan(found[1])
    np.testing.assert_allclose(
        model.direct_count(history.inputs, history.days.take(some), reference[some]),
        model.direct_count(history.inputs, history.days, reference)[some],
        rtol=1e-9,
    )


def test_no_day_and_no_event(model, history):
    nothing = history.inputs.take(slice(0, 0))
    assert len(model.probability(history.inputs, history.days.take(slice(0, 0)), np.empty(0))) == 0
    probability = model.probability(nothing, history.days.take(slice(0, 3)), history.reference[:3])
    assert (probability > 0).all()
    assert model.simulated(nothing, history.days.take(slice(0, 2)), history.reference[:2], np.random.default_rng(1), 9).shape == (2, 9)


def test_saved_and_loaded_is_the_same(model, history, tmp_path):
    record = model.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    again = etas.load(tmp_path, record, history.recipe)
    assert again == model
    assert again.save(tmp_path) == record


@pytest.mark.parametrize(
    "change",
    [{"parameters": {"k": 1.0}}, {"parameters": None}, {"last_data_day": "yesterday"}, {"long_term_rate": "much"}, {"standard_errors": []}],
)
def test_a_record_that_is_none_is_refused(model, history, change):
    with pytest.raises(CorruptModel, match="train again"):
        etas.load(Path("models"), model.save(Path()) | change, history.recipe)


def test_parameters_out_of_range_are_refused(model, history):
    record = model.save(Path())
    record["parameters"] = record["parameters"] | {"q": 0.5}
    with pytest.raises(CorruptModel, match="finite"):
        etas.load(Path("models"), record, history.recipe)


def test_too_few_target_days(history):
    few = replace(history, happened=np.arange(4000) < 9)
    with pytest.raises(NotTrainable, match="10 target days among them, there are 4000 and 9"):
        etas.fit(few)


def test_time_is_up(history):
    with pytest.raises(NotTrainable, match="allow more minutes"):
        etas.fit(history, max_minutes=0.0)


def test_generic_needs_no_fit(history):
    """Its K is that of M 4.5 scaled by Gutenberg-Richter: a tenth at M 5.5."""
    strong = history.recipe.model_copy(update={"threshold_mag": 5.5})
    assert etas.generic(strong).parameters.k == pytest.approx(0.1 * etas.generic(history.recipe).parameters.k)
    assert np.isfinite(etas.generic(history.recipe).direct_count(history.inputs, history.days, history.reference)).all()


def test_world_histories_end_with_their_last_day(history):
    """What comes after the last day plays no part in them."""
    last = date(1996, 12, 31)
    made = [
        world_histories(events, date(1990, 1, 1), last, 2, np.random.default_rng(1))
        for events in (history.inputs, cut_off(history.inputs, last))
    ]
    for one, other in zip(*made, strict=True):
        assert one.recipe == other.recipe
        assert one.days.local_days[-1] == np.datetime64(last)
        np.testing.assert_array_equal(one.happened, other.happened)
        np.testing.assert_array_equal(one.reference, other.reference)
        assert np.isfinite(one.reference).all()
        assert len(one.inputs) == len(other.inputs)


def cut_off(events, day):
    return events.take(events.origin_time_us < np.datetime64(day + timedelta(days=1), "us").astype(np.int64))


def test_fading_sums_are_the_same_short_and_long() -> None:
    """A few are summed one by one, many by the library's filter: the first eight of nine, to the last bit or so."""
    values = np.random.default_rng(1).normal(size=9)
    for decay in (0.0, 0.3, 0.999999):
        assert etas_intensity._decayed(values[:8], decay) == pytest.approx(etas_intensity._decayed(values, decay)[:8], rel=1e-14)
    assert etas_intensity._decayed(np.array([1.0, 0.0, 2.0]), 0.5).tolist() == [1.0, 0.5, 2.25]
    assert etas_intensity._decayed(values[:0], 0.5).shape == (0,)
