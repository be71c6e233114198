"""Balance the classes of a training span with the resamplers of imbalanced-learn, without copying a tensor.

A resampled set is a list of blends: sample m is (1 - weight[m]) * X[i[m]] + weight[m] * X[j[m]], computed when a batch needs it. Selecting
methods have weight 0; SMOTE blends two target days. Neighbours are searched on the pooled day summaries (`daily_grid.day_summary`), not on
windows of 27,000 numbers, in which all distances are alike.

Resampling changes the prior. `before` and `after` count the classes, so that the probability can be corrected.
"""

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.errors import BadInput, NotTrainable
from forecaster.registry.recipe_fields import ResamplingMethod

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassCounts:
    """Number of days without and with the target."""

    negatives: int
    positives: int


@dataclass(frozen=True)
class Resampled:
    """`m` samples as blends of the `n` original ones.

    i, j: int64 (m,), indices into the originals; weight: float64 (m,) in [0, 1); labels: bool (m,).
    exact_prior: whether the kept shares of both classes, from `before` and `after`, undo the change of prior exactly. That is true where
    every step drew at random within the classes. Other steps also change the densities of the classes and rely on calibration.
    notes: steps that had nothing to do, in words.
    """

    i: np.ndarray
    j: np.ndarray
    weight: np.ndarray
    labels: np.ndarray
    exact_prior: bool
    before: ClassCounts
    after: ClassCounts
    notes: tuple[str, ...] = ()


