"""A small globe to pre-train on: places whose rate doubled in the last two years, and toy sets that shift the usual rate."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.coverage import STREAMS, coverage_rows
from forecaster.errors import NotTrainable
from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models import fit_and_load
from forecaster.models.interface import logit, sigmoid
from forecaster.models.pretrained import Pretrained, with_record
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.pretraining import fit_set, pretrain
from forecaster.pipeline.pretraining.artefacts import Artefact
from forecaster.pipeline.pretraining.fit_set import Size
from forecaster.timewindow import DAY_US

NOW = datetime(2024, 6, 30, 12, tzinfo=UTC)
UNTIL = date(2024, 5, 15)  # 45 days before
SMALL = Size(evaluation_circles=1, evaluated_days=730)
PLACES = ((-20.0, -70.0), (40.0, 143.0))
FILE = "shift.json"
RECORD = {"circles": 1, "seed": 1, "code": "0"}


@cache
def globe(start: datetime = datetime(1973, 1, 1, tzinfo=UTC), gap: bool = False) -> Known:
    """All M5.2 at two places, 60 a year each, twice as many from 2022-05 on; with `gap`, 2010 was not read."""
    rng = np.random.default_rng(5)
    first, last, change = (np.datetime64(day, "us").astype(np.int64) for day in ("1973-01-01", "2024-06-30", "2022-05-01"))
    rows = []
    for latitude, longitude in PLACES:
        times = np.concatenate([rng.integers(first, last, 60 * 51), rng.integers(change, last, 60 * 2)])
        rows += [(time, latitude, longitude) for time in times]
    time, latitude, longitude = np.array(sorted(rows)).T
    origin = time.astype(np.int64)
    known_at = origin + DAY_US // 100
    events = Events(origin, known_at, latitude, longitude, np.full(len(origin), 10.0), np.full(len(origin), 5.2))
    spans = [(start, NOW)] if not gap else [(start, datetime(2010, 1, 1, tzinfo=UTC)), (datetime(2011, 1, 1, tzinfo=UTC), NOW)]
    coverage = pd.concat([coverage_rows(STREAMS, *span, NOW, "usgs full read") for span in spans], ignore_index=True)
    return Known(NOW, events, events, pd.DataFrame, coverage)


@dataclass(frozen=True)
class Shifted:
    """Says the usual rate with its logit shifted."""

    shift: float

    def probability(self, inputs: Events, days: TargetDays, reference: np.ndarray) -> np.ndarray:
        return sigmoid(logit(reference) + self.shift)


def toy_set(kind: str, until: date, shift: float) -> Artefact:
    return Artefact(kind, until, with_record(kind, until, {FILE: json.dumps(shift).encode()}, RECORD))


def toy_model(kind: str, recipe: Any, world: Pretrained | None) -> Shifted:
    """Without a set, and with those of the package, the usual rate."""
    path = None if world is None else world.folder / FILE
    return Shifted(json.loads(path.read_text()) if path is not None and path.exists() else 0.0)


def install(patch: pytest.MonkeyPatch, shifts: dict[str, float | Exception], known: Known | None = None) -> list[tuple[str, date]]:
    """Let the globe be what is known, and each kind's training give a set of this shift, or fail with this error; returns a list that is
    told of every training."""
    told: list[tuple[str, date]] = []

    def trained(kind: str, events: Events, until: date, circles: int | None, seed: int | None, tell: Any) -> Any:
        told.append((kind, until))
        shift = shifts.get(kind, 0.0)
        if isinstance(shift, Exception):
            raise shift
        return {FILE: json.dumps(shift).encode()}, {"circles": 1, "seed": 1}

    patch.setattr(fit_and_load, "pretrain", trained)
    patch.setattr(fit_set, "model_of_set", toy_model)
    for module in (fit_set, pretrain):
        patch.setattr(module, "known_at", lambda *_: known or globe())
    patch.setattr(pretrain, "data_until", lambda *_: NOW)
    return told


TOO_LITTLE = NotTrainable("only 3 of 400 circles were found; load more of the catalogue")
