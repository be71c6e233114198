"""Whom a walk-forward block publishes where the kind that is to be published has no fresh fit."""

from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.pipeline.backfill_plan import BlockFit, ServedModel
from forecaster.pipeline.champion import CLIMATOLOGY, EXPIRES_AFTER
from forecaster.pipeline.walk_forward import _appointed

AS_OF = datetime(2020, 3, 1, 14, 30, tzinfo=UTC)


def served(kind, data_as_of):
    return ServedModel(f"{kind}-{data_as_of:%Y%m%d}", kind, f"athens/{kind}", data_as_of)


@pytest.mark.parametrize(("age", "kind"), [(EXPIRES_AFTER, "etas"), (EXPIRES_AFTER + timedelta(seconds=1), CLIMATOLOGY)])
def test_the_fit_of_the_block_before_serves_until_its_data_are_too_old(age, kind):
    """As the champion of the daily run: a model that was not renewed expires, and the usual rate is published, with the reason."""
    old = served("etas", AS_OF - age)
    before = BlockFit(date(2020, 2, 1), AS_OF - age, "etas", old.model_id, "it was better", {"etas": old})
    appointed, model, reason = _appointed("etas", "too few target days", {}, before, AS_OF)
    assert (appointed, model) == (kind, old if kind == "etas" else None)
    assert reason.endswith("too few target days") and ("days old" in reason) == (kind == CLIMATOLOGY)


def test_a_fresh_fit_takes_the_place_of_the_old_one():
    old, fresh = served("etas", AS_OF - timedelta(days=30)), served("etas", AS_OF)
    before = BlockFit(date(2020, 2, 1), AS_OF - timedelta(days=30), "etas", old.model_id, "it was better", {"etas": old})
    assert _appointed("etas", "it is better", {"etas": fresh}, before, AS_OF) == ("etas", fresh, "it is better")
    assert _appointed(CLIMATOLOGY, "none is better", {"etas": fresh}, before, AS_OF) == (CLIMATOLOGY, None, "none is better")
