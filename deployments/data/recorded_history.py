"""The catalogue as it was known from 2022-04-09 on, from a recording of the USGS feed and the final catalogue.

The history has two parts. Versions that the feed showed are known when first seen. Events of the final catalogue that the feed never showed
are known at a randomly drawn review delay after their origin. The final version of an event that was shown also becomes known at its
review: the feed shows an event for 24 hours only, and changes between then and the review cannot be seen.

Identity: a feed id of the final catalogue is that event. Any other feed id is an earlier name of the final event within 40 s, 150 km and
1.2 magnitude units (for tsunami centres, which give whole minutes and tenths of a degree: 90 s, 200 km), unless the two were shown at the
same time for more than half an hour. Otherwise it was taken for a separate earthquake. Such an id ends when the feed dropped it within its
24 h, or at its review.
"""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.catalog.delays import modelled_known_at, review_known_at
from forecaster.catalog.revisions import revision_frame
from forecaster.catalog.snapshot import SNAPSHOT_END, SNAPSHOT_OBSERVED_AT, snapshot_path, snapshot_revisions

RECORDED_FROM = pd.Timestamp("2022-04-09", tz="UTC")
RECORDED_UNTIL = pd.Timestamp(SNAPSHOT_END)
CATALOG = "comcat_m35_1973_2024.parquet"
REVISIONS = "usgs_revisions_2022_2024.parquet"
FETCHES = "usgs_fetches_2022_2024.parquet"
BESIDE = pd.Timedelta(minutes=30)
MAX_UNREAD_H = 3.0
MIN_FED_ROWS = 100
_DAY_US = 86_400_000_000


