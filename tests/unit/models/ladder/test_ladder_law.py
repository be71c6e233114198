"""The ladder: counts that contradict each other nowhere, magnitudes with the doubt about b, windows of several lengths by ETAS.

Mutations that these tests catch: clusters that shrink with the horizon, a corner that is off by the thinning, quantiles one too low, the
slope of the place forgotten, windows of several days with the background of one, a corner whose number forgets the productivity, a number
below what its probability implies, further days that add more than ETAS and the sequence do.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.features.windows import target_days
from forecaster.models.etas import etas
from forecaster.models.etas.etas_horizons import Horizons, number_before, over_horizons
from forecaster.models.interface import TINY
from forecaster.models.ladder.count_law import Counts, cluster_of, coherent_counts
from forecaster.models.ladder.extend_forecast import (
    LOOK_BACK_DAYS,
    climb,
    corner_horizons,
    corner_of,
    horizons_of,
    ladder_of,
    productivity_of,
)
from forecaster.models.ladder.magnitude_law import PRIOR_EVENTS, WORLD_B, magnitude_law, rung_magnitudes
from forecaster.models.ladder.running_sequence import observed_before, productivity
from forecaster.models.ladder.usual_horizons import usual_horizons
from forecaster.timewindow import DAY_US
from tests.support.etas_catalogue import ONE, sequence

PROBABILITIES = st.floats(1e-6, 1 - 1e-7)


@st.composite
def bases(draw, horizons: int) -> Horizons:
    steps = draw(st.lists(st.floats(0.0, 8.0), min_size=horizons, max_size=horizons))
    hit = np.cumsum([max(steps[0], 1e-5), *steps[1:]])[None]
    more = np.array([draw(st.lists(st.floats(1.0, 40.0), min_size=horizons, max_size=horizons))])
    return Horizons(hit, np.maximum.accumulate(hit * more, axis=1))


@st.composite
def laws(draw):
    threshold = draw(st.sampled_from([3.0, 4.5, 5.0, 6.4, 7.9, 9.2]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    magnitudes = threshold + rng.exponential(draw(st.floats(0.2, 1.2)), draw(st.sampled_from([0, 3, 400])))
    return magnitude_law(magnitudes, threshold, draw(st.sampled_from([None, threshold - 0.3, threshold + 0.3, threshold + 2.5])))


RANGES = st.sampled_from([1, 3, 5, 7, 30])


def climbed(data, published, range_days, law):
    """A ladder's counts; with or without a running sequence, above some usual rate."""
    base = data.draw(bases(len(horizons_of(range_days))))
    running = data.draw(st.one_of(st.none(), st.tuples(st.floats(0.2, 20.0), PROBABILITIES)))
    more = () if running is None else (np.array([running[0]]), np.array([running[1]]))
    return base, more, climb(np.array([published]), base, range_days, law, *more)


@given(st.data(), PROBABILITIES, RANGES, laws())
def test_no_rung_is_likelier_for_a_larger_magnitude_or_a_shorter_horizon(data, published, range_days, law):
    said = np.array([published])
    base, running, counts = climbed(data, published, range_days, law)
    one = ladder_of(counts, law, range_days, said)
    for values in (one.probability, one.expected, one.low, one.high):
        assert (np.diff(values, axis=1) >= -1e-12).all() and (np.diff(values, axis=2) <= 1e-12).all()
    assert (one.low <= one.high).all() and ((one.probability > 0) & (one.probability < 1)).all()
    anchor = horizons_of(range_days).index(range_days)
    assert one.probability[0, anchor, 0] == published
    if running:
        at = [horizons_of(range_days).index(horizon) for horizon in corner_horizons(range_days)]
        corner = [values[0] for values in corner_of(said, Horizons(base.hit[:, at], base.number[:, at]), range_days, *running)]
        assert corner == [pytest.approx(values[0, anchor, 0], rel=1e-9) for values in (one.expected, one.low, one.high)]


