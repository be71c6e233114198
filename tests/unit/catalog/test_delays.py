"""Modelled known-times. Sources of the numbers: forecaster/catalog/data/delays.toml, measured on the recorded feed;
the shares of 2022-2026 published with the description of the service (M4.5-5 .60, M5-5.5 .94, M6+ .99; within 500 km of Tokyo
M4-4.5 .37, M4.5-5 .78, M5-5.5 .98) serve as an independent check on the real events of the bundled snapshot.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.catalog import delays
from forecaster.catalog.delays import (
    NEAR_TOKYO,
    cell_number,
    magnitude_class,
    modelled_known_at,
    network_density,
    quick_share,
    review_known_at,
)
from forecaster.catalog.snapshot import snapshot_path
from forecaster.store.engine.parquet_files import read_parquet

DAY_US = 86_400_000_000
SPARSE = (-25.0, -177.0)  # south of Tonga
DELAYS = Path(delays.__file__).parent / "data" / "delays.toml"
IDS = [f"us7000{number:05d}" for number in range(20_000)]


def delays_us(ids: list[str], magnitude: float, place: tuple[float, float] = SPARSE) -> np.ndarray:
    count = len(ids)
    origin = np.full(count, 1_700_000_000_123_000, dtype=np.int64)
    return modelled_known_at(ids, origin, np.full(count, magnitude), *(np.full(count, x) for x in place)) - origin


@pytest.fixture(scope="module")
def recent() -> pd.DataFrame:
    """The snapshot's events of 2022-2024."""
    rows = read_parquet(snapshot_path())
    return rows[rows["origin_time_ms"] >= 1_640_995_200_000]


@pytest.mark.parametrize(
    ("near_tokyo", "low", "high", "published"),
    [
        (False, 4.5, 5.0, 0.60),
        (False, 5.0, 5.5, 0.94),
        (False, 6.0, 9.9, 0.99),
        (True, 4.0, 4.5, 0.37),
        (True, 4.5, 5.0, 0.78),
        (True, 5.0, 5.5, 0.98),
    ],
)
def test_quick_shares_of_real_events_are_near_the_published_ones(recent, near_tokyo, low, high, published):
    """The mean of the modelled shares within .04 of the published one; the drawn share within four standard errors of that mean."""
    north, east = np.radians(recent["latitude_deg"] - 35.68), np.radians(recent["longitude_deg"] - 139.77)
    near = 6371 * np.hypot(north, east * np.cos(np.radians(35.68))) < 500
    rows = recent[(near | (not near_tokyo)) & (recent["magnitude"] >= low) & (recent["magnitude"] < high)]
    place = [rows[name].to_numpy() for name in ("magnitude", "latitude_deg", "longitude_deg")]
    share = quick_share(*place)
    assert share.mean() == pytest.approx(published, abs=0.04)
    origin = rows["origin_time_ms"].to_numpy() * 1000
    drawn = modelled_known_at(rows["event_id"].to_numpy(dtype=object), origin, *place) - origin < 1.01 * DAY_US
    assert abs(drawn.mean() - share.mean()) < 4 * np.sqrt((share * (1 - share)).sum()) / len(rows)


def test_the_share_is_the_measured_line_and_the_cell():
    """delays.toml: intercept -0.119, slope 3.861, extra slope 3.295; u = 0 where the table has no cell (75 N, 75 E: far from any fault).

    At M 5: -0.119 + 0.5 x (3.861 + 3.295) = 3.459, share .9695; at M 4: -0.119 - 0.5 x 3.861 = -2.0495, share .1141, as below it.
    """
    share = quick_share(np.array([5.0, 4.0, 3.5, np.nan]), np.full(4, 75.0), np.full(4, 75.0))
    assert share == pytest.approx([0.9695, 0.1141, 0.1141, 0.1141], abs=5e-4)


def test_a_dense_network_tells_more_and_sooner():
    """California 35 N 118 W, Chile 33 S 70 W, the mid-Atlantic 0 N 25 W: shares of M 4.5 fall, so do the densities."""
    latitude, longitude = np.array([35.0, -33.0, 0.0]), np.array([-118.0, -70.0, -25.0])
    assert network_density(latitude, longitude).tolist() == [2, 1, 0]
    share = quick_share(np.full(3, 4.5), latitude, longitude)
    assert (np.diff(share) < 0).all()
    hours = [np.median(delays_us(IDS, 4.7, place)) / 3.6e9 for place in zip(latitude, longitude, strict=True)]
    assert hours == sorted(hours)


def test_quick_delays_follow_the_measured_quantiles():
    """M4.5-5 where the network is sparse (delays.toml): the median, the 95 % quantile and the shortest of those within a day."""
    row = next(
        row
        for row in tomllib.loads(DELAYS.read_text(encoding="utf-8"))["quick_delay"]
        if (row["density"], row["from_magnitude"]) == ("sparse", 4.5)
    )
    assert network_density(*(np.array([x]) for x in SPARSE)).tolist() == [0]
    minutes = delays_us(IDS, 4.7, SPARSE) / 6e7
    quick = minutes[minutes < 1441]
    assert np.median(quick) == pytest.approx(row["minutes"][3], rel=0.04)
    assert np.quantile(quick, 0.95) == pytest.approx(row["minutes"][6], rel=0.2)
    assert quick.min() >= row["minutes"][0]


