"""The catalogue as it was known: every version of every event with the moment it became known.

A *version* is one row as the service showed it; it is current from `known_us` until the event's next version, under
whichever id was preferred then. All times are UTC microseconds. `shared_history` rebuilds it from the recorded
`all_day` feed and the final catalogue, `slice_history` from a slice of the final catalogue with modelled known-times,
`history_of` from rows written by hand.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

VERSION_COLUMNS = [
    "key",
    "id",
    "known_us",
    "time_us",
    "updated_us",
    "latitude",
    "longitude",
    "depth",
    "mag",
    "magType",
    "net",
    "place",
    "type",
    "status",
    "nst",
    "gap",
    "dmin",
    "rms",
    "horizontalError",
    "depthError",
    "magError",
    "magNst",
    "locationSource",
    "magSource",
]
RECORDED_FROM = datetime(2022, 4, 7, tzinfo=UTC)
REVIEW_DAYS = 21.0
SAME_EVENT_S, SAME_EVENT_KM, SAME_EVENT_MAGNITUDE, SAME_EVENT_OVERLAP_S = 16.0, 100.0, 1.5, 900.0
VANISHED_S, VANISHED_KM = 90.0, 300.0
DELETED_MIN_MAGNITUDE, DELETED_MAX_AGE_H, DELETED_MIN_FETCHES = 3.5, 20.0, 20
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class History:
    """`versions` has VERSION_COLUMNS sorted by (key, known_us), and `until_us` (first instant at which the version is no
    longer current) and `ids` (",a,b,": every id of the event known by then). A time of NaN is a corrupt one."""

    versions: pd.DataFrame

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The columns that queries filter by."""
        names = ("known_us", "until_us", "time_us", "updated_us", "latitude", "longitude", "mag", "status", "type")
        return {name: self.versions[name].to_numpy() for name in names}

    @cached_property
    def _rows_of_id(self) -> dict[str, np.ndarray]:
        keys = self.versions.groupby("key", sort=False).indices
        return {event_id: keys[key] for event_id, key in zip(self.versions["id"], self.versions["key"], strict=True)}

    def current(self, clock_us: int) -> np.ndarray:
        """Mask of the versions that are current at the clock: at most one an event."""
        return (self.arrays["known_us"] <= clock_us) & (clock_us < self.arrays["until_us"])

    def find(self, event_id: str, clock_us: int) -> int | None:
        """Row number of the current version of the event that has this id, as known at the clock."""
        rows = self._rows_of_id.get(event_id, np.array([], dtype=int))
        hits = rows[self.current(clock_us)[rows]]
        return int(hits[0]) if len(hits) and f",{event_id}," in self.versions["ids"].iat[hits[0]] else None


def history_from(versions: pd.DataFrame) -> History:
    """Sort versions and find out until when each was current and which ids its event had by then."""
    table = versions.reindex(columns=VERSION_COLUMNS).sort_values(["key", "known_us"], kind="stable")
    table = table.reset_index(drop=True)
    key, known = table["key"].to_numpy(), table["known_us"].to_numpy(dtype="int64")
    until = np.full(len(table), _NEVER, dtype="int64")
    same = key[1:] == key[:-1]
    until[:-1][same] = known[1:][same]
    ids: list[str] = []
    for i, event_id in enumerate(table["id"]):
        before = ids[i - 1] if i and same[i - 1] else ","
        ids.append(before if f",{event_id}," in before else f"{before}{event_id},")
    table["known_us"], table["until_us"], table["ids"] = known, until, ids
    numbers = ["time_us", "updated_us", "latitude", "longitude", "depth", "mag"]
    table[numbers] = table[numbers].astype("float64")
    return History(table)


def event(event_id: str, time: datetime, magnitude: float = 5.0, **more) -> dict:
    """A row for `history_of`, known 20 minutes after its origin unless told otherwise."""
    return {"id": event_id, "time": time, "known_at": time + timedelta(minutes=20), "mag": magnitude, **more}


