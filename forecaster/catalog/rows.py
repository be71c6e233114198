"""Validate the service's rows. A row is either valid or quarantined with the first reason that applies.

Nothing is guessed. A missing magnitude is legal (NaN). A deleted event needs only its ids. No stamp may lie in the future: the newest stamp
of an event wins, so a stamp years ahead would outlive every correction and the deletion.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from forecaster.catalog.query import Query
from forecaster.catalog.revisions import REVISION_COLUMNS, quarantine_frame
from forecaster.errors import CatalogMalformed

MAX_MAGNITUDE = 10.0
MIN_MAGNITUDE = -5.0  # USGS calls -1 to 10 usual; microearthquakes of single networks go a little below -2
SHALLOWEST_KM, DEEPEST_KM = -100.0, 1000.0
AHEAD = timedelta(minutes=10)  # clocks differ
MAX_TEXT = 1000
MAX_IDS = 100
MAX_OUTSIDE = 0.1

_ID = re.compile(r"[!-+\--~]{1,100}")  # printable ASCII without blank and comma
_IDS = re.compile(f"{_ID.pattern}(?:,{_ID.pattern})*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_END_OF_1970_US = 365 * _DAY_US
_TEXTS = ("magType", "net", "place", "type", "status")
_LOGGED_COLUMNS = ["event_id", "origin_time", "latitude_deg", "longitude_deg", "magnitude", "status", "updated_at"]


@dataclass(frozen=True)
class Parsed:
    """One parsed body: `revisions` (RevisionFrame), `quarantined` (QuarantineFrame), `rows` in the body (both together, duplicates
    included), `counted`, the body's own count, and `generated_at`, its own creation time (geojson metadata; None for csv)."""

    revisions: pd.DataFrame
    quarantined: pd.DataFrame
    rows: int
    counted: int | None = None
    generated_at: datetime | None = None


@dataclass(frozen=True)
class Rows:
    """Rows of a body, column by column and not yet validated: values as received (`ids`: every id of each row); times in UTC microseconds,
    each with the mask of what could not be read; `broken` rows failed before, for `broken_reason`; `raw` returns each row as received."""

    values: dict[str, Sequence[Any]]
    event_id: list[str]
    ids: list[list[str]]
    time: tuple[np.ndarray, np.ndarray]
    updated: tuple[np.ndarray, np.ndarray]
    broken: np.ndarray
    broken_reason: str
    raw: Callable[[], Sequence[Any]]


