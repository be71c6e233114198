"""Sums over past earthquakes, their gradients, both likelihoods, and parameters recovered from catalogues that were made with them.

Mutations that these tests catch: an earthquake that enters a day late or never leaves, clock changes forgotten, the gap between cut and
target forgotten, a target that triggers itself, the point process' integral over another span than its targets.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from forecaster.features.events import NEVER, Events
from forecaster.features.labels import daily_labels, target_events
from forecaster.features.windows import target_days
from forecaster.models.etas import etas_pooling
from forecaster.models.etas.etas_detection import share_after
from forecaster.models.etas.etas_intensity import daily_stream, select_parents
from forecaster.models.etas.etas_kernels import Parameters, circle_share, kernel_width_km, omori_integral, omori_weights
from forecaster.models.etas.etas_likelihood import DailyLikelihood, PointLikelihood, maximise
from forecaster.models.etas.etas_pooling import WIDER, pooled_maximum, world_histories
from forecaster.models.etas.etas_priors import POOLED_UNTIL, PUBLISHED, PUBLISHED_SD, Prior, prior_for
from forecaster.models.etas.etas_simulation import Law, grow, uniform_background
from forecaster.models.interface import History, log_loss
from forecaster.timewindow import DAY_US
from tests.support.clustered_world import twelve_years
from tests.support.etas_catalogue import to_events

TRUTH = Parameters(0.5, 0.1, 0.12, 0.8, 0.03, 1.15, 8.0, 1.0, 1.7)
REFERENCE = 0.12


@pytest.fixture(scope="module")
def recipe(recipes):
    """300 km about Wellington, whose clocks change."""
    return recipes["wellington"]


@pytest.fixture(scope="module")
def world(recipe):
    """25 years of a simulated world within 800 km, and its History of 22 of them."""
    rng = np.random.default_rng(5)
    days = target_days(recipe, date(1980, 1, 1), 8000)
    zero_us = int(days.target_starts_us[0]) - 1000 * DAY_US
    law = Law(TRUTH, recipe.threshold_mag)
    rate = (TRUTH.background + TRUTH.long_term) * -np.log1p(-REFERENCE) * (800.0 / recipe.radius_km) ** 2
    first = uniform_background(rate, 800.0, 0.0, 9002.0, 1, law, rng)
    events = to_events(grow(first, 9002.0, law, rng), recipe, zero_us)
    happened = daily_labels(events, recipe, days)[0]
    return History(recipe, events, events, days, happened, np.full(len(days), REFERENCE))


def small(history, count=400):
    """The first `count` days, with the parents of those."""
    cut = history.take(slice(0, count))
    events = history.inputs.take(history.inputs.origin_time_us < cut.days.target_ends_us[-1])
    return replace(cut, inputs=events, catalogue=events)


def weights_by_hand(parents, one):
    """Productivity times share of the circle, parent by parent."""
    width = kernel_width_km(parents.events.magnitude, one.d, one.gamma)
    radius = parents.recipe.radius_km
    pairs = zip(parents.distance_km, width, strict=True)
    share = [circle_share(np.array([x]), np.array([w]), one.q, radius)[0, 0] for x, w in pairs]
    return one.k * 10 ** (one.alpha * (parents.events.magnitude - 6.0)) * np.array(share)


def test_days_are_sums_over_what_their_cuts_saw(world):
    """Source: Omori's integral term by term, over versions that become known late and are replaced, across clock changes."""
    history = small(world)
    rng = np.random.default_rng(2)
    delay = np.round(rng.exponential(2.0, len(history.inputs)) * DAY_US).astype(np.int64)
    known = history.inputs.origin_time_us + delay
    until = np.where(rng.random(len(known)) < 0.3, known + 5 * DAY_US, NEVER)
    parents = select_parents(replace(history.inputs, known_at_us=known, known_until_us=until), history.recipe)
    weights = rng.random(len(parents))
    v = omori_weights(0.03, 1.1)[0]
    found = v @ daily_stream(parents, history.days).states(weights)
    for j in range(0, 400, 7):
        cut, start, end = (int(one[j]) for one in (history.days.cut_us, history.days.target_starts_us, history.days.target_ends_us))
        events = parents.events
        seen = (events.origin_time_us < cut) & (events.known_at_us <= cut) & (cut < events.known_until_us)
        begin, close = ((moment - events.origin_time_us[seen]) / DAY_US for moment in (start, end))
        assert found[j] == pytest.approx(weights[seen] @ omori_integral(begin, close, 0.03, 1.1), rel=2e-3, abs=1e-12)


