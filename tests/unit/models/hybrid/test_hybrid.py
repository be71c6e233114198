"""The hybrid: where it starts, what its training may see, that serving computes what training did. Toys of two circles.

Mutations that were seen to fail are named in the docstrings.
"""

import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import keras
import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.events import Events
from forecaster.features.symmetries import turned
from forecaster.features.windows import target_days
from forecaster.models import pretrained
from forecaster.models.hybrid import hybrid
from forecaster.models.hybrid.hybrid_inference import Network, read_network, ring_shares
from forecaster.models.hybrid.hybrid_inputs import SIDE_COLUMNS, Counted, observe
from forecaster.models.hybrid.hybrid_network import GridConvLSTM, build_network, network_bytes
from forecaster.models.hybrid.hybrid_pool import Thinning, build_pool
from forecaster.models.hybrid.hybrid_training import TrainingSettings, pretrain, train_network
from forecaster.models.hybrid.hybrid_trees import TreeSettings, tree_logits
from forecaster.models.interface import History, logit, sigmoid
from forecaster.models.pooled.pooled_training import events_until
from forecaster.timewindow import DAY_US
from tests.support.clustered_world import circles_at, history_until, twelve_years

UNTIL = date(1984, 12, 31)
PLACES = ((10.0, 20.0), (-30.0, 100.0))
THIN = Thinning(first_day=date(1980, 1, 1), active_share=0.5, quiet_share=0.3)
TREES = TreeSettings(5, TreeSettings().parameters | {"min_child_weight": 20})
SMALL = TrainingSettings(circles=2, thinning=THIN, trees=TREES, networks=2, filters=2, hidden=8, joined=8, rows=600, epochs=2, batch=64)


@pytest.fixture(scope="module")
def catalogue() -> Events:
    return twelve_years(PLACES)


@pytest.fixture(scope="module")
def circles() -> list:
    return circles_at(PLACES)


@pytest.fixture(scope="module")
def shelf(catalogue, new_shelf) -> Path:
    """A folder with an artefact trained on the toy to 1984."""
    return new_shelf(hybrid.KIND, UNTIL, pretrain(catalogue, catalogue, UNTIL, SMALL))


@pytest.fixture(scope="module")
def history(catalogue, circles) -> History:
    return history_until(catalogue, circles[0], date(1987, 11, 30))


def random_inputs(count: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, 9, 5, 5, 4)).astype(np.float32), rng.normal(0, 1, (count, len(SIDE_COLUMNS))).astype(np.float32)


def served(network: keras.Model, folder: Path) -> Network:
    """The network as it serves: written to its file and read again without Keras."""
    (folder / "network-0.keras").write_bytes(network_bytes(network))
    return read_network(folder / "network-0.keras")


def test_an_untrained_network_changes_nothing(tmp_path) -> None:
    """Its residual is 0 to the last bit, so the blend is the trunk plus the trees' share; a last layer that is drawn fails."""
    network = build_network(1, len(SIDE_COLUMNS), filters=3, hidden=8, joined=8)
    residual = served(network, tmp_path).residual(*random_inputs(50))
    assert np.array_equal(residual, np.zeros(50))
    start = np.linspace(-6, 3, 50)
    assert np.array_equal(hybrid.blend(start, start, residual), sigmoid(start))


def test_the_matrix_is_a_convolution() -> None:
    """The same weights in keras.layers.ConvLSTM2D, whose bias is one for all steps, give the same state to 1e-5."""
    layer = GridConvLSTM(3, seed=2)
    pictures = random_inputs(6)[0]
    layer(pictures)
    other = keras.layers.ConvLSTM2D(3, 3, padding="same")
    other.build(pictures.shape)
    kernel, recurrent, bias = layer.get_weights()
    other.set_weights([kernel, recurrent, bias[0]])
    assert (bias == bias[0]).all()
    np.testing.assert_allclose(layer(pictures), other(pictures), atol=1e-5)


def test_days_since_a_large_shock_as_known(circles) -> None:
    """M 6.5 at the centre 100 days before the first cut, known from the second on, withdrawn at the fourth: log(101.1) and log(102.1) on
    the second and third day, the longest, log(20000.1), on the others. Ignoring `known_at` or `known_until` fails. It is no M 7."""
    days = target_days(circles[0], date(1980, 1, 1), 4)
    origin = days.cut_us[0] - 100 * DAY_US
    times = (np.array([value]) for value in (origin, days.cut_us[1]))
    place = (np.array([value]) for value in (*PLACES[0], 10.0, 6.5))
    shock = Events(*times, *place, np.array([days.cut_us[3]]))
    since = observe(shock, circles[0], days, np.full(4, 0.1)).since
    assert since[:, 0] == pytest.approx(np.log([20_000.1, 101.1, 102.1, 20_000.1]), abs=1e-4)
    assert since[:, 1] == pytest.approx(np.full(4, np.log(20_000.1)))


