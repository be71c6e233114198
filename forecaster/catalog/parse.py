"""Bodies of the USGS event service as revisions, with what cannot be read kept apart.

Both formats become the same columns and are judged by the same rules. A row is either legal or quarantined with the
first reason that applies; nothing is guessed. A missing magnitude is legal (NaN), and of a deleted event only the id
is needed.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.revisions import REVISION_COLUMNS, quarantine_frame
from forecaster.errors import CatalogMalformed, CatalogRefused, CatalogTruncated

MAX_MAGNITUDE = 10.0
FUTURE = timedelta(days=1)

_NEEDED = ("time", "latitude", "longitude", "depth", "mag", "magType", "net", "id", "updated", "place", "type", "status")
_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_END_OF_1970_US = 365 * _DAY_US
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01


@dataclass(frozen=True)
class Parsed:
    """One body: `revisions` (RevisionFrame), `quarantined` (QuarantineFrame), `rows` in the body (both together,
    duplicates included) and `counted`, what the body itself says it holds (geojson metadata; None for csv)."""

    revisions: pd.DataFrame
    quarantined: pd.DataFrame
    rows: int
    counted: int | None = None


def parse_csv(body: bytes, observed_at: datetime, where: str = "csv") -> Parsed:
    """Rows of a csv answer; `observed_at` is aware UTC, `where` names the answer in messages.

    Raises:
        CatalogMalformed: empty, HTML, or a header that lacks a needed column.
        CatalogTruncated: the last row has fewer fields than the header.
    """
    text = _decode(body, where)
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise CatalogMalformed(f"{where}: the csv cannot be read ({error}); nothing was taken from it, try again") from error
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise CatalogMalformed(
            f"{where}: the csv header lacks {', '.join(missing)} (it starts {text[:60]!r}); nothing was taken from it, "
            "try again or look at the address in a browser"
        )
    width = len(header)
    if rows and len(rows[-1]) < width:
        raise CatalogTruncated(f"{where}: the last of {len(rows)} rows has {len(rows[-1])} of {width} fields: the body was cut; try again")
    uneven = np.array([len(row) != width for row in rows], dtype=bool)
    table = pd.DataFrame([(row + [""] * width)[:width] for row in rows], columns=header, dtype="str")
    lines = [line for line in text.splitlines()[1:] if line]
    if len(lines) != len(rows):  # a line break inside quotes
        lines = [",".join(row) for row in rows]
    ids = table["id"].str.strip().tolist()
    time_us, time_bad = _iso_us(table["time"])
    updated_us, updated_bad = _iso_us(table["updated"])
    columns: dict[str, list] = {
        "id": ids,
        "ids": [[event_id] for event_id in ids],
        **{name: table[name].tolist() for name in ("latitude", "longitude", "depth", "mag")},
        **{name: table[name].tolist() for name in ("magType", "net", "place", "type", "status")},
    }
    times = (time_us, time_bad, updated_us, updated_bad)
    return _judge(columns, times, uneven, "row has not as many fields as the header", lines, observed_at)


def parse_geojson(body: bytes, observed_at: datetime, where: str = "geojson") -> Parsed:
    """Features of a geojson answer, a collection or a single event.

    Raises:
        CatalogMalformed: empty, HTML, or JSON of another shape.
        CatalogTruncated: JSON that ends too early.
        CatalogRefused: an error that came as HTTP 200 (`jsonerror`).
    """
    document = _load_json(body, where)
    metadata = document.get("metadata") or {}
    if metadata.get("status", 200) != 200:
        raise CatalogRefused(f"{where}: the service says {metadata['status']}: {metadata.get('error')}")
    features = [document] if document.get("type") == "Feature" else document.get("features")
    if not isinstance(features, list):
        raise CatalogMalformed(f"{where}: JSON without a list of features (keys {sorted(document)[:6]}); try again")
    whole = np.array([isinstance(f, dict) and isinstance(f.get("properties"), dict) for f in features], dtype=bool)
    rows = [f if ok else {"properties": {}} for f, ok in zip(features, whole, strict=True)]
    properties = [row["properties"] for row in rows]
    points = [_coordinates(row.get("geometry")) for row in rows]
    ids = [_text(row.get("id")).strip() for row in rows]
    time_us, time_bad = _milliseconds_us([p.get("time") for p in properties])
    updated_us, updated_bad = _milliseconds_us([p.get("updated") for p in properties])
    columns: dict[str, list] = {
        "id": ids,
        "ids": [_aliases(_text(p.get("ids")), event_id) for p, event_id in zip(properties, ids, strict=True)],
        **{name: [point[i] for point in points] for i, name in enumerate(("longitude", "latitude", "depth"))},
        "mag": [p.get("mag") for p in properties],
        **{name: [_text(p.get(name)) for p in properties] for name in ("magType", "net", "place", "type", "status")},
    }
    times = (time_us, time_bad, updated_us, updated_bad)
    parsed = _judge(columns, times, ~whole, "feature without properties", features, observed_at)
    counted = metadata.get("count")
    return Parsed(parsed.revisions, parsed.quarantined, parsed.rows, counted if isinstance(counted, int) else None)


def parse_count(body: bytes, where: str = "count") -> int:
    """The answer of /count: a bare integer, or `{"count": N, "maxAllowed": M}`.

    Raises:
        CatalogMalformed, CatalogTruncated: as for the bodies of /query.
    """
    text = _decode(body, where).strip()
    number = _load_json(body, where).get("count") if text.startswith("{") else text
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool):
        raise CatalogMalformed(f"{where}: a count was asked for, the answer starts {text[:60]!r}; try again")
    return number


def _judge(
    columns: dict[str, list],
    times: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    broken: np.ndarray,
    broken_reason: str,
    raw: Sequence[Any],
    observed_at: datetime,
) -> Parsed:
    """Split rows into legal and quarantined; `times` are origin and updated in UTC microseconds, each with the mask
    of what could not be read; `broken` rows failed before; `raw` is each row as received."""
    time_us, time_bad, updated_us, updated_bad = times
    latitude, _ = _numbers(columns["latitude"])
    longitude, _ = _numbers(columns["longitude"])
    depth, depth_bad = _numbers(columns["depth"])
    magnitude, magnitude_bad = _numbers(columns["mag"])
    status = np.array([text.lower() for text in columns["status"]], dtype=object)
    deleted = status == "deleted"
    observed_us = (observed_at - _EPOCH) // timedelta(microseconds=1)
    blank_id = np.array([event_id == "" for event_id in columns["id"]], dtype=bool)
    with np.errstate(invalid="ignore"):
        live_rules = [
            (time_bad, "origin time missing or unreadable"),
            ((time_us >= 0) & (time_us < _DAY_US), "origin time is 1970-01-01"),
            (updated_bad, "updated time missing or unreadable"),
            (updated_us < _END_OF_1970_US, "updated time is of 1970"),
            (time_us > observed_us + int(FUTURE.total_seconds() * 1e6), "origin time over a day after it was read"),
            (~(np.abs(latitude) <= 90), "latitude missing or outside -90..90"),
            (~(np.abs(longitude) <= 360), "longitude missing or outside -360..360"),
            (magnitude_bad, "magnitude is not a number"),
            (magnitude > MAX_MAGNITUDE, f"magnitude above {MAX_MAGNITUDE:g}"),
            (depth_bad, "depth is not a number"),
        ]
    reason = np.full(len(blank_id), "", dtype=object)
    for mask, text in reversed([(broken, broken_reason), (blank_id, "no event id")]):
        reason[mask] = text
    for mask, text in live_rules:
        reason[mask & ~deleted & (reason == "")] = text
    placeless = deleted & time_bad  # geojson writes 0, 0, 0 where a deleted event has no place
    wrapped = np.where(np.abs(longitude) > 180, (longitude + 180) % 360 - 180, longitude)
    observed = pd.Series(pd.Timestamp(observed_at), index=range(len(reason))).astype("datetime64[us, UTC]")
    frame = pd.DataFrame(
        {
            "event_id": _strings(columns["id"]),
            "ids": columns["ids"],
            "origin_time": _utc(time_us, time_bad | ((time_us >= 0) & (time_us < _DAY_US))),
            "latitude_deg": np.where(placeless, np.nan, latitude),
            "longitude_deg": np.where(placeless, np.nan, wrapped),
            "depth_km": np.where(placeless, np.nan, depth),
            "magnitude": magnitude,
            "magnitude_type": _strings(columns["magType"]),
            "event_type": _strings(columns["type"]),
            "status": pd.array(status.tolist(), dtype="str"),
            "net": _strings(columns["net"]),
            "place": _strings(columns["place"]),
            "updated_at": _utc(updated_us, updated_bad | (updated_us < _END_OF_1970_US)),
            "observed_at": observed,
            "known_at": observed,
            "known_at_source": "observed",
            "source": "usgs",
        },
        columns=list(REVISION_COLUMNS),
    )
    bad = np.flatnonzero(reason != "")
    quarantined = quarantine_frame(
        [{"source": "usgs", "observed_at": observed_at, "reason": reason[i], "raw": _raw_text(raw[i])} for i in bad.tolist()]
    )
    return Parsed(frame[reason == ""].reset_index(drop=True), quarantined, len(reason))


def _decode(body: bytes, where: str) -> str:
    text = body.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise CatalogMalformed(f"{where}: an empty body with HTTP 200; it is not read as «no earthquakes», try again")
    if text.lstrip()[:1] == "<":
        raise CatalogMalformed(
            f"{where}: HTML or XML where data was asked for (it starts {text.lstrip()[:60]!r}); "
            "a proxy or a maintenance page may stand between, try again"
        )
    return text


def _load_json(body: bytes, where: str) -> dict:
    text = _decode(body, where)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{"):
            raise CatalogTruncated(f"{where}: the JSON ends too early ({error}); the body was cut, try again") from error
        raise CatalogMalformed(f"{where}: JSON was asked for, the answer starts {text[:60]!r}; try again") from error
    if not isinstance(document, dict):
        raise CatalogMalformed(f"{where}: a JSON object was asked for, got {type(document).__name__}; try again")
    return document


def _iso_us(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    legal = values.str.fullmatch(_ISO).fillna(False)
    times = pd.to_datetime(values.where(legal), format="ISO8601", utc=True, errors="coerce")
    bad = times.isna().to_numpy()
    micros = times.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    broken_clock = bad & values.str.startswith("1970-01-01").to_numpy()
    return np.where(bad, 0, micros), bad & ~broken_clock


def _milliseconds_us(values: list) -> tuple[np.ndarray, np.ndarray]:
    numbers, _ = _numbers(values)
    micros = numbers * 1000
    bad = ~(np.abs(micros) < _LATEST_US)
    return np.where(bad, 0, micros).astype("int64"), bad


def _numbers(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Floats, NaN where nothing was given; and the mask of what was given and is no finite number."""
    given = np.array([value is not None and value != "" for value in values], dtype=bool)
    numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    bad = given & ~np.isfinite(numbers)
    return np.where(bad, np.nan, numbers), bad


def _utc(micros: np.ndarray, missing: np.ndarray) -> pd.Series:
    stamps = micros.astype("datetime64[us]")
    stamps[missing] = np.datetime64("NaT")
    return pd.Series(stamps).dt.tz_localize("UTC")


def _strings(values: list[str]) -> pd.api.extensions.ExtensionArray:
    return pd.array([value or None for value in values], dtype="str")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _aliases(ids: str, event_id: str) -> list[str]:
    aliases = [alias.strip() for alias in ids.split(",") if alias.strip()]
    return aliases if event_id in aliases or not event_id else [event_id, *aliases]


def _coordinates(geometry: Any) -> list:
    given = geometry.get("coordinates") if isinstance(geometry, dict) else None
    return (list(given) + [None] * 3)[:3] if isinstance(given, list) else [None] * 3


def _raw_text(row: Any) -> str:
    return row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)