@given(st.data(), PROBABILITIES, RANGES, laws())
def test_a_number_agrees_with_its_probability(data, published, range_days, law):
    """E(N) >= -log P(N = 0) in every process of clusters, and the lower end of 95 % is 0 where P(N = 0) is 2.5 % or more."""
    _, _, counts = climbed(data, published, range_days, law)
    one = ladder_of(counts, law, range_days, np.array([published]))
    least = -np.log1p(-one.probability[..., 0])
    assert (one.expected[..., 0] >= least * (1 - 1e-6) - TINY).all()
    assert ((one.low == 0) | (one.probability > 0.975 - 1e-6)).all() and ((one.high > 0) | (one.probability < 0.025 + 1e-6)).all()


@given(st.data(), PROBABILITIES, st.floats(0.2, 20.0), PROBABILITIES)
def test_further_days_add_no_more_than_etas_and_the_running_sequence(data, published, running, reference):
    """From one day to a longer window the number grows at most as the clusters of ETAS do, their sizes do, and by the productivity."""
    base = data.draw(bases(4))
    counts = climb(np.array([published]), base, 1, magnitude_law(np.empty(0), 4.5), np.array([running]), np.array([reference]))
    size = counts.cluster / np.log1p(counts.cluster)
    grown = base.hit[0] / base.hit[0, 0] * size[0] / size[0, 0] * max(running, 1.0)
    number = counts.expected()[0, :, 0]
    assert (number / number[0] <= grown * (1 + 1e-6)).all()


def test_clusters_are_larger_the_more_a_sequence_runs():
    """A rate of 0.9 where 0.1 is usual: an excess of 0.8 adds 3 (1 - 1 / e) = 1.90 to x at every horizon; at the usual rate nothing."""
    hits = np.array([[0.9, 2.0, 4.0, 10.0]] * 2)
    usual = -np.expm1(-np.array([0.1, 0.9]))
    law = magnitude_law(np.array([]), 4.5, None)
    published = -np.expm1(-hits[:, 0])
    with_it, without = (climb(published, Horizons(hits, 1.2 * hits), 1, law, np.ones(2), reference) for reference in (usual, None))
    assert with_it.cluster - without.cluster == pytest.approx(np.array([[1.896] * 4, [0.0] * 4]), abs=1e-3)
    assert with_it.probability() == pytest.approx(without.probability(), rel=1e-12), "probabilities stay"


def test_a_nearly_certain_day_has_the_productivity_of_its_sequence():
    """Two days after the M 8.3 of Illapel (2015): 99.6 % (5.56), ETAS 4.02 of the day and 8.80 of three, productivity 3.45. So the day has
    4.02 * 3.45 = 13.9, less the chance of none, and three have 8.80 * 3.45 = 30.4; 20 and 30 were observed. Less likely days keep their
    probability: at 92.4 % (2.57) the rate is 2.57 * 1.96 = 5.04 where there is one at all, 0.924 * 5.04 / (1 - exp(-5.04)) = 4.69 in the
    mean."""
    law = magnitude_law(np.array([]), 4.5, None)
    hits = np.array([[4.02, 8.80, 14.0, 25.3], [1.13, 2.5, 4.0, 7.0]])
    published = -np.expm1(-np.array([5.56, 2.57]))
    counts = climb(published, Horizons(hits, hits), 1, law, np.array([3.45, 1.96]))
    assert counts.expected()[0, :2, 0] == pytest.approx([13.8, 30.4], rel=0.005)
    assert counts.expected()[1, 0, 0] == pytest.approx(4.69, rel=0.005)
    assert ladder_of(counts, law, 1, published).probability[:, 0, 0] == pytest.approx(published, abs=0)
    assert (counts.quantile(0.025)[0, 0, 0], counts.quantile(0.025)[1, 0, 0]) == (7, 0)


def test_near_certainty_is_not_carried_to_further_days():
    """ETAS: -log P(none) 4 on the first day and 3 more to the third. Published: 98 % (3.9), and 99.99 % (9.2), of which 4 count; where
    ETAS has 1, 3 count."""
    law = magnitude_law(np.array([]), 5.0, None)
    published = np.array([0.98, 0.9999])
    for first, counted in ((4.0, [3.912, 4.0]), (1.0, [3.0, 3.0])):
        hits = np.cumsum([[first, 0.75 * first, first, first]] * 2, axis=1)
        hit = -np.log1p(-climb(published, Horizons(hits, hits), 1, law).probability()[:, :, 0])
        assert hit[:, 0] == pytest.approx([3.912, 9.21], abs=1e-2)
        assert hit[:, 1] - hit[:, 0] == pytest.approx(np.array(counted) * 0.75, abs=2e-3)