def test_review_delays_have_a_median_of_three_weeks():
    """Lognormal, median 21 d, sigma 0.3: 16 % and 84 % quantiles are 21 exp(-+0.2984) = 15.6 and 28.3 days."""
    days = delays_us(IDS, 4.2) / DAY_US
    late = days[days > 1.01]
    assert np.quantile(late, [0.16, 0.5, 0.84]) == pytest.approx([15.6, 21.0, 28.3], rel=0.02)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=12),
            st.integers(-(10**17), 10**17),
            st.one_of(st.floats(-1, 9.5), st.just(float("nan"))),
            st.floats(-90, 90),
            st.floats(-180, 180),
        ),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_known_after_origin_and_each_row_for_itself(rows, random):
    """Every known-time is later than its origin, by whole seconds, and does not change with the order or company."""
    answer = {}
    for chosen in (rows, random.sample(rows, len(rows)), rows[:1]):
        ids = [row[0] for row in chosen]
        origin = np.array([row[1] for row in chosen], dtype=np.int64)
        numbers = [np.array([row[k] for row in chosen], dtype=float) for k in (2, 3, 4)]
        known = modelled_known_at(ids, origin, *numbers)
        assert known.dtype == np.int64
        assert (known > origin).all()
        assert ((known - origin) % 1_000_000 == 0).all()
        for row, value in zip(chosen, known.tolist(), strict=True):
            assert answer.setdefault(repr(row), value) == value


def test_the_same_in_another_process():
    """Python salts its own `hash` per process; known-times must not depend on it."""
    code = (
        "import numpy as np; from forecaster.catalog.delays import modelled_known_at as known;"
        "print(known(['us7000abcd', 'usp000hvnu'], np.zeros(2, 'int64'), np.array([4.2, 9.1]),"
        "np.array([38.3, 38.3]), np.array([142.4, 142.4])).tolist())"
    )
    answers = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_larger_events_are_known_sooner():
    """A share known within one hour that never falls with size; the same hash serves every size."""
    within = [(delays_us(IDS, magnitude) < 3_600_000_000).mean() for magnitude in (4.2, 4.7, 5.2, 5.7, 6.2)]
    assert within == sorted(within)


def test_classes_and_cells_at_their_edges():
    """Lower and western edges belong to class and cell; 36 cells to a row of 10 degrees, from 90 S and 180 W."""
    magnitudes = np.array([2.0, 3.99, 4.0, 4.49, 4.5, 6.0, 9.1, np.nan, 4.4999999])
    assert magnitude_class(magnitudes).tolist() == [0, 0, 1, 1, 2, 5, 5, 0, 2]
    latitude, longitude = np.array([-90.0, -90.0, -80.0, 90.0, 35.68, 0.0]), np.array([-180.0, 180.0, -170.0, 179.9, 139.77, -0.1])
    assert NEAR_TOKYO == 18 * 36
    assert cell_number(np.array([40.17, 40.19]), np.full(2, 139.77)).tolist() == [NEAR_TOKYO, 13 * 36 + 31], "500 km are 4.4966 degrees"
    assert cell_number(latitude, longitude).tolist() == [0, 0, 37, 647, NEAR_TOKYO, 9 * 36 + 17]


def test_what_is_not_quick_is_known_at_its_review():
    origin = np.zeros(2000, dtype=np.int64)
    known = modelled_known_at(IDS[:2000], origin, np.full(2000, 4.2), np.full(2000, SPARSE[0]), np.full(2000, SPARSE[1]))
    late = known > 1.01 * DAY_US
    assert 0.5 < late.mean() < 1
    assert (known[late] == review_known_at(IDS[:2000], origin)[late]).all()
    assert review_known_at([], origin[:0]).shape == (0,)


def test_no_rows():
    empty = np.empty(0)
    assert modelled_known_at([], np.empty(0, dtype=np.int64), empty, empty, empty).shape == (0,)


@pytest.mark.slow
@pytest.mark.shared
def test_shares_hold_in_the_year_after_the_fit(shared_data, load_script):
    """Fitted on 2022-2023; over 2024 the mean of the modelled shares of each magnitude class and density lies within .08 of the measured
    share where there are 100 events or more. (Measured over all of 2024: docs/AS_OF.md.)
    """
    events = load_script("measure_delays").measure(shared_data, "2024-05-01", "2024-09-01")
    events = events[events["magnitude"] >= 4.0]
    place = [events[name].to_numpy() for name in ("latitude", "longitude")]
    events = events.assign(share=quick_share(events["magnitude"].to_numpy(), *place), density=network_density(*place))
    cells = events.groupby(["density", "class"]).agg(
        count=("share", "size"), meant=("share", "mean"), shown=("delay_min", lambda delay: delay.notna().mean())
    )
    cells = cells[cells["count"] >= 100]
    assert len(cells) >= 6
    assert (cells["meant"] - cells["shown"]).abs().max() < 0.08
