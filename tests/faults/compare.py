"""What two homes must have in common after the same days, whatever happened to one of them, and what may lie in a home at all."""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from forecaster.store.database import Store

# When something was read, made or sent differs where a day needed a second attempt; what was said and seen does not.
CLOCKED = (
    *("observed_at", "known_at", "first_known_at", "issue_time", "as_of", "created_at", "scored_at", "revised_at", "corrected_at"),
    *("raised_at", "read_at", "run_id", "forecast_id", "supersedes", "model_id", "data_age_hours"),
)
SAME = {
    "event_revision": "SELECT * FROM event_revision",
    "event": "SELECT * FROM event",
    "event_id_map": "SELECT * FROM event_id_map",
    "event_merge": "SELECT * FROM event_merge",
    "official forecasts": "SELECT * EXCLUDE (degraded, degraded_reason, degraded_reasons) FROM forecast WHERE official",
    "outcome": "SELECT * FROM outcome",
    "score": "SELECT s.* EXCLUDE (forecast_id), f.model_kind FROM score s JOIN forecast f USING (forecast_id) WHERE f.official",
}
KEPT = {".heads.json"}  # hidden, and meant to stay
DOUBLED = {  # what must stand there once
    "revisions": "SELECT event_id, content_md5 FROM event_revision",
    "official forecasts": "SELECT recipe_id, target_start, target_hash, model_kind FROM forecast WHERE official",
    "published forecasts": "SELECT recipe_id, target_start, target_hash FROM forecast WHERE published",
    "outcomes": "SELECT recipe_id, target_start, target_hash FROM outcome",
    "scores": "SELECT forecast_id FROM score",
}


def asked(store: Store, sql: str) -> pd.DataFrame:
    with store.transaction() as connection:
        return connection.execute(sql).df()


def rows(store: Store, sql: str, but: Iterable[str] = CLOCKED) -> list[str]:
    """The rows as text, sorted, without the columns named in `but`."""
    frame = asked(store, sql)
    kept = frame[[name for name in frame.columns if name not in set(but)]]
    return sorted("|".join(map(_text, row)) for row in kept.itertuples(index=False, name=None))


def _text(value: object) -> str:
    return ",".join(sorted(map(str, value))) if hasattr(value, "tolist") and not isinstance(value, str) else str(value)


def differences(one: Store, other: Store, which: Iterable[str] = tuple(SAME), but: Iterable[str] = CLOCKED) -> dict[str, dict[str, object]]:
    """By what: how many rows each has alone, with the first of them; empty where they are equal row for row."""
    found = {}
    for name in which:
        mine, theirs = rows(one, SAME[name], but), rows(other, SAME[name], but)
        if mine != theirs:
            only, missing = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
            found[name] = {"rows": (len(mine), len(theirs)), "only in the first": only[:3], "only in the second": missing[:3]}
    return found


def doubled(store: Store) -> dict[str, int]:
    """By what: how many keys stand there more than once."""
    counts = {name: len(asked(store, f"{sql} GROUP BY ALL HAVING count(*) > 1")) for name, sql in DOUBLED.items()}
    return {name: count for name, count in counts.items() if count}


def broken_files(home: Path) -> list[str]:
    """Files below `home` that are half-written (pages without an end, JSON that cannot be read) or left over."""
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        name = str(path.relative_to(home))
        if (path.name.startswith(".") and path.name not in KEPT) or path.suffix in (".tmp", ".new", ".wal") or "/.new-" in f"/{name}":
            found.append(f"{name} is left over")
        elif path.suffix == ".html" and not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
            found.append(f"{name} has no end")
        elif path.suffix == ".json" and not _whole(path):
            found.append(f"{name} is no JSON")
    return found


def _whole(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