def test_counts_are_negative_binomial_worked_by_hand():
    """hit = ln 2 and x = 1 give r = 1: a geometric law, P(N = k) = 2^-(k+1), mean 1. Half as many are larger: r = 1/2,
    P(0) = 2^-1/2, mean 1/2."""
    counts = coherent_counts(np.array([[np.log(2.0)]]), np.array([[1.0]]), 0, np.array([[1.0, 0.5]]))
    assert counts.probability()[0, 0] == pytest.approx([0.5, 1 - 0.5**0.5], rel=1e-9)
    assert counts.expected()[0, 0] == pytest.approx([1.0, 0.5], rel=1e-9)
    assert counts.at_most(np.array([[[1.0, 0.0]]]))[0, 0] == pytest.approx([0.75, 0.5**0.5], rel=1e-9)
    assert [counts.quantile(level)[0, 0, 0] for level in (0.4, 0.74, 0.76, 0.97)] == [0, 1, 2, 5]
    assert cluster_of(np.array([1.0 / np.log(2.0)])) == pytest.approx([1.0], rel=1e-9)


def test_a_cluster_gives_back_its_ratio_and_stays_within_its_limits():
    x = np.geomspace(1e-6, 1e3, 2001)
    found = cluster_of(x / np.log1p(x))
    assert found / np.log1p(found) == pytest.approx(x / np.log1p(x), rel=1e-14)
    assert found[200:] == pytest.approx(x[200:], rel=1e-10), "below it the ratio itself has no more digits"
    assert cluster_of(np.array([0.9, 1.0, 1e6])) == pytest.approx([1e-6, 1e-6, 1e3], rel=1e-9)


def test_a_rate_above_that_of_the_probability_means_all_or_nothing():
    """P(N >= 1) = 1/2 of a process of rate ln 4 (P(none) 1/4, x = 1, r = 2): it takes place with the chance (1/2) / (3/4) = 2/3, and its
    mean is r x = 2. P(at most 1) = 1/3 + 2/3 (1/4 + 2 / 8) = 2/3. Of half the magnitudes: 2/3 (1 - 4^-1/2) = 1/3."""
    counts = coherent_counts(np.array([[np.log(2.0)]]), np.array([[1.0]]), 0, np.array([[1.0, 0.5]]), np.array([[np.log(4.0)]]))
    assert counts.probability()[0, 0] == pytest.approx([0.5, 1 / 3], rel=1e-9)
    assert counts.expected()[0, 0] == pytest.approx([4 / 3, 2 / 3], rel=1e-9)
    assert counts.at_most(np.array([[[1.0, 0.0]]]))[0, 0] == pytest.approx([2 / 3, 2 / 3], rel=1e-9)
    with pytest.raises(ValueError, match="no higher than the rates"):
        coherent_counts(np.array([[1.0]]), np.array([[1.0]]), 0, np.ones((1, 1)), np.array([[0.9]]))


def test_a_simulated_cluster_process_has_the_ladders_chances():
    rng = np.random.default_rng(5)
    hit, x, share = 1.3, 2.0, 0.3
    counts = coherent_counts(np.array([[hit]]), np.array([[x]]), 0, np.array([[1.0, share]]))
    clusters = rng.poisson(hit, 40_000)
    whole = np.array([rng.logseries(x / (1.0 + x), size).sum() for size in clusters])
    larger = np.array([rng.logseries(x / (1.0 + x), size).sum() for size in rng.binomial(clusters, share)])
    assert counts.probability()[0, 0] == pytest.approx([(whole > 0).mean(), (larger > 0).mean()], abs=0.01)
    assert counts.expected()[0, 0] == pytest.approx([whole.mean(), larger.mean()], rel=0.02)
    inside = (counts.quantile(0.025)[0, 0, 0] <= whole) & (whole <= counts.quantile(0.975)[0, 0, 0])
    assert 0.95 <= inside.mean() < 0.985


