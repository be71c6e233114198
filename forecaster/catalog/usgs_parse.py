"""Parse bodies of the USGS event service into revisions. Rows that cannot be read are kept apart.

Both formats become the same columns, which are validated by the same rules (rows.py). Whatever a body contains, the result is rows or a
CatalogError.
"""

import csv
import gc
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.rows import Parsed, Rows, clean, clean_all, numbers, validate
from forecaster.errors import CatalogError, CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable
from forecaster.timewindow import from_us

MAX_VALUES = 4_000_000  # commas, lists and objects of a body: 200 for each of 20,000 rows; a row of geojson has 40

_NEEDED = ("time", "latitude", "longitude", "depth", "mag", "magType", "net", "id", "updated", "place", "type", "status")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
_USUAL = "0000-00-00T00:00:00.000Z"
_CHARACTERS = np.frombuffer(_USUAL.encode(), dtype=np.uint8)
_DIGITS = np.equal(_CHARACTERS, ord("0"))
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01


def parse_csv(body: bytes, observed_at: datetime, where: str = "csv", latest: datetime | None = None) -> Parsed:
    """Parse the rows of a csv answer. `observed_at` is aware UTC; `where` names the answer in messages. A row with a time later than
    `latest` (`observed_at` where it is not given) fails validation.

    Raises:
        CatalogMalformed: empty, HTML, or a header that lacks a needed column or has it twice.
        CatalogTruncated: the last row has fewer fields than the header.
    """
    with _whatever_it_holds(where), _no_collection():
        return validate(_csv_rows(_decode(body, where), where), observed_at, latest or observed_at)


def _csv_rows(text: str, where: str) -> Rows:
    try:
        header, *rows = [tuple(row) for row in csv.reader(io.StringIO(text)) if row]  # tuples take less memory than lists
    except csv.Error as error:
        raise CatalogMalformed(f"{where}: the csv cannot be read ({error}); nothing was taken from it, try again") from error
    missing = [name for name in _NEEDED if header.count(name) != 1]
    if missing:
        raise CatalogMalformed(
            f"{where}: the csv header lacks {', '.join(missing)}, or has it twice (it starts {text[:60]!r}); nothing was taken from it, "
            "try again or look at the address in a browser"
        )
    width = len(header)
    if rows and len(rows[-1]) < width:
        raise CatalogTruncated(f"{where}: the last of {len(rows)} rows has {len(rows[-1])} of {width} fields: the body was cut; try again")
    uneven = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)) != width
    whole = [(row + ("",) * width)[:width] for row in rows] if uneven.any() else rows
    columns = list(zip(*whole, strict=True)) or [()] * width
    values: dict[str, Sequence[Any]] = {name: columns[header.index(name)] for name in _NEEDED}
    ids = clean_all(values["id"])
    time, updated = _iso_us(values["time"]), _iso_us(values["updated"])
    aliases = [[event_id] for event_id in ids]
    return Rows(values, ids, aliases, time, updated, uneven, "row has not as many fields as the header", lambda: _lines(text, rows))


def _lines(text: str, rows: list[tuple[str, ...]]) -> list[str]:
    """Return the text of each row."""
    lines = [line for line in text.splitlines()[1:] if line]
    return lines if len(lines) == len(rows) else [",".join(row) for row in rows]  # a line break inside quotes


def parse_geojson(body: bytes, observed_at: datetime, where: str = "geojson", latest: datetime | None = None) -> Parsed:
    """Parse the features of a geojson answer, a collection or a single event. The arguments are those of `parse_csv`.

    Raises:
        CatalogMalformed: empty, HTML, or JSON of another shape.
        CatalogTruncated: JSON that ends too early.
        CatalogRefused, CatalogUnreachable: an error sent as HTTP 200 (`jsonerror`), treated as the status that it names.
    """
    with _whatever_it_holds(where):
        document = _load_json(body, where)
        metadata = _metadata(document, where)
        counted = metadata.get("count")
        features = [document] if document.get("type") == "Feature" else document.get("features")
        if not isinstance(features, list):
            raise CatalogMalformed(
                f"{where}: JSON without a list of features (keys {[clean(key)[:20] for key in sorted(document)[:6]]}); try again"
            )
        parsed = validate(_feature_rows(features), observed_at, latest or observed_at)
        made = _moment(metadata.get("generated"))
        return Parsed(parsed.revisions, parsed.quarantined, parsed.rows, counted if type(counted) is int else None, made)


def _feature_rows(features: list[Any]) -> Rows:
    whole = np.array([isinstance(f, dict) and isinstance(f.get("properties"), dict) for f in features], dtype=bool)
    rows = [f if ok else {"properties": {}} for f, ok in zip(features, whole, strict=True)]
    properties = [row["properties"] for row in rows]
    points = [_coordinates(row.get("geometry")) for row in rows]
    ids = [clean(row.get("id")) for row in rows]
    values: dict[str, Sequence[Any]] = {
        **{name: [point[i] for point in points] for i, name in enumerate(("longitude", "latitude", "depth"))},
        **{name: [p.get(name) for p in properties] for name in ("mag", "magType", "net", "place", "type", "status")},
    }
    aliases = [_aliases(p.get("ids"), event_id) for p, event_id in zip(properties, ids, strict=True)]
    time, updated = (_milliseconds_us([p.get(name) for p in properties]) for name in ("time", "updated"))
    return Rows(values, ids, aliases, time, updated, ~whole, "feature without properties", lambda: features)


