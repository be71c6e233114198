"""Columns that are checked at once, against the rules for each value."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecaster.catalog import rows, usgs_parse

texts = st.text(st.sampled_from("ab Zß,~\t\n\0\u2028\u00a0\ud800"), max_size=4)
moments = st.builds(
    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z".format,
    *(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32), st.integers(0, 25), st.integers(0, 60), st.integers(0, 60)),
    st.integers(0, 999),
)
true_moments = st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z".zfill(24))


@given(st.lists(texts, max_size=5))
@example([" a", "b"])
@example(["a", "b "])
@example(["a" * rows.MAX_TEXT, "b"])
@example(["a" * (rows.MAX_TEXT + 1)])
def test_texts_are_cleaned_as_each_one_is(values):
    assert rows.clean_all(values) == [rows.clean(value) for value in values]


@given(st.lists(st.lists(texts, max_size=3), max_size=5))
@example([["us1"], ["us2", "at3"]])
@example([["us1,us2"]])
@example([["us1"] * (rows.MAX_IDS + 1)])
@example([["a" * 101], [""]])
def test_ids_are_refused_as_each_one_is(ids):
    expected = [len(some) > rows.MAX_IDS or not all(map(rows._ID.fullmatch, some)) for some in ids]
    assert rows._bad_ids(ids).tolist() == expected


@settings(max_examples=200)
@given(st.one_of(st.lists(true_moments, max_size=5), st.lists(st.one_of(true_moments, moments, texts), max_size=5)))
@example(["2024-02-30T00:00:00.000Z"])
@example(["1970-01-01T00:00:00.000Z", "2024-01-01T07:10:09.476Z"])
@example(["2024-01-01 07:10:09.476Z"])
@example(["٢٠٢٤-01-01T07:10:09.476Z"])
def test_times_are_read_as_each_one_is(values):
    found = usgs_parse._iso_us(values)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(usgs_parse, "_usual_iso_us", lambda texts: None)
        expected = usgs_parse._iso_us(values)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_usual_times_are_read_at_once():
    assert usgs_parse._usual_iso_us(["2024-01-01T07:10:09.476Z"]).tolist() == [1_704_093_009_476_000]
