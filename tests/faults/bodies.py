"""Bodies that a broken or hostile service may send: real ones, changed at random. The same seed gives the same bodies.

    for body in bodies(seed=1, count=3000):
        judged(body)                            # AssertionError where something else than a row or a CatalogError comes of it

`python -m tests.faults.bodies --count 100000` does it at length, in as many processes as there are cores, and counts what came.
"""

import argparse
import json
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.revisions import QUARANTINE_COLUMNS, REVISION_COLUMNS
from forecaster.catalog.rows import Parsed
from forecaster.catalog.usgs_parse import parse_count, parse_csv, parse_geojson
from forecaster.errors import CatalogError
from tests.support.usgs_answers import HEADER

READ_AT = datetime(2024, 1, 2, 12, tzinfo=UTC)
_TIME = 1_704_093_009_476  # 2024-01-01T07:10:09.476Z
_TEXTS = ("event_id", "magnitude_type", "event_type", "status", "net", "place")
_ODD: tuple[Any, ...] = (
    *(None, True, False, "", " ", [], {}, [[]], {"a": {}}, 0, -0.0, -1, 1, 5.5, -9, 1e308, 1e-320, 10**18, 10**300, 2**63, -(2**63)),
    *("NaN", "Infinity", "1_0", "0x10", "5.1", "\u0665", "deleted", "Earthquake", "EARTHQUAKE", ",us1,nc2,", ",,,", "us1", "\u202eabc"),
    *("\ud800", "\udc00x", "a\x00b", "\x1b[2J", "\r\n", "<script>", "x" * 3000, "\U0001f30b" * 50, "1970-01-01T00:00:02.-2147483648Z"),
    *(["x"] * 3, {"": None}, 3_786_912_000_000, 1_704_199_000_000, -62_135_596_800_000, 253_402_300_800_000),
)
_RAW = {  # tokens that json.dumps does not write
    "@0@": "NaN",
    "@1@": "-Infinity",
    "@2@": "1e999",
    "@3@": "9" * 4301,
    "@4@": "-" + "8" * 20_000,
    "@5@": "[" * 200 + "]" * 200,
    "@6@": "[" * 60_000 + "]" * 60_000,
    "@7@": '{"a":' * 900 + "1" + "}" * 900,
    "@8@": "0." + "1" * 5000,
    "@9@": "tru",
}


@dataclass(frozen=True)
class Body:
    """One body of a format (csv, geojson or count), and the changes that were made to it."""

    fmt: str
    data: bytes
    changes: tuple[str, ...]


