"""Measure the reporting delays that forecaster/catalog/data/delays.toml holds, from a recorded history of the USGS feed.

    python deployments/data/measure_delays.py FOLDER > forecaster/catalog/data/delays.toml

FOLDER holds comcat_m35_1973_2024.parquet (the final catalogue), usgs_revisions_2022_2024.parquet (every row version
that the `all_day` feed showed) and usgs_fetches_2022_2024.parquet (when the feed was read). The recording is not public.

An event of the final catalogue counts as *quick* when the feed showed it, under its own id or another (within 40 s,
150 km and not smaller by more than 1.2), while it was less than 24 h old. Events are used only where the feed was read
at least every 3 h of those 24 h. Magnitudes are those of the final catalogue; the fit takes 2022-04-09 to 2023-12-31.
"""

import argparse
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forecaster.catalog.delays import CLASS_EDGES, QUANTILE_LEVELS, ZONES, delay_zone, magnitude_class

JAPAN = (ZONES.index("tokyo"), ZONES.index("japan"))
HEADER = """\
# Measured by deployments/data/measure_delays.py on the recorded USGS feed, origins 2022-04-09 to 2023-12-31.
# share: of the events that the final catalogue holds, those the feed showed within 24 h ((quick + 1/2) / (events + 1)).
#   From M5.5 on all zones are taken together, below M4 the two zones of Japan: their own cells hold 4 to 54 events.
# quick_delay: minutes from origin to the first showing at the quantiles 0, .05, .25, .5, .75, .9, .95, .99 and 1.
#   Below M4 it is that of M4-4.5: M3.5-4 near Japan are too few (15), those abroad come from American networks.
"""
_MATCHED = """
    WITH final AS (
        SELECT event_id, origin_time, latitude, longitude, magnitude, first_seen FROM read_parquet($catalog)
        WHERE origin_time >= $start AND origin_time < $end),
    fed AS (
        SELECT id, min(time) AS origin_time, median(latitude) AS latitude, median(longitude) AS longitude,
               max(mag) AS magnitude, min(first_seen) AS first_seen
        FROM read_parquet($revisions) WHERE time >= $start - INTERVAL 1 DAY AND type = 'earthquake' GROUP BY id),
    alias AS (
        SELECT final.event_id, min(fed.first_seen) AS first_seen
        FROM final JOIN fed ON fed.origin_time BETWEEN final.origin_time - INTERVAL 40 SECOND
                                                   AND final.origin_time + INTERVAL 40 SECOND
        WHERE fed.magnitude >= final.magnitude - 1.2 AND 111.2 * sqrt(
            (fed.latitude - final.latitude) ** 2
            + (((fed.longitude - final.longitude + 540) % 360 - 180) * cos(radians(final.latitude))) ** 2) < 150
        GROUP BY final.event_id)
    SELECT epoch_us(origin_time) AS origin_time_us, latitude, longitude, magnitude,
           (epoch_us(least(final.first_seen, alias.first_seen)) - epoch_us(origin_time)) / 6e7 AS delay_min
    FROM final LEFT JOIN alias USING (event_id)
"""


def longest_unread_hours(origin_time_us: np.ndarray, fetched_us: np.ndarray) -> np.ndarray:
    """(n,) the longest time without a reading of the feed within 24 h after each origin."""
    day = 24 * 3_600_000_000
    longest = np.empty(len(origin_time_us))
    for row, start in enumerate(origin_time_us):
        inside = fetched_us[np.searchsorted(fetched_us, start) : np.searchsorted(fetched_us, start + day)]
        longest[row] = np.diff(np.concatenate([[start], inside, [start + day]])).max()
    return longest / 3.6e9


def measure(folder: Path, start: str, end: str) -> pd.DataFrame:
    """Events with origin in [start, end): zone, class (indices) and delay_min (NaN: not shown within 24 h)."""
    connection = duckdb.connect()
    events = connection.execute(
        _MATCHED,
        {
            "catalog": str(folder / "comcat_m35_1973_2024.parquet"),
            "revisions": str(folder / "usgs_revisions_2022_2024.parquet"),
            "start": pd.Timestamp(start, tz="UTC").to_pydatetime(),
            "end": pd.Timestamp(end, tz="UTC").to_pydatetime(),
        },
    ).df()
    fetched = connection.execute(
        "SELECT epoch_us(fetched_at) FROM read_parquet(?) WHERE header_ok = 1 AND rows > 100 ORDER BY 1",
        [str(folder / "usgs_fetches_2022_2024.parquet")],
    ).df()
    unread = longest_unread_hours(events.origin_time_us.to_numpy(), fetched.iloc[:, 0].to_numpy())
    events = events[unread < 3].copy()
    events["zone"] = delay_zone(events.latitude.to_numpy(), events.longitude.to_numpy())
    events["class"] = magnitude_class(events.magnitude.to_numpy())
    return events


def table(events: pd.DataFrame) -> str:
    """The measured numbers as TOML."""
    lines = [HEADER]
    for zone, name in enumerate(ZONES):
        for index, edge in enumerate(CLASS_EDGES):
            zones = range(len(ZONES)) if edge >= 5.5 else JAPAN if edge < 4.0 and zone in JAPAN else [zone]
            cell = events[(events["class"] == index) & events.zone.isin(zones)]
            quick, count = int(cell.delay_min.notna().sum()), len(cell)
            share = (quick + 0.5) / (count + 1)
            lines.append(f'[[share]]\nzone = "{name}"\nfrom_magnitude = {edge}\nevents = {count}\nquick = {share:.3f}\n')
    for index, edge in enumerate(CLASS_EDGES):
        delays = events[events["class"] == max(index, CLASS_EDGES.index(4.0))].delay_min.dropna().clip(lower=1.0)
        values = ", ".join(f"{value:.1f}" for value in np.quantile(delays, QUANTILE_LEVELS))
        lines.append(f"[[quick_delay]]\nfrom_magnitude = {edge}\nevents = {len(delays)}\nminutes = [{values}]\n")
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--start", default="2022-04-09")
    parser.add_argument("--end", default="2024-01-01")
    arguments = parser.parse_args()
    print(table(measure(arguments.folder, arguments.start, arguments.end)))