def validate(rows: Rows, observed_at: datetime, latest: datetime) -> Parsed:
    """Split rows into valid and quarantined. No time in a valid row is later than `latest`."""
    (time_us, time_bad), (updated_us, updated_bad) = rows.time, rows.updated
    latitude, _ = numbers(rows.values["latitude"])
    longitude, _ = numbers(rows.values["longitude"])
    depth, depth_bad = numbers(rows.values["depth"])
    magnitude, magnitude_bad = numbers(rows.values["mag"])
    texts = {name: clean_all(rows.values[name]) for name in _TEXTS}
    status, kind = _lower(texts["status"]), _lower(texts["type"])
    deleted = np.array(status, dtype=object) == "deleted"
    latest_us = (latest + AHEAD - _EPOCH) // timedelta(microseconds=1)
    count = len(rows.ids)
    odd = np.zeros(count, dtype=bool)
    for name in _TEXTS:
        if set(map(type, rows.values[name])) & {bool, list, dict}:
            odd |= np.array([isinstance(value, (bool, list, dict)) for value in rows.values[name]], dtype=bool)
    no_id = np.array(rows.event_id, dtype=object) == ""
    bad_id = _bad_ids(rows.ids)
    with np.errstate(invalid="ignore"):
        every_row = [
            (rows.broken, rows.broken_reason),
            (no_id, "no event id"),
            (bad_id, "an id that cannot be one, or too many"),
            (odd, "a list or an object where a text belongs"),
            (~updated_bad & (updated_us > latest_us), "updated time in the future when it was read"),
        ]
        live_rows = [
            (time_bad, "origin time missing or unreadable"),
            ((time_us >= 0) & (time_us < _DAY_US), "origin time is 1970-01-01"),
            (updated_bad, "updated time missing or unreadable"),
            (updated_us < _END_OF_1970_US, "updated time is of 1970"),
            (time_us > latest_us, "origin time in the future when it was read"),
            (~(np.abs(latitude) <= 90), "latitude missing or outside -90..90"),
            (~(np.abs(longitude) <= 360), "longitude missing or outside -360..360"),
            (magnitude_bad, "magnitude is not a number"),
            (magnitude > MAX_MAGNITUDE, f"magnitude above {MAX_MAGNITUDE:g}"),
            (magnitude < MIN_MAGNITUDE, f"magnitude below {MIN_MAGNITUDE:g}"),
            (depth_bad, "depth is not a number"),
            ((depth < SHALLOWEST_KM) | (depth > DEEPEST_KM), f"depth outside {SHALLOWEST_KM:g}..{DEEPEST_KM:g} km"),
            (np.array(kind, dtype=object) == "", "no event type"),
        ]
    masks, reasons = zip(*every_row, *((mask & ~deleted, text) for mask, text in live_rows), strict=True)
    first = np.select(masks, range(len(masks)), -1)  # the number of the first reason, -1 where there is none
    placeless = deleted & time_bad  # geojson writes 0, 0, 0 where a deleted event has no place
    wrapped = np.where(np.abs(longitude) > 180, (longitude + 180) % 360 - 180, longitude)
    observed = pd.Series(pd.Timestamp(observed_at), index=range(count)).astype("datetime64[us, UTC]")
    good, bad = np.flatnonzero(first < 0), np.flatnonzero(first >= 0)

    def chosen(values: list[Any]) -> list[Any]:
        return values if not len(bad) else [values[i] for i in good.tolist()]

    frame = pd.DataFrame(
        {
            "event_id": _strings(chosen(rows.event_id)),
            "ids": chosen(rows.ids),
            "origin_time": _utc(time_us, time_bad | ((time_us >= 0) & (time_us < _DAY_US)))[good],
            "latitude_deg": np.where(placeless, np.nan, latitude)[good],
            "longitude_deg": np.where(placeless, np.nan, wrapped)[good],
            "depth_km": np.where(placeless, np.nan, depth)[good],
            "magnitude": magnitude[good],
            "magnitude_type": _strings(chosen(texts["magType"])),
            "event_type": _strings(chosen(kind)),
            "status": pd.array(chosen(status), dtype="str"),
            "net": _strings(chosen(texts["net"])),
            "place": _strings(chosen(texts["place"])),
            "updated_at": _utc(updated_us, updated_bad | (updated_us < _END_OF_1970_US))[good],
            "observed_at": observed.array[: len(good)],
            "known_at": observed.array[: len(good)],
            "known_at_source": "observed",
            "source": "usgs",
        },
        columns=list(REVISION_COLUMNS),
    )
    raw = rows.raw() if len(bad) else []
    quarantined = quarantine_frame(
        [{"source": "usgs", "observed_at": observed_at, "reason": reasons[first[i]], "raw": _raw_text(raw[i])} for i in bad.tolist()]
    )
    return Parsed(frame, quarantined, count)


def only_asked(parsed: Parsed, query: Query, where: str) -> Parsed:
    """Return the answer without the rows that lie outside the query; these are quarantined.

    Raises:
        CatalogMalformed: there are so many of them that it is the answer to another query.
    """
    reasons = query.outside(parsed.revisions)
    outside = (reasons != "").to_numpy()
    if not outside.any():
        return parsed
    if outside.sum() > 1 and outside.mean() > MAX_OUTSIDE:
        counts = ", ".join(f"{reason}: {count}" for reason, count in reasons[outside].value_counts().items())
        raise CatalogMalformed(
            f"{where}: {outside.sum()} of {len(outside)} events are not what was asked for ({counts}): the answer to another question; "
            "nothing was taken from it, try again"
        )
    rows = parsed.revisions[outside]
    raws = rows[_LOGGED_COLUMNS].astype("str").to_dict("records")
    apart = quarantine_frame(
        [
            {"source": "usgs", "observed_at": observed_at, "reason": reason, "raw": _raw_text(raw)}
            for observed_at, reason, raw in zip(rows["observed_at"], reasons[outside], raws, strict=True)
        ]
    )
    together = [frame for frame in (parsed.quarantined, apart) if len(frame)]
    kept = parsed.revisions[~outside].reset_index(drop=True)
    return replace(parsed, revisions=kept, quarantined=pd.concat(together, ignore_index=True))