def bodies(seed: int, count: int) -> Iterator[Body]:
    """So many bodies, each with one to four changes."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield _body(rng)


def judged(body: Body) -> tuple[str, Parsed | None]:
    """What comes of it: "rows", or the name of the error; and the rows.

    Raises:
        AssertionError: rows that break the contract. Whatever the parser raises and does not document.
    """
    try:
        if body.fmt == "count":
            number = parse_count(body.data)
            assert isinstance(number, int) and number >= 0
            return "count", None
        parsed = (parse_csv if body.fmt == "csv" else parse_geojson)(body.data, READ_AT)
    except CatalogError as error:
        told = str(error)
        assert "\n" not in told and len(told) < 1000 and told.encode(), told
        return type(error).__name__, None
    check(parsed)
    return "rows", parsed


def check(parsed: Parsed) -> None:
    """The contract of what a parser hands over.

    Raises:
        AssertionError: it is broken.
    """
    rows = parsed.revisions
    assert tuple(rows.columns) == REVISION_COLUMNS and tuple(parsed.quarantined.columns) == QUARANTINE_COLUMNS
    assert parsed.rows == len(rows) + len(parsed.quarantined)
    assert parsed.counted is None or type(parsed.counted) is int
    for text in parsed.quarantined["raw"]:
        assert text.encode() is not None and "\0" not in text and len(text) <= 2000
    for name in _TEXTS:
        for text in rows[name].dropna():
            assert text.encode() is not None and len(text) <= 1000 and not re.search(r"[\x00-\x1f\x7f-\x9f]", text), text
    for event_id, ids in zip(rows["event_id"], rows["ids"], strict=True):
        assert event_id in ids and all(re.fullmatch(r"[!-+\--~]{1,100}", other) for other in ids)
    for name in ("origin_time", "updated_at", "observed_at", "known_at"):
        assert str(rows[name].dtype) == "datetime64[us, UTC]"
        assert not (rows[name] > READ_AT + timedelta(minutes=10)).any() or name == "origin_time"
    live = rows[rows["status"] != "deleted"]
    assert live["latitude_deg"].between(-90, 90).all() and live["longitude_deg"].between(-180, 180).all()
    assert (live["magnitude"].isna() | live["magnitude"].between(-5, 10)).all()
    assert not (live["origin_time"] > READ_AT + timedelta(minutes=10)).any() and live["origin_time"].notna().all()
    assert live["event_type"].notna().all() and (live["event_type"] == live["event_type"].str.lower()).all()
    assert np.isfinite(rows[["latitude_deg", "longitude_deg", "depth_km", "magnitude"]].fillna(0).to_numpy()).all()


def feature(number: int, **changes: object) -> dict:
    """A good feature; the numbers make them differ."""
    time = _TIME + 60_000 * number
    properties = {"mag": 4.0 + number / 10, "place": f"{number} km N of Noto, Japan", "time": time, "updated": time + 600_000, "tz": None}
    properties |= {"status": "reviewed", "net": "us", "code": f"{number}", "ids": f",us{number},nc{number},", "magType": "mww"}
    properties |= {"type": "earthquake", "title": "M", "sig": 300}
    geometry = {"type": "Point", "coordinates": [137.2, 37.5, 10.0]}
    return {"type": "Feature", "properties": properties | changes, "geometry": geometry, "id": f"us{number}"}


def collection(*features: dict) -> dict:
    metadata = {"generated": _TIME, "title": "USGS Earthquakes", "status": 200, "api": "1.14.1", "count": len(features)}
    return {"type": "FeatureCollection", "metadata": metadata, "features": list(features), "bbox": [0, 0, 0, 1, 1, 1]}


def table(count: int) -> str:
    row = "2024-01-01T07:10:09.476Z,37.5,137.2,10,{0}.5,mww,,,,,us,us{0},2024-01-01T08:00:00.040Z,"
    return "\n".join(
        [HEADER, *[row.format(n) + f'"{n} km N of Noto, Japan",earthquake,,,,,reviewed,us,us' for n in range(1, count + 1)], ""]
    )


def _body(rng: np.random.Generator) -> Body:
    fmt = str(rng.choice(["geojson", "geojson", "geojson", "csv", "csv", "count"]))
    changes: list[str] = []
    if fmt == "csv":
        text = _changed_table(rng, changes)
    else:
        document = collection(*[feature(n) for n in range(1, int(rng.integers(2, 6)))])
        if rng.random() < 0.1:
            document = feature(1)
        if fmt == "count":
            document = {"count": 17, "maxAllowed": 20_000}
        text = _changed_document(rng, document, changes)
    data = text.encode("utf-8", "surrogatepass")
    while not changes or rng.random() < 0.4:
        name, change = _BYTES[int(rng.integers(len(_BYTES)))]
        data = change(rng, data)
        changes.append(name)
    return Body(fmt, data, tuple(changes))


def _changed_document(rng: np.random.Generator, document: dict, changes: list[str]) -> str:
    for _ in range(int(rng.integers(0, 4))):
        places = list(_places(document))
        holder, key = places[int(rng.integers(len(places)))]
        kind = str(rng.choice(["odd", "odd", "odd", "raw", "drop", "copy"]))
        changes.append(f"{kind} {key}")
        if kind == "odd":
            holder[key] = _ODD[int(rng.integers(len(_ODD)))]
        elif kind == "raw":
            holder[key] = str(rng.choice(list(_RAW)))
        elif kind == "drop":
            del holder[key]
        else:
            other, name = places[int(rng.integers(len(places)))]
            holder[key] = json.loads(json.dumps(other[name])) if _there(other, name) else None
        if not document:
            break
    text = json.dumps(document, ensure_ascii=bool(rng.random() < 0.7))
    for token, raw in _RAW.items():
        text = text.replace(f'"{token}"', raw)
    return text


def _changed_table(rng: np.random.Generator, changes: list[str]) -> str:
    lines = [line.split(",") for line in table(int(rng.integers(1, 5))).split("\n")]
    for _ in range(int(rng.integers(0, 4))):
        line = lines[int(rng.integers(len(lines)))]
        column = int(rng.integers(len(line)))
        kind = str(rng.choice(["odd", "odd", "drop", "copy", "quote"]))
        changes.append(f"{kind} {column}")
        if kind == "odd":
            line[column] = str(_ODD[int(rng.integers(len(_ODD)))])
        elif kind == "drop":
            line[column : column + 1] = []
        elif kind == "copy":
            line.insert(column, line[int(rng.integers(len(line)))])
        else:
            line[column] = f'"{line[column]}'
        line[:] = line or [""]
    return "\n".join(",".join(line) for line in lines)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def _there(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _span(rng: np.random.Generator, data: bytes) -> tuple[int, int]:
    start = int(rng.integers(len(data) + 1))
    return start, min(len(data), start + int(rng.integers(1, 40)))


def _flip(rng: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(len(data), size=int(rng.integers(1, 6))) if data else ():
        changed[int(place)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _insert(rng: np.random.Generator, data: bytes) -> bytes:
    place = int(rng.integers(len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 20))) + data[place:]


def _remove(rng: np.random.Generator, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: np.random.Generator, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * int(rng.integers(1, 200)) + data[end:]


def _cut(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _digits(rng: np.random.Generator, data: bytes) -> bytes:
    found = [match.span() for match in re.finditer(rb"\d+", data)]
    if not found:
        return data
    start, end = found[int(rng.integers(len(found)))]
    return data[:start] + rng.choice([b"9" * 25, b"9" * 5000, b"0" * 400, b"-1", b"1e400", b"1e-400", b".", b"1.5"]) + data[end:]


def _encoded(rng: np.random.Generator, data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(str(rng.choice(["utf-16", "utf-8-sig", "latin-1", "utf-32-le"])), "replace")


_BYTES: list[tuple[str, Callable[[np.random.Generator, bytes], bytes]]] = [
    ("flip", _flip),
    ("insert", _insert),
    ("remove", _remove),
    ("repeat", _repeat),
    ("cut", _cut),
    ("digits", _digits),
    ("encoded", _encoded),
    ("same", lambda rng, data: data),
]


def raw_answers(seed: int, count: int) -> Iterator[bytes]:
    """Whole HTTP answers, heads and all, changed at random: what goes over the wire before any body is read."""
    rng = np.random.default_rng(seed)
    lines = [b"Date: Tue, 02 Jan 2024 12:00:00 GMT", b"Content-Type: application/json", b"Retry-After: 5", b"Expires: 0", b"Age: 7"]
    lines += [b"Location: http://127.0.0.1:1/x", b"Set-Cookie: a=b; Domain=.x; Max-Age=9", b"Content-Encoding: gzip", b"Link: <x>; rel=y"]
    lines += [b"Transfer-Encoding: chunked", b"Connection: close", b"Content-Length: 3", b"WWW-Authenticate: Basic"]
    for _ in range(count):
        body = json.dumps(collection(feature(1))).encode()
        status = int(rng.choice([200, 200, 200, 204, 206, 301, 302, 304, 400, 401, 404, 407, 409, 418, 429, 500, 503, 599, 999]))
        chosen = [lines[int(i)] for i in rng.integers(len(lines), size=int(rng.integers(0, 5)))]
        head = b"\r\n".join([b"HTTP/1.1 %d x" % status, *chosen])
        while rng.random() < 0.6:
            head = _BYTES[int(rng.integers(len(_BYTES) - 2))][1](rng, head)
        yield head + b"\r\n\r\n" + body


def _run(part: tuple[int, int]) -> tuple[Counter, list[str], float]:
    seed, count = part
    came, faults, slowest = Counter[str](), [], 0.0
    for number, body in enumerate(bodies(seed, count)):
        began = time.process_time()
        try:
            came[f"{body.fmt}: {judged(body)[0]}"] += 1
        except Exception as error:  # noqa: BLE001 - any kind is a finding
            faults.append(f"seed {seed}, body {number} {body.changes}: {type(error).__name__}: {str(error)[:300]}")
        slowest = max(slowest, time.process_time() - began)
    return came, faults, slowest


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bodies", description="Read changed bodies; count what came of them.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    chosen = parser.parse_args()
    parts = [(chosen.seed + n, min(1000, chosen.count - 1000 * n)) for n in range(-(-chosen.count // 1000))]
    came, faults, slowest = Counter[str](), list[str](), 0.0
    with multiprocessing.Pool(chosen.processes) as pool:
        for counted, found, longest in pool.imap_unordered(_run, parts):
            came, faults, slowest = came + counted, faults + found, max(slowest, longest)
    print(pd.Series(came).sort_index().to_string())
    print(f"{chosen.count} bodies, {len(faults)} faults, the slowest took {slowest:.2f} s of one core")
    print("\n".join(faults[:20]))
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
