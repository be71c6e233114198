"""Chronological split of the days of one fit: train | purge | validation | purge | calibration.

75 % of the days are for training, 15 % for validation (early stopping and choice of weights), the last 10 % for calibration.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.models.data_splits import purge_days
from forecaster.models.first_system.prior_correction import count_classes
from forecaster.recipe import Recipe

TRAIN_SHARE = 0.75
VALIDATION_SHARE = 0.15
SPAN_NAMES = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Span:
    """Days [start, stop) of a data set, by index."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def indices(self) -> np.ndarray:
        return np.arange(self.start, self.stop)

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Spans:
    """The spans of one fit, in chronological order."""

    train: Span
    validation: Span
    calibration: Span

    def named(self) -> dict[str, Span]:
        """The spans by name, oldest first."""
        return {name: getattr(self, name) for name in SPAN_NAMES}

    def dated(self, local_days: np.ndarray) -> dict[str, dict[str, Any]]:
        """For records: name -> {first_day, last_day (ISO dates, both included), days}, from the data set's `local_days` (n,)."""
        return {
            name: {"first_day": str(local_days[span.start]), "last_day": str(local_days[span.stop - 1]), "days": len(span)}
            for name, span in self.named().items()
        }


def fit_spans(happened: np.ndarray, recipe: Recipe) -> Spans:
    """Spans of a fit on all days of `happened` (bool (n,), consecutive days with final outcomes).

    Raises:
        NotTrainable: a span would have too few days, target days or quiet days.
    """
    spans = _cut(len(happened), purge_days(recipe), recipe.id)
    counts = {name: count_classes(happened[span.slice]) for name, span in spans.named().items()}
    if any(min(pair) == 0 for pair in counts.values()):
        found = ", ".join(f"{name} {positives} of {negatives + positives}" for name, (negatives, positives) in counts.items())
        raise NotTrainable(f"{recipe.id}: every span needs days with and without the target, but target days are: {found}")
    return spans


def _cut(days: int, purge: int, recipe_id: str) -> Spans:
    usable = days - purge * (len(SPAN_NAMES) - 1)
    lengths = [round(usable * TRAIN_SHARE), round(usable * VALIDATION_SHARE)]
    lengths.append(usable - sum(lengths))
    if usable <= 0 or min(lengths) < 1:
        raise NotTrainable(
            f"{recipe_id}: {days} labelled days are too few for {len(lengths)} spans with purges of {purge} days between them"
        )
    spans, start = [], 0
    for length in lengths:
        spans.append(Span(start, start + length))
        start += length + purge
    return Spans(*spans)