def history_of(rows: Iterable[dict]) -> History:
    """Versions written by hand: dicts of id, time, known_at (aware) and any VERSION_COLUMNS. `event` names the event
    (the id where absent); `updated` is known_at, `type` earthquake and `status` automatic where absent."""
    table = []
    for row in rows:
        known_us = _micros(row["known_at"])
        table.append(
            {"latitude": 0.0, "longitude": 0.0, "depth": 10.0, "type": "earthquake", "status": "automatic"}
            | {"key": row.get("event", row["id"]), "known_us": known_us, "net": row["id"][:2], "place": ""}
            | {"time_us": _micros(row["time"]), "updated_us": _micros(row.get("updated", row["known_at"]))}
            | {name: value for name, value in row.items() if name in VERSION_COLUMNS}
        )
    return history_from(pd.DataFrame(table))


def slice_history(parquet: Path) -> History:
    """A slice of the final catalogue (event_id, time, lat, lon, depth, mag, mag_type, place), each event in one version
    known when `forecaster.catalog.delays` models it; so late reviews are replayed, magnitude revisions are not."""
    from forecaster.catalog.delays import modelled_known_at

    table = duckdb.connect().execute("SELECT * FROM read_parquet($file)", {"file": str(parquet)}).df()
    time_us = pd.to_datetime(table["time"], utc=True).astype("datetime64[us, UTC]").astype("int64").to_numpy()
    named = table.rename(columns={"event_id": "id", "lat": "latitude", "lon": "longitude", "mag_type": "magType"})
    known_us = modelled_known_at(
        named["id"].to_numpy(), time_us, *(named[c].to_numpy(dtype=float) for c in ("mag", "latitude", "longitude"))
    )
    columns = {"key": named["id"], "time_us": time_us, "known_us": known_us, "updated_us": known_us}
    return history_from(named.assign(**columns, net=named["id"].str[:2], type="earthquake", status="reviewed"))


