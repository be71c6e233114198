"""The pooled trees: what training may see, that serving computes what training did, and a toy whose answer is known."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.decayed_counts import decayed_counts
from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models import pretrained
from forecaster.models.interface import History
from forecaster.models.pooled import pooled
from forecaster.models.pooled.pooled_intensity import Intensity, fit_intensity, rate_of
from forecaster.models.pooled.pooled_training import Pool, PoolSettings, build_pool, events_until, pretrain, train
from forecaster.timewindow import DAY_US
from tests.support.clustered_world import circles_at, clustered_events, history_until

UNTIL = date(1990, 12, 31)
SMALL = PoolSettings(circles=3, first_day=date(1980, 1, 1), rounds=5)
PLACES = ((10.0, 20.0), (-30.0, 100.0), (50.0, -150.0))


@pytest.fixture(scope="module")
def catalogue() -> Events:
    """Twenty years to 1993 of mainshocks at three places, 25 a year each, every fourth with four aftershocks within three days."""
    return clustered_events(
        PLACES,
        np.random.default_rng(11),
        first_year=3,
        years=20,
        mainshocks=500,
        clustered_share=0.25,
        aftershocks=4,
        within_days=3,
        known_within_us=5 * DAY_US,
    )


@pytest.fixture(scope="module")
def circles() -> list:
    return circles_at(PLACES)


@pytest.fixture(scope="module")
def shelf(catalogue, new_shelf) -> Path:
    """A folder with an artefact trained on the toy to 1990."""
    return new_shelf(pooled.KIND, UNTIL, pretrain(catalogue, catalogue, UNTIL, SMALL))


@pytest.fixture(scope="module")
def history(catalogue, circles) -> History:
    return history_until(catalogue, circles[0], date(1992, 11, 30))


def test_intensity_by_hand() -> None:
    """b = 0.5, reference 1 - exp(-0.2), counts 3 and 1 with c = 0.1 and 0.4: mu = 0.1 + 0.3 + 0.4 = 0.8, P = 1 - exp(-0.8) = 0.55067."""
    intensity = Intensity(0.5, np.array([0.1, 0.4]))
    reference = 1 - np.exp(-0.2)
    assert intensity.probability(np.array([[3.0, 1.0]]), np.array([reference])) == pytest.approx([0.55067], abs=1e-5)
    assert np.isnan(intensity.probability(np.array([[3.0, 1.0]]), np.array([np.nan])))


def test_intensity_finds_the_truth_it_was_drawn_from() -> None:
    """60 000 days drawn with b = 0.6 and c = (0.2, 0, 0.05): found within three standard errors (.03, .01, .005, from 40 draws)."""
    rng = np.random.default_rng(3)
    counts = rng.exponential(1.0, (60_000, 3)) * (rng.random((60_000, 3)) < 0.3)
    reference = rng.uniform(0.02, 0.3, 60_000)
    truth = Intensity(0.6, np.array([0.2, 0.0, 0.05]))
    happened = rng.random(60_000) < truth.probability(counts, reference)
    found = fit_intensity(counts.astype(np.float32), reference, happened, np.ones(60_000, dtype=np.float32))
    assert found.background == pytest.approx(0.6, abs=0.09)
    assert found.coefficients == pytest.approx(truth.coefficients, abs=0.03) and found.coefficients[1] < 0.005


def test_only_the_trunk_tells_depths_apart() -> None:
    """With shallow and deep counts changing places the trees see the same columns; the excess follows from the trunk, given here."""
    counts = np.random.default_rng(8).exponential(2.0, (6, 24, 2, 3)).astype(np.float32)
    reference, trunk = np.full(6, 0.1), np.full(6, 0.3)
    one, other = (pooled.tree_features(each.reshape(6, 144), reference, trunk) for each in (counts, counts[:, :, ::-1]))
    assert one.shape == (6, 37) and one == pytest.approx(other, rel=1e-5)
    deep = Intensity(0.5, np.array([name.endswith("_deep_a0") for name in pooled.COUNTS.names], dtype=float))
    assert deep.probability(counts.reshape(6, 144), reference) == pytest.approx(
        -np.expm1(-(0.5 * rate_of(reference) + counts[:, :, 1, 0].sum(axis=1, dtype=float))), rel=1e-5
    )


def test_weights_undo_the_thinning(catalogue, circles) -> None:
    """Each day stands for 1 / share days of its kind, so weights add up to all 3 x 4018 days (1980 to 1990), targets to all targets, within
    three standard errors (the quiet ones of share .035: sqrt(10000 x 27) = 520)."""
    pool = build_pool(catalogue, catalogue, circles, UNTIL, SMALL, np.random.default_rng(5))
    days = target_days(circles[0], SMALL.first_day, 4018)
    targets = sum(int(daily_labels(catalogue, circle, days)[0].sum()) for circle in circles)
    assert pool.weight.sum() == pytest.approx(3 * 4018, abs=1600)
    assert pool.weight[pool.happened].sum() == pytest.approx(targets, rel=0.1)
    assert len(pool) < 3 * 4018 / 4 and set(pool.circle) == {0, 1, 2}


def test_training_sees_what_serving_computes(catalogue, circles, history) -> None:
    """Every day of the pool, found again by its counts among those of serving, with the same reference; arrays of one day included."""
    keep_all = replace(SMALL, active_share=1.0, quiet_share=1.0, targets_a_circle=10**9)
    pool = build_pool(catalogue, catalogue, circles[:1], UNTIL, keep_all, np.random.default_rng(5))
    served = (history.days.local_days >= np.datetime64(SMALL.first_day)) & (history.days.local_days <= np.datetime64(UNTIL))
    days = history.days.take(served)
    assert np.array_equal(pool.happened, history.happened[served]) and np.array_equal(pool.reference, history.reference[served])
    np.testing.assert_allclose(pool.counts, decayed_counts(catalogue, circles[0], days, pooled.COUNTS), rtol=1e-6, atol=2e-6)
    for day in (0, 1000, 3000):
        one = slice(day, day + 1)
        np.testing.assert_allclose(
            pool.counts[one], decayed_counts(catalogue, circles[0], days.take(one), pooled.COUNTS), rtol=1e-6, atol=2e-6
        )


def test_training_sees_nothing_after_its_last_day(catalogue, shelf) -> None:
    """With everything from 1991 on taken away, a second training gives the same artefact, byte for byte."""
    past = events_until(catalogue, UNTIL)
    assert len(past) < len(catalogue)
    files, record = pretrain(past, past, UNTIL, SMALL)
    kept = pretrained.load_pretrained(shelf / f"pooled-{UNTIL}")
    assert {name: (kept.folder / name).read_bytes() for name in kept.record["files"]} == files
    assert kept.record | json.loads(json.dumps(record)) == kept.record


def test_aftershocks_raise_the_probability(on_shelf, history) -> None:
    """Clustered as the toy is, the forecast gains on days that the trees have not seen."""
    model = pooled.fit(history.until(np.datetime64("1991-01-16")))
    new = history.take(history.days.local_days >= np.datetime64("1991-01-17"))
    found = model.probability(new.inputs.known_at_once(), new.days, new.reference)
    gain = np.where(new.happened, np.log(found / new.reference), np.log1p(-found) - np.log1p(-new.reference)).sum() / new.happened.sum()
    assert gain > 0.05


def test_the_future_changes_no_forecast(on_shelf, history) -> None:
    """Events that happen, become known or are withdrawn after the last cut play no part."""
    model = pooled.fit(history)
    days, reference = history.days.take(slice(6900, 6950)), history.reference[6900:6950]
    cut = days.cut_us[-1]
    past = history.inputs.known_before(cut)
    assert np.array_equal(model.probability(history.inputs, days, reference), model.probability(past, days, reference))


def test_one_day_alone_is_forecast_as_among_others(on_shelf, history) -> None:
    model = pooled.fit(history)
    days, reference = history.days.take(slice(6900, 6930)), history.reference[6900:6930]
    whole = model.probability(history.inputs, days, reference)
    alone = [model.probability(history.inputs, days.take(slice(day, day + 1)), reference[day : day + 1])[0] for day in range(30)]
    assert whole == pytest.approx(alone, rel=1e-5)


def test_no_reference_no_forecast(on_shelf, history) -> None:
    days = history.days.take(slice(6900, 6902))
    found = pooled.fit(history).probability(history.inputs, days, np.array([np.nan, 0.1]))
    assert np.isnan(found[0]) and 0 < found[1] < 1
    assert np.isnan(pooled.fit(history).probability(history.inputs, days, np.full(2, np.nan))).all()


def test_trees_that_have_seen_later_days_are_refused(on_shelf, history) -> None:
    assert pooled.fit(history.until(np.datetime64("1990-12-31"))).last_data_day == UNTIL
    with pytest.raises(NotTrainable, match="ends by 1990-12-30"):
        pooled.fit(history.until(np.datetime64("1990-12-30")))


def test_saved_and_loaded(on_shelf, history, tmp_path) -> None:
    model = pooled.fit(history)
    record = json.loads(json.dumps(model.save(tmp_path)))
    again = pooled.load(tmp_path, record, history.recipe)
    days, reference = history.days.take(slice(6900, 6930)), history.reference[6900:6930]
    assert again == model
    assert np.array_equal(again.probability(history.inputs, days, reference), model.probability(history.inputs, days, reference))


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"data_until": "1989-12-31"}, {"data_until": None}, {"data_until": "soon"}])
def test_a_record_that_cannot_be_trusted(on_shelf, history, tmp_path, change) -> None:
    """Other trees, an artefact that is not there, no date."""
    with pytest.raises(CorruptModel):
        pooled.load(tmp_path, pooled.fit(history).save(tmp_path) | change, history.recipe)


@pytest.mark.parametrize("name", [pooled.TREES_FILE, pooled.INTENSITY_FILE])
def test_files_that_are_no_trees(shelf, tmp_path, history, name) -> None:
    """Hashes fit, content does not: another kind's files under our names."""
    source = shelf / f"pooled-{UNTIL}"
    files = {
        pooled.TREES_FILE: (source / pooled.TREES_FILE).read_bytes(),
        pooled.INTENSITY_FILE: (source / pooled.INTENSITY_FILE).read_bytes(),
    }
    made = pretrained.write_pretrained(tmp_path, pooled.KIND, UNTIL, files | {name: b"{}"}, {"circles": 1, "seed": 1, "code": "0"})
    with pytest.raises(CorruptModel, match="holds no pooled trees"):
        pooled.pooled_probability(made, history.inputs, history.recipe, history.days.take(slice(6900, 6901)), np.array([0.1]))


def test_a_pool_needs_circles_days_and_targets(catalogue, circles) -> None:
    with pytest.raises(NotTrainable, match="0 circles"):
        build_pool(catalogue, catalogue, [], UNTIL, SMALL, np.random.default_rng(1))
    with pytest.raises(NotTrainable, match="make no pool"):
        build_pool(catalogue, catalogue, circles, date(1979, 12, 31), SMALL, np.random.default_rng(1))
    empty = np.zeros((4, len(pooled.COUNTS.names)), dtype=np.float32)
    with pytest.raises(NotTrainable, match="0 target days among 4"):
        train(Pool(empty, np.full(4, 0.1), np.zeros(4, dtype=bool), np.ones(4), np.zeros(4, dtype=int)), SMALL)


def test_rate_of_a_probability() -> None:
    """-log(1 - 0.5) = 0.693; never infinite."""
    assert rate_of(np.array([0.5, 0.0, 1.0])) == pytest.approx([0.69315, 1e-7, 16.118], rel=1e-3)