def test_networks_and_trees_see_all_depths_together() -> None:
    """Shallow and deep counts (24 of each, of three exponents) may change places."""
    rng = np.random.default_rng(9)
    counts = rng.exponential(2.0, (6, 24, 2, 3)).astype(np.float32)
    rest = (np.zeros((6, 2), np.float32), np.zeros((6, 6), np.float32), np.full(6, 0.1))
    one, other = (Counted(each.reshape(6, 144), *rest) for each in (counts, counts[:, :, ::-1]))
    trunk = np.full(6, 0.3)
    assert one.side(trunk).shape == (6, len(SIDE_COLUMNS)) == (6, 81)
    assert one.side(trunk) == pytest.approx(other.side(trunk), rel=1e-5) and one.table() == pytest.approx(other.table(), rel=1e-5)


def test_rings_by_hand() -> None:
    """Cells of half a radius: centre and its four neighbours lie within .6 (5 cells), the diagonal ones (.707) and those a radius away
    within 1 (8), the other 12 beyond."""
    shares = ring_shares(5)
    assert [np.count_nonzero(shares[..., ring]) for ring in range(3)] == [5, 8, 12]
    assert shares.sum(axis=(0, 1)) == pytest.approx([1, 1, 1])
    assert shares[2, 2, 0] == pytest.approx(0.2) and shares[0, 0, 2] == pytest.approx(1 / 12)


def test_eight_symmetries_are_all_different() -> None:
    pictures = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5, 1)
    assert len({turned(pictures, symmetry, 2).tobytes() for symmetry in range(8)}) == 8
    assert np.array_equal(turned(pictures, 0, 2), pictures)


def test_weights_undo_the_thinning(catalogue, circles) -> None:
    """Weights add up to all 2 x 1827 days (1980 to 1984) within three standard errors of the quiet ones, 3 sqrt(3000 x .7 / .3) = 250."""
    pool = build_pool(catalogue, catalogue, circles, UNTIL, THIN, np.random.default_rng(5))
    assert pool.weight.sum() == pytest.approx(2 * 1827, abs=250)
    assert (pool.weight[pool.happened] == 1).all() and len(pool) < 2 * 1827


def test_training_sees_what_serving_computes(catalogue, circles, history) -> None:
    """Every day of a pool that keeps all days, against `observe` on the days of the first circle, all at once and one alone."""
    keep_all = Thinning(THIN.first_day, 10**9, 1.0, 1.0)
    whole = build_pool(catalogue, catalogue, circles[:1], UNTIL, keep_all, np.random.default_rng(5))
    pool, patches = whole.observed, whole.patches()
    served = (history.days.local_days >= np.datetime64(THIN.first_day)) & (history.days.local_days <= np.datetime64(UNTIL))
    days, reference = history.days.take(served), history.reference[served]
    assert np.array_equal(pool.reference, reference)
    for some in (slice(None), slice(1000, 1001)):
        seen = observe(catalogue, circles[0], days.take(some), reference[some])
        np.testing.assert_allclose(pool.counts[some], seen.counts, rtol=1e-6, atol=2e-6)
        np.testing.assert_allclose(pool.rates[some], seen.rates, atol=1e-5)
        assert np.array_equal(patches[some], seen.patches) and np.array_equal(pool.since[some], seen.since)


@pytest.mark.slow
def test_training_sees_nothing_after_its_last_day_and_is_reproducible(catalogue, shelf) -> None:
    """With everything from 1985 on taken away, a second training of the same seed gives the same artefact, byte for byte."""
    past = events_until(catalogue, UNTIL)
    assert len(past) < len(catalogue)
    files, record = pretrain(past, past, UNTIL, SMALL)
    kept = pretrained.load_pretrained(shelf / f"hybrid-{UNTIL}")
    assert {name: (kept.folder / name).read_bytes() for name in kept.record["files"]} == files
    assert kept.record | json.loads(json.dumps(record)) == kept.record
    assert files["network-0.keras"] != files["network-1.keras"]


@pytest.mark.trains
def test_training_lowers_the_loss(catalogue, circles, tmp_path) -> None:
    """On its own pool, from a trunk that is the climatology alone: the clusters of the toy can be learned."""
    pool = build_pool(catalogue, catalogue, circles, UNTIL, THIN, np.random.default_rng(5))
    trunk = pool.observed.reference

    def loss(probability: np.ndarray) -> float:
        return float(np.average(np.logaddexp(0, np.where(pool.happened, -1, 1) * logit(probability)), weights=pool.weight))

    network, _ = train_network(pool, trunk, 3, replace(SMALL, epochs=6))
    residual = served(network, tmp_path).residual(pool.patches(), pool.observed.side(trunk))
    assert loss(sigmoid(logit(trunk) + residual)) < loss(trunk) - 0.005