def resample(methods: Sequence[ResamplingMethod], summary: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Resampled:
    """Run the chain of `methods` one after the other on summaries (n, f) and labels bool (n,).

    The result is that of imbalanced-learn, with three exceptions. ClusterCentroids always votes hard: it selects the real day nearest to
    each centroid instead of blending hundreds of days. A step whose wanted ratio is already exceeded keeps all days and reports this in
    `notes` instead of failing. Random states come from `rng` unless the recipe sets one.

    Raises:
        BadInput: an argument that the resampler does not take, or that does not fit the classes.
        NotTrainable: one of the classes is empty.
    """
    labels = np.asarray(labels, dtype=bool)
    before = _count(labels)
    if methods and min(before.negatives, before.positives) == 0:
        raise NotTrainable(
            f"cannot balance {before.positives} target days with {before.negatives} others: both are needed; "
            "choose a longer training span, or a recipe without resampling_methods"
        )
    i = j = np.arange(len(labels))
    weight = np.zeros(len(labels))
    notes = []
    for number, method in enumerate(methods, start=1):
        where = f"resampling step {number} of {len(methods)}, {_say(method)}"
        if method.name == "SMOTE" and (weight > 0).any():
            raise BadInput(f"{where}: a blend of blends; at most one SMOTE can stand in resampling_methods, leave this one out")
        pool = summary[i] + weight[:, None] * (summary[j] - summary[i])
        seed = int(rng.integers(2**31))
        counts = _count(labels)
        try:
            sampler = _sampler(method, seed)
            if _has_nothing_to_do(method, counts):
                notes.append(f"{where}: kept all days, {counts.positives} with the target to {counts.negatives} without exceed the ratio")
                log.warning(notes[-1])
            elif method.name == "SMOTE":
                first, second, share = _blend(sampler, pool, labels)
                i, j, weight = np.concatenate([i, i[first]]), np.concatenate([j, i[second]]), np.concatenate([weight, share])
                labels = np.concatenate([labels, labels[first]])
            else:
                kept = _nearest_to_centroids(sampler, pool, labels) if method.name == "ClusterCentroids" else _select(sampler, pool, labels)
                i, j, weight, labels = i[kept], j[kept], weight[kept], labels[kept]
        except (TypeError, ValueError) as error:
            found = f"{counts.positives} days with the target and {counts.negatives} without"
            reason = " ".join(str(error).split())
            raise BadInput(f"{where}: {reason} (there are {found}); mend resampling_methods in the recipe") from error
    exact = all(method.name == "RandomUnderSampler" for method in methods)
    return Resampled(i, j, weight, labels, exact, before, _count(labels), tuple(notes))


def _count(labels: np.ndarray) -> ClassCounts:
    return ClassCounts(int((~labels).sum()), int(labels.sum()))


def _say(method: ResamplingMethod) -> str:
    return f"{method.name}({', '.join(f'{key}={value!r}' for key, value in method.args.items())})"


def _sampler(method: ResamplingMethod, seed: int) -> Any:
    """The resampler with the recipe's arguments. Raises TypeError, naming the arguments that the resampler takes."""
    from imblearn import over_sampling, under_sampling

    kind = over_sampling.SMOTE if method.name == "SMOTE" else getattr(under_sampling, method.name)
    takes = set(inspect.signature(kind).parameters)
    unknown = sorted(set(method.args) - takes)
    if unknown:
        raise TypeError(f"unknown argument {', '.join(unknown)}; it takes {', '.join(sorted(takes))}")
    args = dict(method.args)
    if "random_state" in takes:
        args.setdefault("random_state", seed)
    if method.name == "ClusterCentroids":
        if args.get("voting") == "soft":
            raise ValueError("voting = 'soft' would blend hundreds of days; only 'hard' and 'auto' (= hard) can be had")
        args["voting"] = "hard"
    return kind(**args)


def _has_nothing_to_do(method: ResamplingMethod, counts: ClassCounts) -> bool:
    """Whether the minority's ratio is at or above the ratio that the step is to reach."""
    wanted = method.args.get("sampling_strategy")
    if not isinstance(wanted, float) or not 0 < wanted <= 1:
        return False
    return min(counts.positives, counts.negatives) >= wanted * max(counts.positives, counts.negatives)


def _select(sampler: Any, pool: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of the samples that an under-sampler keeps."""
    sampler.fit_resample(pool, labels.astype(np.int64))
    return np.asarray(sampler.sample_indices_, dtype=np.int64)


def _nearest_to_centroids(sampler: Any, pool: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of the real samples nearest to the k-means centroids of each class to be reduced, and of all samples of the other classes, by
    class.
    """
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    wanted = sampler.fit(pool, labels.astype(np.int64)).sampling_strategy_
    kept = []
    for value in (0, 1):
        members = np.flatnonzero(labels == bool(value))
        if value in wanted:
            means = KMeans(n_clusters=wanted[value], random_state=sampler.random_state).fit(pool[members])
            search = NearestNeighbors(n_neighbors=1).fit(pool[members])
            members = members[search.kneighbors(means.cluster_centers_, return_distance=False)[:, 0]]
        kept.append(members)
    return np.concatenate(kept)


def _blend(sampler: Any, pool: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SMOTE's new samples as (first, second, share): first + share * (second - first), second among first's `k_neighbors` nearest.

    The same draws, in the same order, as imbalanced-learn's own. Chawla et al. (2002), doi:10.1613/jair.953.
    """
    from sklearn.neighbors import NearestNeighbors
    from sklearn.utils import check_random_state

    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for value, wanted in sampler.fit(pool, labels.astype(np.int64)).sampling_strategy_.items():
        if wanted == 0:
            continue
        members = np.flatnonzero(labels == bool(value))
        if len(members) <= sampler.k_neighbors:
            raise ValueError(f"k_neighbors = {sampler.k_neighbors} needs at least {sampler.k_neighbors + 1} days of the class to blend")
        search = NearestNeighbors(n_neighbors=sampler.k_neighbors + 1).fit(pool[members])
        nearest = search.kneighbors(pool[members], return_distance=False)[:, 1:]
        random_state = check_random_state(sampler.random_state)
        drawn = random_state.randint(low=0, high=nearest.size, size=wanted)
        share = random_state.uniform(size=wanted)
        row, column = np.divmod(drawn, nearest.shape[1])
        found.append((members[row], members[nearest[row, column]], share))
    first, second, share = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, share
