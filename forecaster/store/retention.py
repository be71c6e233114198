"""Removal of old rows from the database. Official forecasts, outcomes, scores, alerts and the catalogue are never removed; nor are rows of
a report."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from forecaster.store.database import Connection


@dataclass(frozen=True)
class Rule:
    """Rows of `table` that are removed, or made smaller by `change`. `where` names the time limit that applies, a field of `Limits`."""

    what: str
    table: str
    where: str
    change: str | None = None


@dataclass(frozen=True)
class Limits:
    """Rows older than these times may be removed; None: kept for ever. before: details. told_before: sent messages. world_before: cells of
    old maps."""

    before: datetime | None
    told_before: datetime | None
    world_before: datetime | None


RULES = (
    Rule("requests to the service", "fetch_log", "requested_at < $before"),
    # One of each is kept: a row that is sent again and known to be bad does not block anything.
    Rule("quarantined rows kept twice", "quarantine", "rowid NOT IN (SELECT min(rowid) FROM quarantine GROUP BY reason, raw)"),
    Rule("sent messages", "delivery", "state = 'sent' AND coalesce(sent_at, created_at) < $told_before"),
    Rule(
        "cells of old maps of the world",
        "world_cell",
        "issue IN (SELECT issue FROM world_map WHERE target_start < $world_before)",
    ),
    Rule(
        "details of runs",
        "run",
        "finished_at < $before AND len(json_keys(details)) > 1",
        "details = json_object('problems', coalesce(details -> 'problems', '[]'::JSON))",
    ),
)


def count(connection: Connection, limits: Limits) -> dict[str, int]:
    """Return how many rows each rule concerns: those before its time. A rule without a time is left out."""
    return {rule.what: _number(connection, f"SELECT count(*) FROM {rule.table} WHERE {rule.where}", given) for rule, given in _due(limits)}


def apply(connection: Connection, limits: Limits) -> dict[str, int]:
    """Remove these rows; returns how many."""
    found = {}
    for rule, given in _due(limits):
        verb = f"DELETE FROM {rule.table}" if rule.change is None else f"UPDATE {rule.table} SET {rule.change}"
        found[rule.what] = _number(connection, f"{verb} WHERE {rule.where}", given)
    return found


def _due(limits: Limits) -> Iterator[tuple[Rule, dict[str, datetime]]]:
    """Yield each rule whose time is set, with the times that it names."""
    for rule in RULES:
        named = {name: value for name, value in vars(limits).items() if re.search(rf"\${name}\b", rule.where)}
        given = {name: value for name, value in named.items() if value is not None}
        if len(given) == len(named) and (given or limits.before is not None):
            yield rule, given


def _number(connection: Connection, sql: str, given: dict[str, datetime]) -> int:
    return int(connection.execute(sql, given).fetchall()[0][0])


def sent_pages(connection: Connection) -> set[str]:
    """Return the paths of the reports that were planned for a recipient, below the output folder."""
    rows = connection.execute("SELECT path FROM report WHERE report_id IN (SELECT subject_id FROM delivery WHERE subject_kind = 'report')")
    return {path for (path,) in rows.fetchall()}


def superseded_models(connection: Connection, before: datetime) -> list[str]:
    """Return the directories of models that a newer one of their kind replaced before then and that nothing needs any more.

    Left out are models that a person named, that a walk-forward backfill may continue with, or that made a forecast since then.
    """
    rows = connection.execute(
        "SELECT directory FROM model m WHERE EXISTS (SELECT 1 FROM model n WHERE n.recipe_id = m.recipe_id AND n.kind = m.kind "
        "AND n.recipe_hash = m.recipe_hash AND n.data_as_of > m.data_as_of AND n.created_at < $before) "
        "AND model_id NOT IN (SELECT model_id FROM publication WHERE model_id IS NOT NULL) "
        "AND model_id NOT IN (SELECT model_id FROM champion WHERE model_id IS NOT NULL) "
        "AND model_id NOT IN (SELECT model_id FROM forecast WHERE issue_time >= $before) "
        "AND NOT EXISTS (SELECT 1 FROM walk_forward_fit w WHERE w.model_id = m.model_id OR contains(w.models::VARCHAR, m.model_id)) "
        "ORDER BY directory",
        {"before": before},
    )
    return [directory for (directory,) in rows.fetchall()]