def test_the_slope_of_a_place_is_drawn_to_the_worlds_the_less_the_more_it_has():
    """Magnitudes are rounded to tenths, as catalogues have them: those from 4.45 on are of at least 4.5."""
    rng = np.random.default_rng(2)
    few, many = (magnitude_law(np.round(4.45 + rng.exponential(1 / (1.4 * np.log(10)), n), 1), 4.5) for n in (20, 20_000))
    none = magnitude_law(np.empty(0), 4.5)
    assert none.b_value == pytest.approx(WORLD_B[0]) and none.largest_seen is None and none.events == 0
    assert none.b_sigma == pytest.approx(WORLD_B[0] / np.sqrt(PRIOR_EVENTS))
    assert many.b_value == pytest.approx(1.4, abs=0.04) and WORLD_B[0] < few.b_value < 1.3
    assert many.b_sigma < few.b_sigma <= none.b_sigma * 1.2
    assert many.shares(np.array([5.5])).mean() == pytest.approx(10**-1.4, rel=0.06)
    assert none.shares(np.array([5.5])).mean() > 10 ** -WORLD_B[0], "the doubt about b makes large earthquakes likelier on average"
    assert none.shares(np.array([5.5, 6.5])).mean(axis=0)[1] / 10 ** -(WORLD_B[0] + WORLD_B[1]) == pytest.approx(1.0, abs=0.3), "the bend"


def test_below_completeness_the_catalogues_own_share_counts():
    magnitudes = np.concatenate([np.full(100, 3.2), np.full(99, 4.0)])
    law = magnitude_law(magnitudes, 3.0, 4.0)
    assert law.shares(np.array([3.0, 4.0])).mean(axis=0) == pytest.approx([1.0, 99.5 / 199.5], rel=1e-6)
    with pytest.raises(ValueError, match="below the threshold"):
        law.shares(np.array([2.9]))


def test_magnitudes_go_up_to_eight_and_a_threshold_above_stands_alone():
    assert rung_magnitudes(4.5) == (4.5, 5.0, 5.5, 6.0, 6.5)
    assert rung_magnitudes(6.7) == (6.7, 7.2, 7.7)
    assert rung_magnitudes(8.3) == (8.3,)
    assert horizons_of(1) == (1, 3, 7, 30) and horizons_of(5) == (1, 3, 5, 7, 30)


def test_windows_of_several_days_are_those_of_a_model_of_such_windows(recipes):
    """The same parameters, asked by a recipe of seven days, give the same; the background of seven days is seven times that of one."""
    recipe = recipes["wellington"]
    days = target_days(recipe, date(2001, 5, 5), 1)
    events = sequence(recipe, int(days.cut_us[0]), [7.0, 5.0, 5.5], 40.0)
    model = etas.EtasModel(recipe, ONE, None, date(2000, 1, 1), "generic")
    reference = np.array([0.08])
    ends = days.target_starts_us[:, None] + DAY_US * np.array([[1, 3, 7, 30]])
    found = over_horizons(model, events, days, ends, reference)
    assert -np.expm1(-found.hit[:, 0]) == pytest.approx(model.probability(events, days, reference), rel=1e-9)
    assert found.number[:, 0] == pytest.approx(model.expected_count(events, days, reference), rel=1e-9)
    weekly = recipe.model_copy(update={"predict_range_days": 7})
    week = replace(model, recipe=weekly)
    reference_7 = -np.expm1(7 * np.log1p(-reference))
    days_7 = replace(days, target_ends_us=ends[:, 2])
    assert -np.expm1(-found.hit[:, 2]) == pytest.approx(week.probability(events, days_7, reference_7), rel=1e-9)
    runs = week.simulated(events, days_7, reference_7, np.random.default_rng(1), 20_000)
    assert -np.expm1(-found.hit[0, 2]) == pytest.approx((runs > 0).mean(), abs=0.015)
    assert found.number[0, 2] == pytest.approx(runs.mean(), rel=0.06)