def connect() -> duckdb.DuckDBPyConnection:
    """Return a connection whose time zone is UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def fed_versions(
    folder: Path, start: pd.Timestamp = RECORDED_FROM, end: pd.Timestamp = RECORDED_UNTIL, *, everywhere: bool = False
) -> pd.DataFrame:
    """Return valid row versions of the feed with origins in [start, end), of ids of which at least one version lies in a common stream.

    Left out are rows without a time (the incident of 2024-10-07 put 1970 there), and rows whose time is not within 25 h before they were
    seen. `everywhere`: return all ids that reached M 3.5, wherever they are.
    """
    frame = (
        connect()
        .execute(
            "SELECT id AS event_id, time AS origin_time, latitude AS latitude_deg, longitude AS longitude_deg, depth AS depth_km, "
            "mag AS magnitude, magType AS magnitude_type, type AS event_type, status, net, place, updated AS updated_at, first_seen, "
            "last_seen FROM read_parquet($file) WHERE time >= $start AND time < $end AND updated IS NOT NULL "
            "AND time BETWEEN first_seen - INTERVAL 25 HOUR AND first_seen + INTERVAL 5 MINUTE "
            "AND id IN (SELECT id FROM read_parquet($file) WHERE mag >= 3.5) ORDER BY first_seen, id, updated",
            {"file": str(folder / REVISIONS), "start": start.to_pydatetime(), "end": end.to_pydatetime()},
        )
        .df()
    )
    if everywhere:
        return frame
    inside = in_streams(STREAMS, *(frame[name].to_numpy() for name in ("latitude_deg", "longitude_deg", "magnitude")))
    return frame[frame["event_id"].isin(frame["event_id"][inside])].reset_index(drop=True)


def final_events(folder: Path, start: pd.Timestamp = RECORDED_FROM, end: pd.Timestamp = RECORDED_UNTIL) -> pd.DataFrame:
    """Return earthquakes of M >= 3.5 of the final catalogue with origins in [start, end)."""
    return (
        connect()
        .execute(
            "SELECT event_id, origin_time, latitude AS latitude_deg, longitude AS longitude_deg, depth_km, magnitude, magnitude_type, "
            "place FROM read_parquet($file) WHERE origin_time >= $start AND origin_time < $end ORDER BY origin_time, event_id",
            {"file": str(folder / CATALOG), "start": start.to_pydatetime(), "end": end.to_pydatetime()},
        )
        .df()
    )


def fed_ids(fed: pd.DataFrame) -> pd.DataFrame:
    """Return one row per id of the feed: its last shown version, with first_seen and last_seen over all of its versions."""
    seen = fed.groupby("event_id").agg(first_seen=("first_seen", "min"), last_seen=("last_seen", "max"))
    last = fed.sort_values(["first_seen", "updated_at"], kind="stable").drop_duplicates("event_id", keep="last").set_index("event_id")
    return last.drop(columns=["first_seen", "last_seen"]).join(seen).sort_values(["first_seen", "event_id"]).reset_index()


def final_names(ids: pd.DataFrame, final: pd.DataFrame) -> pd.Series:
    """Return, by feed id, the event of the final catalogue to which the id belongs; missing where there is none."""
    own = ids["event_id"][ids["event_id"].isin(final["event_id"])]
    connection = connect()
    connection.register("strange", ids[~ids["event_id"].isin(own)])
    connection.register("final", final)
    pairs = connection.execute(
        "WITH pair AS (SELECT strange.event_id AS id, strange.net IN ('at', 'pt') AS rough, final.event_id AS event_id, "
        "abs(epoch_us(strange.origin_time) - epoch_us(final.origin_time)) / 1e6 AS seconds, "
        "abs(strange.magnitude - final.magnitude) AS units, 111.2 * sqrt((strange.latitude_deg - final.latitude_deg) ** 2 "
        "+ (((strange.longitude_deg - final.longitude_deg + 540) % 360 - 180) * cos(radians(final.latitude_deg))) ** 2) AS km "
        "FROM strange JOIN final ON final.origin_time BETWEEN strange.origin_time - INTERVAL 90 SECOND "
        "AND strange.origin_time + INTERVAL 90 SECOND) "
        "SELECT id, event_id FROM pair WHERE units <= 1.2 AND ((seconds <= 40 AND km < 150) OR (rough AND seconds <= 90 AND km < 200)) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY seconds / 10 + km / 50, event_id) = 1"
    ).df()
    return pd.concat([pd.Series(own.to_numpy(), own), pairs.set_index("id")["event_id"]])


def chains(ids: pd.DataFrame, names: pd.Series) -> dict[str, list[str]]:
    """Return, per event of the final catalogue that was shown, its feed ids in the order in which each replaced the one before."""
    found: dict[str, list[str]] = {}
    rows = ids[ids["event_id"].isin(names.index)].assign(final=lambda frame: frame["event_id"].map(names))
    for name, group in rows.groupby("final", sort=False):
        kept: list[tuple[pd.Timestamp, pd.Timestamp, str]] = []
        own_first = group.assign(strange=group["event_id"] != name).sort_values(["strange", "first_seen"])
        for row in own_first.itertuples():
            if all(row.first_seen >= last - BESIDE or first >= row.last_seen - BESIDE for first, last, _ in kept):
                kept.append((row.first_seen, row.last_seen, row.event_id))
        found[str(name)] = [event_id for _, _, event_id in sorted(kept)]
    return found


def fetched_us(folder: Path) -> np.ndarray:
    """Return int64 (n,): when the feed was read, in order; truncated responses are left out."""
    frame = connect().execute(
        "SELECT epoch_us(fetched_at) FROM read_parquet(?) WHERE header_ok = 1 AND rows > ? ORDER BY 1",
        [str(folder / FETCHES), MIN_FED_ROWS],
    )
    return frame.df().iloc[:, 0].to_numpy(dtype=np.int64)


def longest_unread_hours(origin_time_us: np.ndarray, fetched: np.ndarray) -> np.ndarray:
    """Return (n,) the longest time without a reading of the feed within 24 h after each origin."""
    longest = np.empty(len(origin_time_us))
    for row, start in enumerate(origin_time_us):
        inside = fetched[np.searchsorted(fetched, start) : np.searchsorted(fetched, start + _DAY_US)]
        longest[row] = np.diff(np.concatenate([[start], inside, [start + _DAY_US]])).max()
    return longest / 3.6e9


def recorded_revisions(folder: Path, start: pd.Timestamp = RECORDED_FROM, end: pd.Timestamp = RECORDED_UNTIL) -> pd.DataFrame:
    """Return the history of the events with origins in [start, end) as revisions, in the order in which they became known."""
    fed, final, fetched = fed_versions(folder, start, end), final_events(folder, start, end), fetched_us(folder)
    ids = fed_ids(fed)
    chain = chains(ids, final_names(ids, final))
    parts = [_shown(fed, chain), _dropped(ids, chain, fetched), _reviewed(final, chain, fetched)]
    return pd.concat([revision_frame(part.to_dict("records")) for part in parts]).sort_values(["known_at", "event_id"], kind="stable")


def snapshot_before(start: pd.Timestamp = RECORDED_FROM) -> pd.DataFrame:
    """Return the bundled snapshot's events before `start`, with modelled known-times."""
    rows = connect().execute("SELECT * FROM read_parquet(?)", [str(snapshot_path())]).df()
    return snapshot_revisions(rows[rows["origin_time_ms"] < start.value // 1_000_000])


def _shown(fed: pd.DataFrame, chain: dict[str, list[str]]) -> pd.DataFrame:
    """Return the versions that the feed showed.

    An id that replaced others lists them, and was updated no earlier than they were.
    """
    before = {name: names[:rank] for names in chain.values() for rank, name in enumerate(names)}
    updated = fed.groupby("event_id")["updated_at"].max()
    least = {name: max(updated[other] for other in others) for name, others in before.items() if others}
    frame = fed.assign(
        ids=[[name, *before.get(name, [])] for name in fed["event_id"]],
        updated_at=np.maximum(fed["updated_at"], fed["event_id"].map(least).fillna(fed["updated_at"]).astype(fed["updated_at"].dtype)),
        known_at=fed["first_seen"],
        observed_at=fed["first_seen"],
        known_at_source="observed",
        source="usgs",
    )
    return frame.drop(columns=["first_seen", "last_seen"])


def _dropped(ids: pd.DataFrame, chain: dict[str, list[str]], fetched: np.ndarray) -> pd.DataFrame:
    """Return the ends of the ids that are not names of any event of the final catalogue.

    An id ends at the first reading of the feed after its last appearance, if that reading is more than half an hour before the end of its
    24 h in the feed. Otherwise it ends at its review.
    """
    lost = ids[~ids["event_id"].isin({name for names in chain.values() for name in names})]
    origin = _us(lost["origin_time"])
    first = np.searchsorted(fetched, _us(lost["last_seen"]), side="right")
    after = np.append(fetched, np.iinfo(np.int64).max // 2)[first]
    vanished = after + int(BESIDE.value // 1000) < origin + _DAY_US
    known = np.where(vanished, after, review_known_at(lost["event_id"].to_numpy(dtype=object), origin))
    known_at = pd.to_datetime(known, unit="us", utc=True)
    return pd.DataFrame(
        {
            "event_id": lost["event_id"].to_numpy(),
            "ids": [[name] for name in lost["event_id"]],
            "status": "deleted",
            "updated_at": known_at,
            "observed_at": known_at,
            "known_at": known_at,
            "known_at_source": np.where(vanished, "observed", "modelled"),
            "source": "usgs",
        }
    )


def _reviewed(final: pd.DataFrame, chain: dict[str, list[str]], fetched: np.ndarray) -> pd.DataFrame:
    """Return the final versions of events that were shown, and of the others in the streams; they become known at their review.

    Where the feed was not read for three hours of an event's day, it is unknown whether it would have been shown. If it was not shown, its
    known-time is modelled as in the snapshot.
    """
    position = [final[name].to_numpy(dtype=np.float64) for name in ("magnitude", "latitude_deg", "longitude_deg")]
    names, origin = final["event_id"].to_numpy(dtype=object), _us(final["origin_time"])
    shown = final["event_id"].isin(chain).to_numpy()
    unread = longest_unread_hours(origin, fetched) >= MAX_UNREAD_H
    known = np.where(unread & ~shown, modelled_known_at(names, origin, *position), review_known_at(names, origin))
    inside = in_streams(STREAMS, position[1], position[2], position[0])
    frame = final.assign(
        ids=[[name, *(other for other in chain.get(name, []) if other != name)] for name in names],
        event_type="earthquake",
        status="reviewed",
        net=None,
        updated_at=pd.NaT,
        observed_at=pd.Timestamp(SNAPSHOT_OBSERVED_AT),
        known_at=pd.to_datetime(known, unit="us", utc=True),
        known_at_source="modelled",
        source="snapshot",
    )
    return frame[shown | inside]


def _us(times: pd.Series) -> np.ndarray:
    return times.astype("datetime64[us, UTC]").astype("int64").to_numpy()
