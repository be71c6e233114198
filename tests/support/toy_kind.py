"""A kind of model for tests of the evaluation: it says one share of the days it was fitted on, and remembers how often it was asked.

`LOG` (set by a test) collects "fit <recipe> <last day>" and "forecast <recipe> <days>". `LAST_DATA_DAY` overrides the day that a fit claims
to know up to; `BREAK_AT` raises KeyboardInterrupt at that forecast, as Ctrl-C would.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.features.events import Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import TargetDays
from forecaster.models.interface import History
from forecaster.recipe import Recipe

LOG: list[str] = []
LAST_DATA_DAY: date | None = None
BREAK_AT: int | None = None


@dataclass
class Toy:
    """`share` on every day, twice that where an event of the last window day was known."""

    recipe: Recipe
    share: float
    last_data_day: date
    kind: str = "toy"

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        LOG.append(f"forecast {self.recipe.id} {len(days)}")
        if BREAK_AT is not None and sum(line.startswith("forecast") for line in LOG) >= BREAK_AT:
            raise KeyboardInterrupt
        said = np.full(len(days), self.share)
        for index, cut in enumerate(days.cut_us):
            seen = inputs.visible(int(cut))
            said[index] *= 1 + bool((seen.origin_time_us >= days.day_starts_us[index, -1]).any())
        return said

    def save(self, folder: Path) -> dict[str, Any]:
        (folder / "share.txt").write_text(repr(self.share), encoding="utf-8")
        return {"last_data_day": self.last_data_day.isoformat()}


def fit(history: History, *, seed: int | None = None, max_minutes: float | None = None) -> Toy:
    """The share of target days, of which the history's own inputs must tell the same."""
    last = history.days.local_days[-1].item()
    LOG.append(f"fit {history.recipe.id} {last}")
    assert history.inputs.origin_time_us.max(initial=0) < history.days.cut_us[-1]
    assert history.catalogue.origin_time_us.max(initial=0) < history.days.target_ends_us[-1]
    np.testing.assert_array_equal(daily_labels(history.catalogue, history.recipe, history.days)[0], history.happened)
    return Toy(history.recipe, float((history.happened.sum() + 1) / (len(history.days) + 10)), LAST_DATA_DAY or last)


def load(folder: Path, record: dict[str, Any], recipe: Recipe) -> Toy:
    return Toy(recipe, float((folder / "share.txt").read_text(encoding="utf-8")), date.fromisoformat(record["last_data_day"]))
