"""The short form of the month in trouble, on the bundled slice of the catalogue; `make soak` has two whole months and every trouble."""

from datetime import UTC, datetime
from pathlib import Path

from tests.faults import month
from tests.faults.troubles import TROUBLES
from tests.support.usgs_history import slice_history
from tests.support.usgs_server import SLICE

SHORT = (
    "redirect loop",
    "metadata is a list",
    "a lone surrogate",
    "empty and counted so",
    "stamps of the future",
    "other content, same stamp",
    "70 events in one",
)


def test_after_days_in_trouble_the_events_are_those_of_days_without(tmp_path: Path) -> None:
    first, troubles = datetime(2023, 12, 28, 8, tzinfo=UTC), [TROUBLES[name] for name in SHORT]
    result = month.replay(tmp_path, slice_history(SLICE), first, len(SHORT) + 1, troubles, recipes=("tokyo-m45",))
    assert result.wrong == []
    assert result.events > 1_000 and result.flagged > 0 and result.compared == (len(result.good) + 1) * 10  # with the day before the first