def test_the_future_changes_no_forecast(on_shelf, history) -> None:
    """Events that happen, become known or are withdrawn after the last cut play no part."""
    model = hybrid.fit(history)
    days, reference = history.days.take(slice(5000, 5040)), history.reference[5000:5040]
    cut = days.cut_us[-1]
    past = history.inputs.known_before(cut)
    whole = model.probability(history.inputs, days, reference)
    assert np.array_equal(whole, model.probability(past, days, reference))
    assert len(past) < len(history.inputs) and whole.std() > 0.01


def test_one_day_alone_is_forecast_as_among_others(on_shelf, history) -> None:
    model = hybrid.fit(history)
    days, reference = history.days.take(slice(5000, 5010)), history.reference[5000:5010]
    whole = model.probability(history.inputs, days, reference)
    alone = [model.probability(history.inputs, days.take(slice(day, day + 1)), reference[day : day + 1])[0] for day in range(10)]
    assert whole == pytest.approx(alone, rel=1e-4)


def test_the_blend_is_what_the_parts_say(on_shelf, history) -> None:
    """With the parts' own functions: trunk, trees and both networks; dropping one of the networks or a share fails."""
    model = hybrid.fit(history)
    days, reference = history.days.take(slice(5000, 5040)), history.reference[5000:5040]
    trunk, trees, networks = hybrid._content(model.pretrained.folder, model.pretrained.sha256)
    seen = observe(history.inputs, history.recipe, days, reference)
    start = trunk.probability(seen.counts, reference)
    residuals = [network.residual(seen.patches, seen.side(start)) for network in networks]
    assert len(residuals) == 2 and np.abs(residuals[0] - residuals[1]).max() > 1e-4
    corrected = tree_logits(trees, seen)
    assert np.abs(corrected - logit(reference)).max() > 1e-4
    expected = (
        (1 - hybrid.TREES_SHARE) * logit(start) + hybrid.TREES_SHARE * corrected + hybrid.NETWORKS_SHARE * (residuals[0] + residuals[1]) / 2
    )
    assert logit(model.probability(history.inputs, days, reference)) == pytest.approx(expected, abs=1e-6)


def test_no_reference_no_forecast(on_shelf, history) -> None:
    days = history.days.take(slice(5000, 5002))
    found = hybrid.fit(history).probability(history.inputs, days, np.array([np.nan, 0.1]))
    assert np.isnan(found[0]) and 0 < found[1] < 1
    assert np.isnan(hybrid.fit(history).probability(history.inputs, days, np.full(2, np.nan))).all()


def test_networks_that_have_seen_later_days_are_refused(on_shelf, history) -> None:
    assert hybrid.fit(history.until(np.datetime64("1984-12-31"))).last_data_day == UNTIL
    with pytest.raises(NotTrainable, match="ends by 1984-12-30"):
        hybrid.fit(history.until(np.datetime64("1984-12-30")))


def test_saved_and_loaded(on_shelf, history, tmp_path) -> None:
    model = hybrid.fit(history)
    record = json.loads(json.dumps(model.save(tmp_path)))
    assert hybrid.load(tmp_path, record, history.recipe) == model


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"data_until": "1979-12-31"}, {"data_until": None}])
def test_a_record_that_cannot_be_trusted(on_shelf, history, tmp_path, change) -> None:
    """Another training, an artefact that is not there, no date."""
    with pytest.raises(CorruptModel):
        hybrid.load(tmp_path, hybrid.fit(history).save(tmp_path) | change, history.recipe)


@pytest.mark.parametrize("name", ["network-0.keras", "trees.ubj", "trunk.json"])
def test_files_that_are_no_hybrid(shelf, tmp_path, history, name) -> None:
    """Hashes fit, content does not: another kind's files under our names."""
    source = shelf / f"hybrid-{UNTIL}"
    files = {file: (source / file).read_bytes() for file in ("network-0.keras", "network-1.keras", "trees.ubj", "trunk.json")}
    made = pretrained.write_pretrained(tmp_path, hybrid.KIND, UNTIL, files | {name: b"{}"}, {"circles": 1, "seed": 1, "code": "0"})
    model = hybrid.HybridModel(history.recipe, made)
    with pytest.raises(CorruptModel, match="holds no hybrid"):
        model.probability(history.inputs, history.days.take(slice(5000, 5001)), np.array([0.1]))


def test_a_network_is_the_same_bytes_each_time() -> None:
    network = build_network(5, len(SIDE_COLUMNS), filters=2, hidden=4, joined=4)
    assert network_bytes(network) == network_bytes(network)


def test_a_network_is_the_same_bytes_in_each_process() -> None:
    """Keras writes addresses of objects into its file: a second process would give another hash for the same weights."""
    with zipfile.ZipFile(io.BytesIO(network_bytes(build_network(3, len(SIDE_COLUMNS), filters=2, hidden=8, joined=8)))) as file:
        shared = re.findall(rb'"shared_object_id": (\d+)', file.read("config.json"))
    assert shared and set(shared) == {str(number + 1).encode() for number in range(len(set(shared)))}
