"""What the event service answers to a query, without the HTTP: parameters checked, rows chosen, bodies written.

Behaves as the project's notes on the service say (api 1.8 to 1.14): inclusive bounds cut to whole seconds, 30 days by
default, 400 over the limit unless `limit` is given, `updatedafter` that does not lift the default start, deleted events
only when asked for.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from tests.support.usgs_history import History

HEADER = (
    "time,latitude,longitude,depth,mag,magType,nst,gap,dmin,rms,net,id,updated,place,type,"
    "horizontalError,depthError,magError,magNst,status,locationSource,magSource"
)
CORRUPT_MS = 2000
CORRUPT_TIME = "1970-01-01T00:00:02.-2147483648Z"
DAY_US = 86_400_000_000
_FORMATS = ("csv", "geojson", "text", "xml", "quakeml", "kml")
_ORDERS = ("time", "time-asc", "magnitude", "magnitude-asc")
_FLOATS = {
    "minlatitude": (-90, 90),
    "maxlatitude": (-90, 90),
    "minlongitude": (-360, 360),
    "maxlongitude": (-360, 360),
    "minmagnitude": (-math.inf, math.inf),
    "maxmagnitude": (-math.inf, math.inf),
}
_TIMES = ("starttime", "endtime", "updatedafter")
_OTHERS = ("format", "limit", "offset", "orderby", "eventid", "eventtype", "includedeleted", "jsonerror", "nodata")
_REASONS = {400: "Bad Request", 404: "Not Found", 409: "Conflict"}


class ServiceError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)

    def body(self, path: str) -> str:
        return (
            f"Error {self.status}: {_REASONS[self.status]}\n\n{self.message}\n\n"
            f"Usage details are available from {path}\n\nRequest:\n{path}\n\nService version:\n1.14.1\n"
        )


@dataclass(frozen=True)
class Catalogue:
    """A history seen at one moment (UTC microseconds), under the service's limit of rows a query."""

    history: History
    clock_us: int
    search_limit: int = 20_000

    def choose(self, asked: dict[str, str]) -> np.ndarray:
        """Row numbers of the versions that match, ordered and cut by limit and offset."""
        check(asked, self.search_limit)
        mask = self.match(asked)
        rows = np.flatnonzero(mask)
        limit = asked.get("limit")
        if limit is None and len(rows) > self.search_limit:
            raise ServiceError(400, self.over_limit(len(rows)) + " Modify the search to match fewer events.")
        a = self.history.arrays
        keys = {"time": -a["time_us"], "time-asc": a["time_us"], "magnitude": -a["mag"], "magnitude-asc": a["mag"]}
        rows = rows[np.argsort(keys[asked.get("orderby", "time")][rows], kind="stable")]
        offset = int(asked.get("offset", "1")) - 1
        return rows if limit is None else rows[offset : offset + int(limit)]

    def over_limit(self, matching: int) -> str:
        return f"{matching} matching events exceeds search limit of {self.search_limit}."

    def match(self, asked: dict[str, str]) -> np.ndarray:
        """Mask of the current versions that match, before limit and offset."""
        a = self.history.arrays
        mask = self.history.current(self.clock_us)
        if "eventid" in asked:
            row = self.history.find(asked["eventid"], self.clock_us)
            found = np.zeros(len(mask), dtype=bool)
            if row is not None:
                found[row] = True
            return self._with_deleted(found, asked)
        start_us = seconds_us(asked["starttime"]) if "starttime" in asked else self.clock_us - 30 * DAY_US
        with np.errstate(invalid="ignore"):
            corrupt = np.isnan(a["time_us"])
            mask &= (a["time_us"] >= start_us) | corrupt
            if "endtime" in asked:
                mask &= (a["time_us"] <= seconds_us(asked["endtime"])) | corrupt
            if "updatedafter" in asked:
                mask &= (a["updated_us"] >= seconds_us(asked["updatedafter"])) | corrupt
            for name, column in (("latitude", "latitude"), ("magnitude", "mag")):
                if f"min{name}" in asked:
                    mask &= a[column] >= float(asked[f"min{name}"])
                if f"max{name}" in asked:
                    mask &= a[column] <= float(asked[f"max{name}"])
        west, east = float(asked.get("minlongitude", -180)), float(asked.get("maxlongitude", 180))
        if east - west < 360:
            mask &= ((a["longitude"] - west) % 360) <= east - west
        if "eventtype" in asked:
            mask &= np.isin(a["type"].astype(str), asked["eventtype"].split(","))
        return self._with_deleted(mask, asked)

    def _with_deleted(self, mask: np.ndarray, asked: dict[str, str]) -> np.ndarray:
        deleted = self.history.arrays["status"] == "deleted"
        wish = asked.get("includedeleted", "false")
        return mask & deleted if wish == "only" else mask if wish == "true" else mask & ~deleted

    def one(self, event_id: str, asked: dict[str, str]) -> int:
        """Row number of one event; 409 for a deleted one, 404 for one that is not known (yet)."""
        row = self.history.find(event_id, self.clock_us)
        if row is None:
            raise ServiceError(404, "Not Found")
        if self.history.arrays["status"][row] == "deleted" and asked.get("includedeleted") != "true":
            raise ServiceError(
                409,
                "The requested event has been deleted. To see information for deleted events, perform a search and use "
                'the "includedeleted" option.',
            )
        return row