def test_what_was_expected_and_observed_of_the_last_days(recipes):
    """The three days before, each by what was known at its own issue, with the day's reference; and the targets known at the issue."""
    recipe = recipes["wellington"]
    days = target_days(recipe, date(2001, 5, 5), 2)
    events = sequence(recipe, int(days.cut_us[0]), [7.0, 5.0, 5.5], 40.0)
    model = etas.EtasModel(recipe, ONE, None, date(2000, 1, 1), "generic")
    reference = np.array([0.08, 0.02])
    expected = number_before(model, events, days, reference, LOOK_BACK_DAYS)
    for j in range(2):
        past = target_days(recipe, date(2001, 5, 5 + j - LOOK_BACK_DAYS), LOOK_BACK_DAYS)
        assert expected[j] == pytest.approx(model.expected_count(events, past, np.repeat(reference[j], LOOK_BACK_DAYS)).sum(), rel=1e-9)
    weekly = replace(days, target_ends_us=days.target_starts_us + 7 * DAY_US)
    assert number_before(model, events, weekly, -np.expm1(7 * np.log1p(-reference)), LOOK_BACK_DAYS) == pytest.approx(expected, rel=1e-9)
    assert observed_before(recipe, events, days).tolist() == [3, 3]
    late = replace(events, known_at_us=np.where(events.magnitude == 5.0, days.cut_us[0] + 1, events.known_at_us))
    assert observed_before(recipe, late, days).tolist() == [2, 3]
    assert productivity(model, late, days, reference) == pytest.approx(
        productivity_of(np.array([2.0, 3.0]), number_before(model, late, days, reference, LOOK_BACK_DAYS)), rel=1e-12
    )


def test_the_usual_rate_of_longer_windows_is_how_often_they_held_one(recipes):
    """Every tenth of 4000 days has two: a tenth of all days, three tenths of all spans of three, each span of 30, two a tenth of a day."""
    days = target_days(recipes["wellington"], date(1990, 1, 1), 4000)
    counts = np.where(np.arange(4000) % 10 == 0, 2, 0)
    issue = days.target_starts_us[-1:] + 100 * DAY_US
    found = usual_horizons(counts, days, issue, (1, 3, 7, 30))
    assert -np.expm1(-found.hit[0, :3]) == pytest.approx([0.1, 0.3, 0.7], abs=0.002)
    assert found.number[0] == pytest.approx(0.2 * np.array([1, 3, 7, 30]), rel=0.01)


def test_a_probability_near_one_keeps_the_expected_number_of_etas():
    """1 - 1e-7 is as near to 1 as is ever said: it must not make 16 of the 60 that ETAS expects
    (somewhat more with clusters WIDER than its)."""
    base = Horizons(np.array([[50.0, 70.0, 80.0, 90.0]]), np.array([[60.0, 90.0, 110.0, 130.0]]))
    law = magnitude_law(np.empty(0), 4.5)
    counts: Counts = climb(np.array([1 - 1e-7]), base, 1, law)
    assert 60.0 < counts.expected()[0, 0, 0] < 70.0


def test_the_running_sequence_counts_for_days_not_for_a_month():
    """Twice as productive: days 2 and 3 count twice, days 4 to 7 by its root, later ones as ETAS says; the corner stays."""
    base = Horizons(np.array([[0.1, 0.3, 0.7, 3.0]]), np.array([[0.1, 0.3, 0.7, 3.0]]))
    law = magnitude_law(np.empty(0), 4.5)
    counts = climb(-np.expm1(-np.array([0.1])), base, 1, law, np.array([2.0]))
    hit = -np.log1p(-counts.probability()[0, :, 0])
    assert hit == pytest.approx(np.cumsum([0.1, 0.4, 0.4 * 2**0.5, 2.3]), rel=1e-6)
    assert productivity_of(np.array([30.0]), np.array([0.0])) == pytest.approx([2.0])


def test_clusters_do_not_shrink_with_the_horizon():
    """Ten clusters each, of many and then of single earthquakes: without care the longer window would have fewer."""
    shares = np.ones((1, 1))
    counts = coherent_counts(np.array([[10.0, 10.0, 10.0]]), np.array([[5.0, 9.0, 0.1]]), 1, shares)
    assert counts.cluster[0] == pytest.approx([5.0, 9.0, 9.0])
    counts = coherent_counts(np.array([[10.0, 10.0, 10.0]]), np.array([[20.0, 9.0, 12.0]]), 1, shares)
    assert counts.cluster[0] == pytest.approx([9.0, 9.0, 12.0])
    for level in (0.025, 0.975):
        assert (np.diff(counts.quantile(level)[0, :, 0]) >= 0).all()