def numbers(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return floats, NaN where no value was given, and the mask of values that were given and are not finite numbers."""
    found = _plain_numbers(values)
    if found is None:
        found = np.array([_number(value) for value in values], dtype="float64")
    bad = np.isnan(found)
    for place in np.flatnonzero(bad).tolist():
        bad[place] = values[place] is not None and values[place] != ""
    return found, bad


def clean(value: Any) -> str:
    """Return a text without the characters that no store and no message can hold (half of a surrogate pair, NUL and other control
    characters)."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    text = text[:MAX_TEXT]
    return (text if text.isprintable() else "".join(map(_character, text))).strip()


def clean_all(values: Sequence[Any]) -> list[str]:
    """Return `clean` of each. Most columns repeat few texts, and most texts are clean."""
    if not set(map(type, values)) <= {str}:
        return [clean(value) for value in values]
    distinct = set(values)
    if _are_clean(distinct):
        return list(values)
    cleaned = {text: clean(text) for text in distinct}
    return [cleaned[text] for text in values]


def _are_clean(texts: Collection[str]) -> bool:
    """Return whether `clean` changes none of these texts, from all of them joined. Printable texts have no blank but the space."""
    lines = "\n" + "\n".join(texts) + "\n"
    bare = "\n " not in lines and " \n" not in lines and max(map(len, texts), default=0) <= MAX_TEXT
    return bare and "".join(texts).isprintable()


def _bad_ids(ids: list[list[str]]) -> np.ndarray:
    """Return in which rows there are too many ids, or one that cannot be one."""
    every = list(chain.from_iterable(ids))
    together = ",".join(every)
    if max(map(len, ids), default=0) <= MAX_IDS and _IDS.fullmatch(together) and together.count(",") == len(every) - 1:
        return np.zeros(len(ids), dtype=bool)
    return np.array([len(some) > MAX_IDS or not all(map(_ID.fullmatch, some)) for some in ids], dtype=bool)


def _lower(texts: list[str]) -> list[str]:
    """Return the texts in lower case. Few differ."""
    lower = {text: text.lower() for text in set(texts)}
    return [lower[text] for text in texts]


def _character(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cs"):
        return character
    return " " if character.isspace() else "\ufffd"


def _plain_numbers(values: Sequence[Any]) -> np.ndarray | None:
    """Return `_number` of each where all are texts that are empty or numbers, as in nearly every csv; None where any is something else."""
    try:
        together = "".join(values)
        found = np.array([float(text) if text else math.nan for text in values], dtype="float64")
    except (TypeError, ValueError):
        return None
    return None if not together.isascii() or "_" in together else np.where(np.isfinite(found), found, math.nan)


def _number(value: Any) -> float:
    if type(value) is str:
        if not value.isascii() or "_" in value:
            return math.nan
    elif type(value) is not float and type(value) is not int:
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _utc(micros: np.ndarray, missing: np.ndarray) -> pd.api.extensions.ExtensionArray:
    stamps = micros.astype("datetime64[us]")
    stamps[missing] = np.datetime64("NaT")
    return pd.Series(stamps).dt.tz_localize("UTC").array


def _strings(values: list[str]) -> pd.api.extensions.ExtensionArray:
    return pd.array([value or None for value in values] if "" in values else values, dtype="str")


def _raw_text(row: Any) -> str:
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