def check(asked: dict[str, str], search_limit: int) -> None:
    """Refuse what the service refuses, in its words."""
    for name, value in asked.items():
        if name in _FLOATS:
            low, high = _FLOATS[name]
            if not _is_number(value) or not low <= float(value) <= high:
                raise ServiceError(400, f'Bad {name} value "{value}". Valid values are {low} <= {name} <= {high}')
        elif name in _TIMES:
            seconds_us(value, name)
        elif name not in _OTHERS:
            raise ServiceError(400, f'Unknown parameter "{name}".')
    for name, least, most in (("limit", 0, search_limit), ("offset", 1, None)):
        value = asked.get(name, "1")
        if not value.isdigit() or int(value) < least or (most is not None and int(value) > most):
            bound = f"{least} <= {name}" + (f" <= {most}" if most is not None else "")
            raise ServiceError(400, f'Bad {name} value "{value}". Valid values are {bound}')
    for name, legal in (("format", _FORMATS), ("orderby", _ORDERS)):
        if name in asked and asked[name] not in legal:
            raise ServiceError(400, f'Bad {name} value "{asked[name]}". Valid values are: "{", ".join(legal)}"')
    if asked.get("includedeleted") in ("true", "only") and asked.get("format") not in ("csv", "geojson"):
        raise ServiceError(400, "Cannot use includedeleted parameter unless format is geojson or csv.")
    for name in ("latitude", "longitude"):
        if float(asked.get(f"min{name}", -360)) > float(asked.get(f"max{name}", 360)):
            raise ServiceError(400, f"min{name} must be less than max{name}")


def write_csv(history: History, rows: np.ndarray, corrupt: bool = False, blank_deleted: bool = False) -> str:
    """Header and one line a row; only `place` is quoted. Corrupt times are written as they were on 2024-10-07."""
    lines = [HEADER]
    for row in history.versions.iloc[rows].to_dict("records"):
        time, updated = _times(row, corrupt, blank_deleted)
        if row["status"] == "deleted" and blank_deleted:
            row = dict.fromkeys(row) | {name: row[name] for name in ("id", "status", "net")}
        row["time"] = "" if time is None else CORRUPT_TIME if time == CORRUPT_MS else stamp(time)
        row["updated"] = CORRUPT_TIME if updated == CORRUPT_MS else stamp(updated or 0)
        row["place"] = '"' + str(row["place"] or "").replace('"', '""') + '"'
        lines.append(",".join(_field(row[name]) for name in HEADER.split(",")))
    return "\n".join(lines) + "\n"


def features(history: History, rows: np.ndarray, corrupt: bool = False, blank_deleted: bool = False) -> list[dict]:
    """One geojson feature a row, with `ids` (all aliases known by then); a blanked deleted event is at 0, 0, 0."""
    written = []
    for row in history.versions.iloc[rows].to_dict("records"):
        blank = row["status"] == "deleted" and blank_deleted
        point = [0.0, 0.0, 0.0] if blank else [_number(row[c]) for c in ("longitude", "latitude", "depth")]
        time, updated = _times(row, corrupt, blank_deleted)
        properties = {
            "mag": None if blank else _number(row["mag"]),
            "place": None if blank else _text(row["place"]),
            "time": time,
            "updated": updated,
            "status": row["status"],
            "net": _text(row["net"]),
            "code": row["id"][2:],
            "ids": row["ids"],
            "sources": f",{_text(row['net'])},",
            "magType": None if blank else _text(row["magType"]),
            "type": None if blank else row["type"],
            "title": None if blank else f"M {row['mag']} - {row['place']}",
        }
        geometry = {"type": "Point", "coordinates": point}
        written.append({"type": "Feature", "properties": properties, "geometry": geometry, "id": row["id"]})
    return written


def collection(found: list[dict], count: int, clock_us: int, url: str) -> str:
    metadata = {"generated": clock_us // 1000, "url": url, "title": "USGS Earthquakes", "status": 200, "api": "1.14.1"}
    metadata["count"] = count
    return json.dumps({"type": "FeatureCollection", "metadata": metadata, "features": found})


def stamp(milliseconds: int) -> str:
    """`2024-01-01T07:10:09.476Z` of milliseconds since 1970."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def seconds_us(text: str, name: str = "time") -> int:
    """A time of the query, cut to whole seconds, in UTC microseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ServiceError(400, f'Bad {name} value "{text}". Valid values are ISO-8601 timestamps.') from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return math.floor(moment.timestamp()) * 1_000_000


def _times(row: dict, corrupt: bool, blank_deleted: bool) -> tuple[int | None, int | None]:
    """Origin and updated in milliseconds as they are shown; a time that is not known is shown as the corrupt one."""
    blank = row["status"] == "deleted" and blank_deleted
    time, updated = (CORRUPT_MS if corrupt or _missing(row[name]) else int(row[name]) // 1000 for name in ("time_us", "updated_us"))
    return None if blank else time, updated


def _missing(value: object) -> bool:
    return value is None or bool(pd.isna(value))


def _number(value: float | None) -> float | None:
    return None if _missing(value) else float(value)  # type: ignore[arg-type]


def _text(value: object) -> str | None:
    return None if _missing(value) else str(value)


def _field(value: object) -> str:
    if _missing(value):
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
