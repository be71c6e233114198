"""Training batches: which days, in which order. Windows are gathered only when they are needed. Plain numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecaster.features.windows import TargetDays
from forecaster.models.first_system.daily_grid import day_summary, window_tensor
from forecaster.models.first_system.dataset import Dataset
from forecaster.models.first_system.prior_correction import PriorCorrection, balanced_weights, count_classes, prior_correction
from forecaster.models.first_system.resample import Resampled, resample
from forecaster.models.first_system.spans import Span


@dataclass(frozen=True)
class JudgedDays:
    """Days on which a span is evaluated: `indices` (m,) in the data set, in chronological order; weight (m,): how many days each stands
    for.
    """

    indices: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)


def evaluated_days(happened: np.ndarray, span: Span, most: int, rng: np.random.Generator) -> JudgedDays:
    """All days of a short span. Of a longer span `most` days, half of them target days if there are so many."""
    inside = span.indices
    if len(span) <= most:
        return JudgedDays(inside, np.ones(len(span)))
    targets, quiet = inside[happened[inside]], inside[~happened[inside]]
    some = min(len(targets), max(most // 2, most - len(quiet)))
    drawn = [(members, rng.choice(members, count, replace=False)) for members, count in ((targets, some), (quiet, most - some))]
    indices = np.concatenate([chosen for _, chosen in drawn])
    weight = np.concatenate([np.full(len(chosen), len(members) / max(len(chosen), 1)) for members, chosen in drawn])
    order = np.argsort(indices)
    return JudgedDays(indices[order], weight[order])


@dataclass(frozen=True)
class TrainingDays:
    """The training span after resampling. `sample.i` and `sample.j` are indices into the span's `days`.

    class_weights: loss weights of (quiet days, target days). correction: undoes resampling, weights and balanced batches.
    """

    dataset: Dataset
    span: Span
    sample: Resampled
    class_weights: tuple[float, float]
    correction: PriorCorrection

    def __len__(self) -> int:
        return len(self.sample.labels)

    @property
    def class_counts(self) -> tuple[int, int]:
        """(quiet days, target days) among the samples."""
        return count_classes(self.sample.labels)

    @property
    def batch_size(self) -> int:
        return min(self.dataset.recipe.batch_size, len(self))

    @property
    def steps_per_pass(self) -> int:
        """Number of batches of one pass over all samples. Samples left over at the end are not carried over: every pass is
        shuffled anew.
        """
        return len(self) // self.batch_size

    @cached_property
    def days(self) -> TargetDays:
        """The days of the span, before resampling."""
        return self.dataset.days.take(self.span.slice)

    def gather(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(windows float32 (m, day, lat, lon, channel), labels float32 (m,), loss weights float32 (m,)) of these samples."""
        windows = window_tensor(self.dataset.grid, self.days.take(self.sample.i[chosen]))
        weight = self.sample.weight[chosen].astype(np.float32)
        blended = np.flatnonzero(weight > 0)
        if blended.size:
            share = weight[blended].reshape(-1, 1, 1, 1, 1)
            other = window_tensor(self.dataset.grid, self.days.take(self.sample.j[chosen][blended]))
            windows[blended] = (1.0 - share) * windows[blended] + share * other
        labels = self.sample.labels[chosen]
        return windows, labels.astype(np.float32), np.where(labels, self.class_weights[1], self.class_weights[0]).astype(np.float32)


def training_days(dataset: Dataset, span: Span, rng: np.random.Generator) -> TrainingDays:
    """The days of `span`, resampled as the recipe says, and the correction that undoes the resampling. Only the days of the span
    are used.
    """
    recipe = dataset.recipe
    happened = dataset.happened[span.slice]
    summary = day_summary(dataset.grid, dataset.days.take(span.slice))
    sample = resample(recipe.resampling_methods, summary, happened, rng)
    before, after = count_classes(happened), count_classes(sample.labels)
    class_weights = balanced_weights(after) if recipe.use_class_weight else (1.0, 1.0)
    weights = balanced_weights(after) if recipe.balanced_batch else class_weights
    correction = prior_correction(before, after, weights=weights, exact=sample.exact_prior)
    return TrainingDays(dataset, span, sample, class_weights, correction)


def batches(training: TrainingDays, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of sample indices. Every sample occurs at most once per pass.

    With `balanced_batch` half of each batch are target days and half quiet days. Each class is shuffled anew whenever it is used up.
    """
    size = training.batch_size
    if not training.dataset.recipe.balanced_batch:
        while True:
            order = rng.permutation(len(training))
            yield from (order[start : start + size] for start in range(0, training.steps_per_pass * size, size))
    positives, negatives = np.flatnonzero(training.sample.labels), np.flatnonzero(~training.sample.labels)
    half = max(size // 2, 1)
    streams = _cycle(positives, half, rng), _cycle(negatives, max(size - half, 1), rng)
    while True:
        yield np.concatenate([next(stream) for stream in streams])


def _cycle(members: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    waiting = np.empty(0, dtype=np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(members)])
        yield waiting[:size]
        waiting = waiting[size:]