def shared_history(folder: Path, start: datetime, end: datetime, min_magnitude: float = 2.5, corrupt: bool = False) -> History:
    """Events with origin in [start, end), from the recorded feed and the final catalogue in `folder`.

    - A feed version is known from its `first_seen`. Ids below `min_magnitude` in all versions are left out.
    - A catalogue event whose id was never shown within 24 h is known at origin + a drawn review delay (`review_delay_us`);
      its `updated` is that moment. There are such events of M >= 3.5 only.
    - Ids are one event where origins lie within 16 s, epicentres within 100 km and magnitudes within 1.5, and they were
      hardly ever shown at the same time (under 15 min): the service shows an event under its preferred id only. Two ids
      that the final catalogue holds both are two events. A late event joins the feed id it replaced in the same way, and
      an id that was withdrawn within 20 h (a tsunami centre's, early warning's) joins one within 90 s and 300 km.
    - An event is deleted at the first fetch after it was last seen when it vanished for good while under 20 h old, at
      least 20 fetches before it would have aged out, had M >= 3.5 throughout, and the final catalogue has none of its ids.
      A row that ages out of the feed stays known.
    - Rows whose time read 1970 are left out, unless `corrupt`: then they are versions without times.

    Raises:
        ValueError: `start` is earlier than the record (2022-04-07).
    """
    if start < RECORDED_FROM:
        raise ValueError(f"the recorded history begins {RECORDED_FROM:%F}, {start:%F} was asked for")
    base = duckdb.connect()
    base.execute("SET TimeZone='UTC'")
    span = {"start": start, "end": end}
    base.execute(
        f"""CREATE TABLE feed AS SELECT *, epoch_us(first_seen) AS known_us, epoch_us(last_seen) AS seen_us,
                epoch_us(time) AS time_us, epoch_us(updated) AS updated_us
            FROM read_parquet('{folder}/usgs_revisions_2022_2024.parquet')
            WHERE (time >= $start AND time < $end) OR (time IS NULL AND first_seen >= $start AND first_seen < $end)""",
        span,
    )
    base.execute(
        f"""CREATE TABLE final AS SELECT event_id AS id, epoch_us(origin_time) AS time_us, latitude, longitude,
                depth_km AS depth, magnitude AS mag, magnitude_type AS "magType", net, place, first_seen
            FROM read_parquet('{folder}/comcat_m35_1973_2024.parquet')
            WHERE origin_time >= $start AND origin_time < $end""",
        span,
    )
    base.execute(
        """CREATE TABLE shown AS SELECT f.id, arg_max(time_us, known_us) AS time_us, max(seen_us) AS seen_us,
                arg_max(latitude, known_us) AS latitude, arg_max(longitude, known_us) AS longitude,
                arg_max(mag, known_us) AS mag, min(mag) AS least, f.id IN (SELECT id FROM final) AS kept
            FROM feed f WHERE time_us IS NOT NULL GROUP BY f.id HAVING max(mag) >= $least""",
        {"least": min_magnitude},
    )
    feed = base.execute(
        "SELECT * FROM feed WHERE id IN (SELECT id FROM shown) AND (time_us IS NOT NULL OR $corrupt)", {"corrupt": corrupt}
    ).df()
    late = base.execute("SELECT * FROM final WHERE first_seen IS NULL").df()
    shown = base.execute("SELECT * FROM shown").df()
    event_of = _join_ids(shown, late, base.execute("SELECT id, known_us, seen_us FROM feed").df())
    known_us = late["time_us"].to_numpy() + review_delay_us(late["id"])
    late = late.assign(known_us=known_us, updated_us=known_us, type="earthquake", status="reviewed")
    versions = pd.concat([feed.reindex(columns=VERSION_COLUMNS), late.reindex(columns=VERSION_COLUMNS)])
    versions["key"] = versions["id"].map(lambda event_id: event_of.get(event_id, event_id))
    fetches = base.execute(
        f"""SELECT epoch_us(fetched_at) FROM read_parquet('{folder}/usgs_fetches_2022_2024.parquet')
            WHERE header_ok = 1 AND rows >= 100 ORDER BY fetched_at"""
    ).fetchnumpy()
    gone = _deletions(base, versions, event_of, next(iter(fetches.values())))
    return history_from(pd.concat([versions, gone]))


def review_delay_us(event_ids: pd.Series) -> np.ndarray:
    """About three weeks (exponential tails around REVIEW_DAYS: 1 day to 60), drawn from the hash of the id."""
    digests = [hashlib.sha256(event_id.encode()).digest() for event_id in event_ids]
    drawn = np.array([(int.from_bytes(d[:7]) + 0.5) / 2.0**56 for d in digests], dtype=float)
    days = REVIEW_DAYS + 3.0 * np.log(drawn / (1.0 - drawn))  # logistic, median 21 days
    return (np.clip(days, 1.0, 60.0) * _DAY_US).astype("int64")


