"""Chronological spans of a series of days: train | purge | validation | purge | calibration | purge | test.

`test_ratio` of the usable days, the last ones, are the test span of the evaluation fit; of the days before them 75 % are for training,
15 % for validation (early stopping and choice of weights) and 10 % for calibration. The served fit has no test span: its spans end with
the last labelled day. A purge is window_days + predict_range_days long, so that no input or outcome of a span touches the one before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.models.priors import count_classes
from forecaster.recipe import Recipe

TRAIN_SHARE = 0.75
VALIDATION_SHARE = 0.15
SPAN_NAMES = ("train", "validation", "calibration", "test")


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
    """The spans of one fit, in the order of time; `test` is None for the served fit."""

    train: Span
    validation: Span
    calibration: Span
    test: Span | None = None

    def named(self) -> dict[str, Span]:
        """The spans there are, by name, oldest first."""
        return {name: span for name in SPAN_NAMES if (span := getattr(self, name)) is not None}

    def dated(self, local_days: np.ndarray) -> dict[str, dict[str, Any]]:
        """For records: name -> {first_day, last_day (ISO dates, both included), days}, from the data set's `local_days` (n,)."""
        return {
            name: {"first_day": str(local_days[span.start]), "last_day": str(local_days[span.stop - 1]), "days": len(span)}
            for name, span in self.named().items()
        }


def evaluation_spans(happened: np.ndarray, recipe: Recipe) -> Spans:
    """Spans of the fit that is judged on the last `test_ratio` of the days of `happened` (bool (n,), consecutive days).

    Raises:
        NotTrainable: a span would lack days, target days or quiet days.
    """
    return _checked(_cut(len(happened), purge_days(recipe), recipe.test_ratio, recipe.id), happened, recipe.id)


def served_spans(happened: np.ndarray, recipe: Recipe) -> Spans:
    """Spans of the fit that is served: all days of `happened` (the caller ends them 45 days before as-of, when outcomes are final).

    Raises:
        NotTrainable: a span would lack days, target days or quiet days.
    """
    return _checked(_cut(len(happened), purge_days(recipe), 0.0, recipe.id), happened, recipe.id)


def purge_days(recipe: Recipe) -> int:
    """Days left out between two spans."""
    return recipe.window_days + recipe.predict_range_days


def _cut(days: int, purge: int, test_ratio: float, recipe_id: str) -> Spans:
    usable = days - purge * (3 if test_ratio > 0 else 2)
    test = round(max(usable, 0) * test_ratio)
    rest = usable - test
    lengths = [round(rest * TRAIN_SHARE), round(rest * VALIDATION_SHARE)]
    lengths.append(rest - sum(lengths))
    if test_ratio > 0:
        lengths.append(test)
    if usable <= 0 or min(lengths) < 1:
        raise NotTrainable(
            f"{recipe_id}: {days} labelled days are too few for {len(lengths)} spans with purges of {purge} days between them"
        )
    spans, start = [], 0
    for length in lengths:
        spans.append(Span(start, start + length))
        start += length + purge
    return Spans(*spans)


def _checked(spans: Spans, happened: np.ndarray, recipe_id: str) -> Spans:
    counts = {name: count_classes(happened[span.slice]) for name, span in spans.named().items()}
    if any(min(pair) == 0 for pair in counts.values()):
        found = ", ".join(f"{name} {positives} of {negatives + positives}" for name, (negatives, positives) in counts.items())
        raise NotTrainable(f"{recipe_id}: every span needs days with and without the target, but target days are: {found}")
    return spans