def test_some_of_the_days_are_read_as_all_of_them(world):
    """A day's sum does not depend on which other days are asked for."""
    history = small(world)
    parents = select_parents(history.inputs, history.recipe)
    weights, some = np.ones(len(parents)), np.array([3, 90, 91, 300])
    everything = daily_stream(parents, history.days).states(weights)[:, some]
    np.testing.assert_allclose(daily_stream(parents, history.days.take(some)).states(weights), everything, rtol=1e-9, atol=1e-12)


def test_what_comes_after_the_cut_changes_nothing(world):
    history = small(world)
    early = history.inputs.take(history.inputs.origin_time_us < history.days.cut_us[200])
    found = [
        DailyLikelihood(history, select_parents(events, history.recipe)).counts(TRUTH.vector(), 0.05)[:201]
        for events in (history.inputs, early)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


@pytest.mark.parametrize("kind", [DailyLikelihood, PointLikelihood])
def test_gradients(world, kind):
    """Source: central differences."""
    history = small(world)
    likelihood = kind(history, select_parents(history.inputs, history.recipe))
    at, step = TRUTH.vector(), 1e-5
    found = likelihood(at)[1]
    for i in range(len(at)):
        move = np.eye(len(at))[i] * step
        slope = (likelihood(at + move)[0] - likelihood(at - move)[0]) / (2 * step)
        assert found[i] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_daily_likelihood_is_the_log_loss(world):
    history = small(world)
    likelihood = DailyLikelihood(history, select_parents(history.inputs, history.recipe))
    probability = -np.expm1(-likelihood.counts(TRUTH.vector(), likelihood.long_term))
    assert likelihood(TRUTH.vector())[0] == pytest.approx(400 * log_loss(probability, history.happened))


def test_point_process_likelihood_term_by_term(world):
    """Source: the sum of log rates at the targets minus the integral of each term, in closed form."""
    history = small(world, 200)
    parents = select_parents(history.inputs, history.recipe)
    start, end = int(history.days.target_starts_us[0]), int(history.days.target_starts_us[-1]) + DAY_US
    targets = history.inputs.take(
        (history.inputs.magnitude >= 4.5) & (history.inputs.origin_time_us >= start) & (history.inputs.origin_time_us < end)
    )
    background = (TRUTH.background + TRUTH.long_term) * -np.log1p(-REFERENCE)
    moments = target_events(targets, history.recipe).origin_time_us
    weights, logs = weights_by_hand(parents, TRUTH), 0.0
    for moment in moments:
        lag = (moment - parents.events.origin_time_us) / DAY_US
        logs += np.log(background + weights[lag > 0] @ (lag[lag > 0] + TRUTH.c) ** -TRUTH.p)
    begin, close = (np.maximum(moment - parents.events.origin_time_us, 0) / DAY_US for moment in (start, end))
    whole = weights * omori_integral(begin, close, TRUTH.c, TRUTH.p)
    expected = background * (end - start) / DAY_US + whole.sum() - logs
    likelihood = PointLikelihood(history, parents)
    assert len(moments) > 10
    assert likelihood(TRUTH.vector())[0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("kind", [DailyLikelihood, PointLikelihood])
@pytest.mark.trains
def test_known_truth_is_recovered(world, kind):
    """Source: the parameters that the world was made with. Priors are so wide that the data decide; the background is the sum of both."""
    truth = TRUTH.vector()
    off = np.array([0.3, 0.0, -0.4, 0.1, 0.3, -0.05, 0.3, -0.1, 0.2])
    prior = Prior(truth + off, np.array([2.0, 0.01, 2.0, 1.0, 2.0, 0.5, 2.0, 1.0, 1.0]))
    found = maximise(kind(world, select_parents(world.inputs, world.recipe)), prior, prior.mean, errors=True)
    assert found.converged
    z = (found.vector - truth) / found.standard_errors
    assert np.abs(z).max() < 3.0
    assert found.standard_errors[3] < 0.15
    assert found.standard_errors[2] < 0.4


def test_detected_share():
    """By hand: a day after M 9 the catalogue is complete above 9 - 4.5 = 4.5; after 0.01 days above 6.0: 10^-1.5 of M >= 4.5 are there."""
    share = share_after(9.0, np.array([-1.0, 0.01, 1.0, 10.0]), 4.5)
    np.testing.assert_allclose(share, [1.0, 10**-1.5, 1.0, 1.0])


def test_hours_after_a_great_earthquake_are_half_blind(world):
    """An M 8.8 in the middle of the circle, two hours before the cut: the next day's expected count shrinks, the days before do not."""
    history = small(world)
    moment = int(history.days.cut_us[100]) - DAY_US // 12
    one = np.array([moment])
    centre = (np.array([history.recipe.predict_center_lat]), np.array([history.recipe.predict_center_lng]), np.array([20.0]))
    great = Events(one, one, *centre, np.array([8.8]))
    likelihood = DailyLikelihood(history, select_parents(great, history.recipe))
    assert (likelihood.share[:100] == 1.0).all()
    after = (history.days.target_starts_us[100] - moment) / DAY_US + (np.arange(4800) + 0.5) / 4800
    hidden = 10.0 ** -np.maximum(8.8 - 4.5 - 0.75 * np.log10(after) - 4.5, 0.0)
    assert likelihood.share[100] == pytest.approx(hidden.mean(), rel=2e-3)
    assert likelihood.share[100] < 0.95


@pytest.mark.trains
def test_pooled_maximum_of_one_circle_is_its_own(world):
    """Source: the maximum of that circle's likelihood under the same prior; the same circle twice says more."""
    history = small(world, 900)
    prior = Prior(PUBLISHED, WIDER * PUBLISHED_SD)
    alone = maximise(DailyLikelihood(history, select_parents(history.inputs, history.recipe)), prior, PUBLISHED, errors=True)
    pooled = pooled_maximum([history])
    np.testing.assert_allclose(pooled.vector, alone.vector, atol=0.02)
    twice = pooled_maximum([history, history], start=pooled.vector)
    assert twice.standard_errors[3] < 0.97 * alone.standard_errors[3]


def test_prior_is_pooled_only_after_its_data_end(world):
    """Histories that end by 2010-12-15 get the published figures; K is a tenth for a threshold higher by one."""
    early, last = world.take(slice(0, 10)), target_days(world.recipe, POOLED_UNTIL, 2)
    late = replace(world.take(slice(0, 2)), days=last)
    assert prior_for(early).until is None
    assert prior_for(late).until == POOLED_UNTIL
    strong = replace(late, recipe=world.recipe.model_copy(update={"threshold_mag": 5.5}))
    np.testing.assert_allclose((prior_for(late).mean - prior_for(strong).mean)[2], np.log(10.0))


def test_circles_in_one_time_zone_share_their_days_and_what_follows_from_them(monkeypatch):
    """A hundred circles with days and reads of their own would hold half a gigabyte; the sums are those of each circle alone."""
    events = twelve_years(((10.0, 20.0), (-30.0, 100.0)))
    histories = world_histories(events, date(1976, 1, 1), date(1986, 12, 31), 3, np.random.default_rng(1))
    assert all(one.days is histories[0].days for one in histories)
    made: list[DailyLikelihood] = []

    class Noted(DailyLikelihood):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(etas_pooling, "DailyLikelihood", Noted)
    monkeypatch.setattr(etas_pooling, "maximise", lambda objective, *_, **__: objective(PUBLISHED))
    pooled_maximum(histories)
    assert len(made) == 3 and all(one.stream.read is made[0].stream.read for one in made)
    for one, history in zip(made, histories, strict=True):
        alone = DailyLikelihood(history, one.parents)(TRUTH.vector())
        together = one(TRUTH.vector())
        assert together[0] == alone[0] and np.array_equal(together[1], alone[1])