def _join_ids(shown: pd.DataFrame, late: pd.DataFrame, intervals: pd.DataFrame) -> dict[str, str]:
    """Which ids are one event: id -> the name of its event (the least of its ids).

    `shown` has one row an id of the feed, `late` the catalogue events never shown, `intervals` when which id was shown.
    """
    late = late.assign(kept=True, short=False)
    events = pd.concat([shown.assign(short=_vanished(shown) & ~shown["kept"], late=False), late.assign(late=True)])
    events = events.sort_values("time_us", kind="stable").reset_index(drop=True)
    close: list[pd.DataFrame] = []
    for step in range(1, len(events)):
        one, other = events.iloc[:-step].reset_index(drop=True), events.iloc[step:].reset_index(drop=True)
        apart_s = (other["time_us"] - one["time_us"]) / 1e6
        if not (apart_s <= VANISHED_S).any():
            break
        apart_km = _distance_km(one, other)
        same = (apart_s <= SAME_EVENT_S) & (apart_km < SAME_EVENT_KM)
        same |= (one["short"] | other["short"]) & (apart_s <= VANISHED_S) & (apart_km < VANISHED_KM)
        same &= ~(one["kept"] & other["kept"]) & ((one["mag"] - other["mag"]).abs() <= SAME_EVENT_MAGNITUDE)
        close.append(pd.DataFrame({"one": one["id"], "other": other["id"]})[same])
    pairs = pd.concat(close, ignore_index=True) if close else pd.DataFrame({"one": [], "other": []})
    spans = intervals[intervals["id"].isin(set(pairs["one"]) | set(pairs["other"]))]
    both = pairs.merge(spans, left_on="one", right_on="id").merge(spans, left_on="other", right_on="id")
    shared_us = np.minimum(both["seen_us_x"], both["seen_us_y"]) - np.maximum(both["known_us_x"], both["known_us_y"])
    together_s = shared_us.clip(lower=0).groupby([both["one"], both["other"]]).sum() / 1e6
    two_events = set(together_s.index[together_s >= SAME_EVENT_OVERLAP_S])
    name: dict[str, str] = {}

    def root(event_id: str) -> str:
        while name.get(event_id, event_id) != event_id:
            event_id = name[event_id]
        return event_id

    joined = [pair for pair in pairs.itertuples(index=False, name=None) if pair not in two_events]
    for one, other in joined:
        first, second = sorted((root(one), root(other)))
        name[second] = first
    return {event_id: root(event_id) for pair in joined for event_id in pair}


def _vanished(shown: pd.DataFrame) -> pd.Series:
    """Ids that were taken off the feed before they aged out of it."""
    return shown["seen_us"] < shown["time_us"] + DELETED_MAX_AGE_H * _HOUR_US


def _distance_km(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    north, east = np.radians(one["latitude"] - other["latitude"]), np.radians(one["longitude"] - other["longitude"])
    narrow = np.cos(np.radians(one["latitude"])) * np.cos(np.radians(other["latitude"]))
    return 12742 * np.arcsin(np.sqrt((np.sin(north / 2) ** 2 + narrow * np.sin(east / 2) ** 2).clip(upper=1)))


def _deletions(base: duckdb.DuckDBPyConnection, versions: pd.DataFrame, event_of: dict[str, str], fetches_us: np.ndarray) -> pd.DataFrame:
    """One version with status deleted for every event that was taken back; the rule is `shared_history`'s."""
    shown = base.execute("SELECT * FROM shown").df()
    shown["key"] = shown["id"].map(lambda event_id: event_of.get(event_id, event_id))
    in_final = {row[0] for row in base.execute("SELECT id FROM final").fetchall()}
    kept = set(versions.loc[versions["id"].isin(in_final), "key"])
    events = shown.groupby("key").agg(time_us=("time_us", "min"), seen_us=("seen_us", "max"), least=("least", "min"))
    after = np.searchsorted(fetches_us, events["seen_us"], side="right")
    before_old = np.searchsorted(fetches_us, events["time_us"] + _DAY_US)
    gone = events[
        ~events.index.isin(kept)
        & (events["least"] >= DELETED_MIN_MAGNITUDE)
        & (events["seen_us"] < events["time_us"] + DELETED_MAX_AGE_H * _HOUR_US)
        & (before_old - after >= DELETED_MIN_FETCHES)
    ]
    last = versions.sort_values("known_us", kind="stable").drop_duplicates("key", keep="last").set_index("key")
    moment_us = fetches_us[np.searchsorted(fetches_us, gone["seen_us"], side="right")]
    rows = last.loc[gone.index].reset_index()
    return rows.assign(known_us=moment_us, updated_us=moment_us, status="deleted")


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
