"""Trees without XGBoost against XGBoost itself, bit by bit, and the files that are refused.

Mutations that were seen to fail: `<=` for `<`, NaN sent the other way, a sum in double precision, a depth of one less.
"""

import numpy as np
import pytest
import xgboost

from forecaster.models import pretrained
from forecaster.models.gradient_boosting import load_trees, predict, train_trees
from forecaster.models.tree_file import BATCH, Trees, parse_ubjson, read_trees

FILES = sorted(pretrained.packaged().glob("*/trees.ubj"))


def booster(content: bytes) -> xgboost.Booster:
    found = xgboost.Booster()
    found.load_model(bytearray(content))
    return found


def said_by_xgboost(content: bytes, features: np.ndarray, start: np.ndarray) -> np.ndarray:
    return booster(content).predict(xgboost.DMatrix(features, base_margin=start), output_margin=True)


def drawn(trees: Trees, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of random numbers, of the thresholds themselves, of huge ones, and with numbers missing."""
    rng = np.random.default_rng(11)
    features = rng.normal(0, 5, (count, trees.features)).astype(np.float32)
    features[::3] = rng.choice(trees.threshold, features[::3].shape)
    features[rng.random(features.shape) < 0.05] = np.nan
    features[::50] = 1e30
    features[1::50] = -1e30
    return features, rng.normal(-3, 3, count)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_the_packaged_trees_say_the_same_to_the_last_bit(path) -> None:
    """In several batches, the last of one row."""
    trees = read_trees(path.read_bytes())
    rows = drawn(trees, 2 * BATCH + 1)
    said = trees.logits(*rows)
    assert np.array_equal(said, said_by_xgboost(path.read_bytes(), *rows).astype(np.float64))
    assert len(FILES) == 4 and said.std() > 1


def trained(**more: object) -> bytes:
    """Trees on numbers of which some are missing, so that both ways of a missing one are learned."""
    rng = np.random.default_rng(2)
    features = rng.normal(0, 1, (800, 4)).astype(np.float32)
    happened = (features[:, 0] + rng.normal(0, 0.5, 800) > 0.3) | (np.isnan(features[:, 1]))
    features[rng.random(features.shape) < 0.3] = np.nan
    parameters = {"max_depth": 6, "max_bin": 32} | more
    return train_trees(features, happened, np.ones(800), np.zeros(800), rounds=12, seed=1, parameters=parameters)


def test_what_we_train_is_what_we_read() -> None:
    content = trained()
    trees = load_trees(content)
    rows = drawn(trees, 500)
    assert np.array_equal(predict(trees, *rows, as_logit=True), said_by_xgboost(content, *rows).astype(np.float64))
    probability = booster(content).predict(xgboost.DMatrix(rows[0], base_margin=rows[1]))
    assert predict(trees, *rows) == pytest.approx(probability.astype(np.float64), abs=1e-7)
    ways = trees.missing[trees.low != np.arange(len(trees.low))] == trees.low[trees.low != np.arange(len(trees.low))]
    assert ways.any() and not ways.all()


def test_no_row_and_rows_that_cannot_be_ours() -> None:
    trees = read_trees(trained())
    assert trees.logits(np.empty((0, 4)), np.empty(0)).shape == (0,)
    with pytest.raises(ValueError, match=r"4 numbers a row, got an array of shape \(2, 5\)"):
        trees.logits(np.zeros((2, 5)), np.zeros(2))
    with pytest.raises(ValueError, match="infinite"):
        trees.logits(np.full((2, 4), np.inf), np.zeros(2))


def test_trees_of_another_kind_are_refused() -> None:
    features, count = np.random.default_rng(1).normal(size=(100, 3)), np.arange(100.0)
    for parameters in ({"objective": "reg:squarederror"}, {"objective": "binary:logistic", "booster": "dart"}):
        made = xgboost.train(parameters, xgboost.DMatrix(features, count > 50), 3)
        with pytest.raises(ValueError, match="of another kind"):
            read_trees(bytes(made.save_raw("ubj")))


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"[#i", b"{" * 100, b"[" * 100, b"\xff\xfe", b'{"learner": 1}', b"{i\x07learnerZ}"])
def test_what_is_no_file_of_trees(content) -> None:
    with pytest.raises(ValueError):
        read_trees(content)


def test_a_file_that_is_cut_short_or_garbled_anywhere_is_refused_or_read() -> None:
    """Any end, and any single byte: a ValueError, or trees that end in leaves; never another error or an endless walk."""
    content = trained(max_depth=2)
    rng = np.random.default_rng(3)
    for end in rng.integers(0, len(content), 300):
        with pytest.raises(ValueError):
            read_trees(content[:end])
    refused = 0
    for place in rng.integers(0, len(content), 600):
        garbled = bytearray(content)
        garbled[place] ^= int(rng.integers(1, 256))
        try:
            trees = read_trees(bytes(garbled))
        except ValueError:
            refused += 1
            continue
        assert np.isfinite(trees.logits(np.zeros((3, trees.features)), np.zeros(3))).all()
    assert refused > 100


def changed(name: str, place: int, value: float) -> bytes:
    """The content with one number of the first tree's column replaced."""
    content = trained(max_depth=2)
    column = parse_ubjson(content)["learner"]["gradient_booster"]["model"]["trees"][0][name]
    stored = column.astype(column.dtype.newbyteorder(">"))
    other = stored.copy()
    other[place] = value
    at = content.index(stored.tobytes(), content.index(name.encode()))
    return content[:at] + other.tobytes() + content[at + len(stored.tobytes()) :]


@pytest.mark.parametrize(
    ("name", "value"),
    [("left_children", 0), ("left_children", 999), ("right_children", -1), ("split_indices", 4), ("split_conditions", np.nan)],
)
def test_nodes_that_lead_nowhere(name, value) -> None:
    """To itself, out of the tree, to one child only; a feature that rows do not have; a threshold that is no number."""
    read_trees(trained(max_depth=2))
    with pytest.raises(ValueError, match="tree 0 has a node"):
        read_trees(changed(name, 0, value))
