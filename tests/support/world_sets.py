"""Sets of the world as an installation holds them: ETAS parameters in a home's folder, with what was decided about them."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from forecaster.models import service_periods
from forecaster.models.etas.etas_kernels import NAMES
from forecaster.models.etas.etas_priors import PARAMETERS_FILE, POOLED
from forecaster.models.pretrained import with_record
from forecaster.pipeline.pretraining import trained_sets
from forecaster.pipeline.pretraining.artefacts import Artefact
from forecaster.settings import Settings

RECORD = {"circles": 2, "seed": 1, "code": "0"}


@pytest.fixture
def own_periods() -> Iterator[None]:
    """What a test notes of service periods goes with it."""
    with service_periods.packaged_only():
        yield


def etas_set(until: date, background: float = 0.5) -> Artefact:
    """Parameters of ETAS, those of the package but for the background's share."""
    vector = POOLED.copy()
    vector[0] = np.log(background)
    content = json.dumps(dict(zip(NAMES, vector.tolist(), strict=True))).encode()
    return Artefact("etas", until, with_record("etas", until, {PARAMETERS_FILE: content}, RECORD))


def decision(artefact: Artefact, said: str, since: datetime, **changes: Any) -> dict[str, Any]:
    """A decision about a set, as the store gives it back."""
    row = trained_sets.decision_row(
        artefact.kind,
        artefact.data_until,
        said,
        "rule",
        since,
        instead_of="",
        directory=artefact.name,
        sha256=artefact.sha256,
        reason="a test",
        numbers={},
        code_version="0",
    )
    return row | changes


class Ledger:
    """Decisions about sets in a home, without a database: each counts at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.rows = settings, list[dict[str, Any]]()
        self.folder = trained_sets.folder_of(settings)

    def note(self, artefact: Artefact, said: str, since: datetime, **changes: Any) -> None:
        """Add a decision."""
        self.rows.append(decision(artefact, said, since, **changes))
        service_periods.note(trained_sets.periods_of(self.rows, self.folder))

    def serve(self, artefact: Artefact, since: datetime) -> None:
        """Put a set in its place, and let it serve from the day after `since` on."""
        trained_sets.place(self.settings, artefact, None)
        self.note(artefact, "serves", since)


def noon(day: str) -> datetime:
    """12:00 UTC."""
    return datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