def _metadata(document: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the answer's own metadata, unless it reports an error."""
    metadata = document.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise CatalogMalformed(f"{where}: metadata is no object but {type(metadata).__name__}; try again")
    status_text = clean(metadata.get("status", 200))
    status = int(status_text) if status_text.isascii() and status_text.isdigit() and len(status_text) == 3 else 0
    if status != 200:
        message = f"{where}: the service says {status_text[:20] or 'no status'} in an HTTP 200: {clean(metadata.get('error'))[:300]}"
        if status == 429 or status >= 500:
            raise CatalogUnreachable(message)
        if status >= 400:
            raise CatalogRefused(f"{message}; the request is wrong, repeating it does not help")
        raise CatalogMalformed(f"{message}; try again")
    return metadata


def parse_count(body: bytes, where: str = "count") -> int:
    """Parse the answer of /count: a bare integer, or `{"count": N, "maxAllowed": M}`.

    Raises:
        CatalogError: as for the bodies of /query.
    """
    with _whatever_it_holds(where):
        return _read_count(body, where)


def _read_count(body: bytes, where: str) -> int:
    text, document = _decode(body, where).strip(), {}
    if text.startswith("{"):
        document = _load_json(body, where)
        _metadata(document, where)
    number = document.get("count") if document else text
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number)
    if type(number) is not int or not 0 <= number < MAX_VALUES:
        raise CatalogMalformed(f"{where}: a count was asked for, the answer starts {text[:60]!r}; try again")
    return number


@contextmanager
def _whatever_it_holds(where: str) -> Iterator[None]:
    """Report an unexpected fault in a body like a known one."""
    try:
        yield
    except CatalogError:
        raise
    except Exception as error:
        raise CatalogMalformed(
            f"{where}: the body cannot be read ({type(error).__name__}: {clean(str(error))[:100]}); nothing was taken from it, try again"
        ) from error


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage in the block: rows hold no cycles, and in a large process the search for some takes a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _decode(body: bytes, where: str) -> str:
    values = sum(map(body.count, (b",", b"[", b"{")))
    if values > MAX_VALUES:
        raise CatalogMalformed(f"{where}: a body of {values:,} values, the limit is {MAX_VALUES:,}; nothing was taken from it, try again")
    text = body.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise CatalogMalformed(f"{where}: an empty body with HTTP 200; it is not read as «no earthquakes», try again")
    if text.lstrip()[:1] == "<":
        raise CatalogMalformed(
            f"{where}: HTML or XML where data was asked for (it starts {text.lstrip()[:60]!r}); "
            "a proxy or a maintenance page may stand between, try again"
        )
    return text


def _load_json(body: bytes, where: str) -> dict[str, Any]:
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


def _iso_us(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    usual = _usual_iso_us(texts)
    if usual is not None:
        return usual, np.zeros(len(texts), dtype=bool)
    legal = [text if _ISO.fullmatch(text) else None for text in texts]
    times = pd.to_datetime(pd.Series(legal, dtype="object"), format="ISO8601", utc=True, errors="coerce")
    bad = times.isna().to_numpy()
    micros = times.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    broken_clock = np.array([text.startswith("1970-01-01") for text in texts], dtype=bool)
    return np.where(bad, 0, micros), bad & ~broken_clock


def _usual_iso_us(texts: Sequence[str]) -> np.ndarray | None:
    """Return the microseconds of times that are all written as the service does, 2024-01-01T07:10:09.476Z; None where one is not."""
    together = "".join(texts)
    if not together.isascii() or set(map(len, texts)) != {len(_USUAL)}:
        return None
    characters = np.frombuffer(together.encode(), dtype=np.uint8).reshape(-1, len(_USUAL))
    digits = (characters >= ord("0")) & (characters <= ord("9"))
    if not np.where(_DIGITS, digits, characters == _CHARACTERS).all() or (characters[:, :2] == ord("0")).all(axis=1).any():
        return None
    try:
        return characters[:, :-1].copy().view(f"S{len(_USUAL) - 1}")[:, 0].astype("datetime64[us]").astype("int64")
    except ValueError:  # the 30th of February
        return None


def _milliseconds_us(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    found, _ = numbers(values)
    bad = ~(np.abs(found) < _LATEST_US / 1000)
    micros = np.where(bad, 0, found) * 1000
    return micros.astype("int64"), bad


def _moment(value: Any) -> datetime | None:
    """Convert milliseconds since the epoch to a time; None where the value is not a valid one."""
    (micros,), (bad,) = _milliseconds_us([value])
    return None if bad or type(value) is bool else from_us(int(micros))


def _aliases(ids: Any, event_id: str) -> list[str]:
    """Return all ids of an event; its own id comes first where the list lacks it."""
    aliases = [alias.strip() for alias in str(ids or "").split(",") if alias.strip()]
    return aliases if event_id in aliases or not event_id else [event_id, *aliases]


def _coordinates(geometry: Any) -> list[Any]:
    given = geometry.get("coordinates") if isinstance(geometry, dict) else None
    return (given[:3] + [None] * 3)[:3] if isinstance(given, list) else [None] * 3
