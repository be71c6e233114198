"""Boosted trees without XGBoost: read its binary JSON (UBJSON) files as data, and compute their correction of a logit in numpy.

Importing XGBoost also imports scikit-learn and half of SciPy, which takes longer than the rest of a forecast. XGBoost trains the trees
(`gradient_boosting`); this module serves them. Nodes are numbered so that children come after their parents, as XGBoost does. A leaf's
value is stored where an inner node has its threshold. As in XGBoost, a row goes left where its feature, in single precision, lies below the
threshold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = 1024
DEEPEST_NESTING = 16
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"Z": None, "T": True, "F": False}


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees, one after the other; arrays of shape (nodes,).

    roots: int64 (trees,).
    feature, threshold: of inner nodes. value: of leaves, 0 elsewhere.
    low, high: the next node where the feature is below the threshold, and where it is not; a leaf points to itself. missing: the next node
    where the feature is NaN.
    features: number of features of a row. depth: of the deepest tree.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    features: int
    depth: int

    def logits(self, features: np.ndarray, start: np.ndarray) -> np.ndarray:
        """float64 (n,): `start` (n,) corrected by the trees for these rows (n, features), summed in single precision, tree by tree.

        Raises:
            ValueError: rows of another width, or an infinite number: a bug in quakecast.
        """
        if features.ndim != 2 or features.shape[1] != self.features:
            raise ValueError(f"the trees see {self.features} numbers a row, got an array of shape {features.shape}")
        if np.isinf(features).any():
            raise ValueError("the trees see an infinite number; a missing one is NaN")
        first = np.asarray(start, dtype=np.float32)[:, None]
        found = np.empty(len(first))
        for at in range(0, len(found), BATCH):
            rows = slice(at, at + BATCH)
            values = self.value[self._leaves(features[rows].astype(np.float32))]
            found[rows] = np.add.accumulate(np.concatenate([first[rows], values], axis=1), axis=1)[:, -1]
        return found

    def _leaves(self, features: np.ndarray) -> np.ndarray:
        """int64 (n, trees): the leaf that each row reaches in every tree."""
        first = (np.arange(len(features)) * self.features)[:, None]
        flat = features.ravel()
        nodes = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        for _ in range(self.depth):
            seen = flat[first + self.feature[nodes]]
            after = np.where(seen < self.threshold[nodes], self.low[nodes], self.high[nodes])
            nodes = np.where(np.isnan(seen), self.missing[nodes], after)
        return nodes


def read_trees(content: bytes) -> Trees:
    """The trees of a file written by XGBoost's `save_raw("ubj")`: a plain ensemble (gbtree) for binary outcomes.

    Raises:
        ValueError: the content is not such a file; the message tells what is wrong.
    """
    try:
        learner = parse_ubjson(content)["learner"]
        booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
        if (booster["name"], learner["objective"]["name"]) != ("gbtree", "binary:logistic") or parameters["num_target"] != "1":
            raise ValueError(
                f"trees of another kind: {booster['name']}, {learner['objective']['name']}, {parameters['num_target']} targets"
            )
        return _joined(booster["model"]["trees"], int(parameters["num_feature"]))
    except (KeyError, TypeError, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"no trees of XGBoost: {error!r}") from error


def _joined(trees: list[dict[str, Any]], features: int) -> Trees:
    parts, roots, depth, total = [], [], 0, 0
    for number, tree in enumerate(trees):
        left, right = (np.asarray(tree[name], dtype=np.int64) for name in ("left_children", "right_children"))
        feature, threshold = np.asarray(tree["split_indices"], dtype=np.int64), np.asarray(tree["split_conditions"], dtype=np.float32)
        default = np.asarray(tree["default_left"], dtype=bool)
        count = len(left)
        if not count or any(part.shape != (count,) for part in (right, feature, threshold, default)) or len(tree["categories"]):
            raise ValueError(f"tree {number} has no nodes, categories, or columns of different lengths")
        own, leaf = np.arange(count), left == -1
        inner = ~leaf
        grows = (left > own) & (left < count) & (right > own) & (right < count) & (feature >= 0) & (feature < features)
        if not (grows | leaf).all() or not np.isfinite(threshold[leaf]).all() or np.isnan(threshold).any():
            raise ValueError(f"tree {number} has a node that leads nowhere, a feature that is not there, or a value that is no number")
        levels = np.zeros(count, dtype=np.int64)
        for node in np.flatnonzero(inner):
            levels[[left[node], right[node]]] = levels[node] + 1
        depth = max(depth, int(levels.max()))
        low, high = np.where(leaf, own, left), np.where(leaf, own, right)
        roots.append(total)
        value = np.where(leaf, threshold, np.float32(0.0))
        parts.append((np.where(leaf, 0, feature), threshold, value, low + total, high + total, np.where(default, low, high) + total))
        total += count
    if not roots:
        raise ValueError("a file without trees")
    feature, threshold, value, low, high, missing = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Trees(np.array(roots, dtype=np.int64), feature, threshold, value, low, high, missing, features, depth)


def parse_ubjson(content: bytes) -> Any:
    """The value of a UBJSON document (https://ubjson.org) as XGBoost writes it. Arrays of numbers become numpy arrays.

    Raises:
        ValueError, IndexError: the document is truncated, nested too deeply, or not UBJSON.
    """
    value, end = _value(content, 1, _marker(content, 0), 0)
    if end != len(content):
        raise ValueError(f"{len(content) - end} bytes follow the document")
    return value


def _marker(content: bytes, at: int) -> str:
    return chr(content[at])


def _value(content: bytes, at: int, kind: str, depth: int) -> tuple[Any, int]:
    """(the value of this kind that begins at `at`, where it ends)."""
    if depth > DEEPEST_NESTING:
        raise ValueError(f"nested more than {DEEPEST_NESTING} deep")
    if kind in _NUMBERS:
        column, end = _numbers(content, at, kind, 1)
        return column[0].item(), end
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind == "S":
        return _text(content, at)
    if kind == "{":
        return _object(content, at, depth)
    if kind == "[":
        return _array(content, at, depth)
    raise ValueError(f"no UBJSON: {kind!r} at byte {at - 1}")


def _object(content: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    found = {}
    while _marker(content, at) != "}":
        name, at = _text(content, at)
        found[name], at = _value(content, at + 1, _marker(content, at), depth + 1)
    return found, at + 1


def _array(content: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind = None
    if _marker(content, at) == "$":
        kind, at = _marker(content, at + 1), at + 2
    if _marker(content, at) != "#":
        found = []
        while _marker(content, at) != "]":
            item, at = _value(content, at + 1, _marker(content, at), depth + 1)
            found.append(item)
        return found, at + 1
    count, at = _length(content, at + 1)
    if kind in _NUMBERS:
        return _numbers(content, at, kind, count)
    found = []
    for _ in range(count):
        marker, start = (kind, at) if kind else (_marker(content, at), at + 1)
        item, at = _value(content, start, marker, depth + 1)
        found.append(item)
    return found, at


def _numbers(content: bytes, at: int, kind: str, count: int) -> tuple[np.ndarray, int]:
    """(numbers of this type in the byte order of this machine, where they end)."""
    stored = np.dtype(_NUMBERS[kind])
    end = at + count * stored.itemsize
    if end > len(content):
        raise ValueError(f"cut short: {count} numbers begin at byte {at} of {len(content)}")
    return np.frombuffer(content, stored, count, at).astype(stored.newbyteorder("=")), end


def _length(content: bytes, at: int) -> tuple[int, int]:
    kind = _marker(content, at)
    if kind not in "iUIlL":
        raise ValueError(f"a length of kind {kind!r} at byte {at}")
    column, end = _numbers(content, at + 1, kind, 1)
    if not 0 <= column[0] <= len(content):
        raise ValueError(f"a length of {column[0]} at byte {at} of {len(content)}")
    return int(column[0]), end


def _text(content: bytes, at: int) -> tuple[str, int]:
    count, at = _length(content, at)
    if at + count > len(content):
        raise ValueError(f"cut short: a text of {count} bytes begins at byte {at} of {len(content)}")
    return content[at : at + count].decode(), at + count
