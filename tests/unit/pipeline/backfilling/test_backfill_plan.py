"""The grid of blocks, and what a backfill is said to cost."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from forecaster.models import networks
from forecaster.pipeline.backfilling import backfill_cost
from forecaster.pipeline.backfilling.backfill import BackfillResult, ChunkRows, note
from forecaster.pipeline.backfilling.backfill_cost import estimated_minutes
from forecaster.pipeline.backfilling.backfill_plan import block_of
from forecaster.pipeline.backfilling.backfill_types import Chunk, ServedModel
from forecaster.registry.model_kinds import KINDS

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("length", [1, 7, 30, 365])
def test_every_day_lies_in_one_block_and_blocks_join_without_gaps(length):
    days = [date(2023, 12, 1) + timedelta(days=step) for step in range(400)]
    blocks = [block_of(day, length) for day in days]
    assert all(block <= day < block + timedelta(days=length) for block, day in zip(blocks, days, strict=True))
    assert {(later - block).days for block, later in pairwise(blocks)} <= {0, length}


def test_blocks_of_thirty_days_counted_by_hand():
    """1973-01-01 to 2023-12-05 are 50 years of 365 days, 12 leap days (1976 to 2020) and 338 days of 2023: 18,600 = 620 x 30."""
    assert 50 * 365 + 12 + 338 == 18_600 == 620 * 30
    assert block_of(date(2023, 12, 4), 30) == date(2023, 11, 5)
    assert block_of(date(2023, 12, 5), 30) == block_of(date(2024, 1, 3), 30) == date(2023, 12, 5)
    assert block_of(date(2024, 1, 4), 30) == date(2024, 1, 4)


def chunk(recipe, count, *kinds):
    days = tuple(date(2024, 1, 1) + timedelta(days=step) for step in range(count))
    served = tuple(ServedModel(f"{kind}-1", kind, "", NOON) for kind in kinds)
    return Chunk(recipe.id, recipe.recipe_hash, days[0], days, NOON, served)


def test_the_estimate_is_fits_times_their_seconds_and_days_times_theirs(recipes, monkeypatch):
    cost = {"etas": (20.0, 2.0), "pooled": (10.0, 0.0), "hybrid": (30.0, 0.0)} | dict.fromkeys(("regional", "cells"), (0.0, 0.0))
    for name, (fit, day) in cost.items():
        monkeypatch.setitem(KINDS, name, replace(KINDS[name], seconds_a_fit=fit, seconds_a_day=day))
    monkeypatch.setattr(backfill_cost, "SECONDS_A_RECIPE_DAY", 1.0)
    monkeypatch.setattr(backfill_cost, "SECONDS_TO_READ", 6.0)
    lima, tonga = recipes["lima"], recipes["tonga"]
    plain = estimated_minutes([lima], [[chunk(lima, 10, "etas")], [chunk(lima, 8)]], {}, {}, None, False)
    assert plain == pytest.approx((6 + 10 * (1 + 2) + 8 * 1) / 60)
    monkeypatch.setattr(backfill_cost, "SECONDS_A_LADDER", 0.5)
    assert estimated_minutes([lima], [[chunk(lima, 8)]], {}, {}, None, True) == pytest.approx((6 + 8 * 1.5) / 60)
    fits = {"lima": [date(2024, 1, 1), date(2024, 1, 31)], "tonga": [date(2024, 1, 1)]}
    walked = estimated_minutes([lima, tonga], [[chunk(lima, 10), chunk(tonga, 10)]], fits, {"tonga": 100.0}, None, False)
    assert walked == pytest.approx((6 + 2 * 60 + 1 * 100 + 20 * (1 + 2)) / 60), "what fits of tonga took before counts, not the table"
    limited = estimated_minutes([lima], [[chunk(lima, 10)]], {"lima": [date(2024, 1, 1)]}, {}, 0.5, False)
    assert limited == pytest.approx((6 + 30 + 10 * 3) / 60), "a limit of half a minute for the fits of a block"
    assert estimated_minutes([lima], [], {}, {}, None, False) == 0


def test_a_kind_that_this_installation_cannot_run_does_not_make_a_backfill_partial(recipes, monkeypatch):
    monkeypatch.setattr(networks, "why_none", lambda: "networks need tensorflow")
    result = BackfillResult()
    note(result, ChunkRows(chunk(recipes["tokyo-m45"], 3), [], {"convlstm": "networks need tensorflow"}), 12)
    assert (result.state, result.rows, result.silent) == ("success", 12, {})
    note(result, ChunkRows(chunk(recipes["tokyo-m45"], 3), [], {"convlstm": "networks need tensorflow", "etas": "was changed"}), 12)
    assert (result.state, result.silent) == ("partial", {"tokyo-m45": {"etas": "was changed"}})
