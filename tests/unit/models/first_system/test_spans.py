"""Spans follow each other in time with a purge between, whatever the length of the series."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.errors import NotTrainable
from forecaster.models.data_splits import purge_days
from forecaster.models.first_system.spans import fit_spans


def alternating(days: int) -> np.ndarray:
    return np.arange(days) % 2 == 0


@settings(deadline=None)
@given(days=st.integers(100, 20_000), window=st.integers(1, 20), reach=st.integers(1, 5))
def test_order_purge_and_no_overlap(recipes, days, window, reach):
    recipe = recipes["tokyo"].model_copy(update={"window_days": window, "predict_range_days": reach})
    try:
        spans = fit_spans(alternating(days), recipe)
    except NotTrainable:
        assert days < 75  # 2 purges of 25 days leave 25: the last of the spans, a tenth, has two of them
        return
    ordered = list(spans.named().values())
    assert len(ordered) == 3
    assert ordered[0].start == 0
    assert ordered[-1].stop == days
    for earlier, later in itertools.pairwise(ordered):
        assert later.start - earlier.stop == purge_days(recipe) == window + reach
        # The last input day of the later span's first window lies after every outcome of the earlier one.
        assert later.start - window >= earlier.stop - 1 + reach


def test_shares_by_hand(recipes):
    """782 days with 2 purges of 16 days leave 750: 75 % = 562, 15 % = 112, the rest 76."""
    spans = fit_spans(alternating(782), recipes["tokyo"])
    assert {name: len(span) for name, span in spans.named().items()} == {"train": 562, "validation": 112, "calibration": 76}


def test_a_span_without_target_days_is_refused_with_counts(recipes):
    happened = alternating(782)
    happened[562 + 16 : 562 + 16 + 112] = False
    with pytest.raises(NotTrainable, match=r"tokyo: .*train 281 of 562, validation 0 of 112, calibration 38 of 76"):
        fit_spans(happened, recipes["tokyo"])


def test_too_few_days_are_refused(recipes):
    with pytest.raises(NotTrainable, match="32 labelled days are too few for 3 spans with purges of 16 days"):
        fit_spans(alternating(32), recipes["tokyo"])


def test_dated(recipes):
    spans = fit_spans(alternating(1032), recipes["tokyo"])
    dated = spans.dated(np.datetime64("2001-01-01") + np.arange(1032))
    assert list(dated) == ["train", "validation", "calibration"]
    assert dated["train"] == {"first_day": "2001-01-01", "last_day": "2003-01-20", "days": 750}
    assert dated["calibration"]["last_day"] == "2003-10-29"
    assert dated["validation"]["days"] + dated["calibration"]["days"] == 250
