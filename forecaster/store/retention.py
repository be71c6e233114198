"""What leaves the database with time. Official forecasts, outcomes, scores, alerts and the catalogue never do; nor do rows of a report."""

from dataclasses import dataclass
from datetime import datetime

from forecaster.store.database import Connection


@dataclass(frozen=True)
class Rule:
    """Rows of `table` that leave, or that are made smaller by `change`."""

    what: str
    table: str
    where: str
    change: str | None = None


RULES = (
    Rule("requests to the service", "fetch_log", "requested_at < $before"),
    # One of each stays: a row that is sent again and is known to be bad holds up nothing.
    Rule("quarantined rows kept twice", "quarantine", "rowid NOT IN (SELECT min(rowid) FROM quarantine GROUP BY reason, raw)"),
    Rule("sent messages", "delivery", "state = 'sent' AND coalesce(sent_at, created_at) < $told_before"),
    Rule(
        "details of runs",
        "run",
        "finished_at < $before AND len(json_keys(details)) > 1",
        "details = json_object('problems', coalesce(details -> 'problems', '[]'::JSON))",
    ),
)


def count(connection: Connection, before: datetime, told_before: datetime) -> dict[str, int]:
    """How many rows each rule concerns: those of before these times."""
    return {
        rule.what: _number(connection, f"SELECT count(*) FROM {rule.table} WHERE {rule.where}", rule, before, told_before) for rule in RULES
    }


def apply(connection: Connection, before: datetime, told_before: datetime) -> dict[str, int]:
    """Let them leave; returns how many."""
    found = {}
    for rule in RULES:
        verb = f"DELETE FROM {rule.table}" if rule.change is None else f"UPDATE {rule.table} SET {rule.change}"
        found[rule.what] = _number(connection, f"{verb} WHERE {rule.where}", rule, before, told_before)
    return found


def _number(connection: Connection, sql: str, rule: Rule, before: datetime, told_before: datetime) -> int:
    limits = {"before": before, "told_before": told_before}
    return int(
        connection.execute(sql, {name: value for name, value in limits.items() if f"${name}" in rule.where.split()}).fetchall()[0][0]
    )


def sent_pages(connection: Connection) -> set[str]:
    """The paths of the reports that were planned for somebody, below the output folder."""
    rows = connection.execute("SELECT path FROM report WHERE report_id IN (SELECT subject_id FROM delivery WHERE subject_kind = 'report')")
    return {path for (path,) in rows.fetchall()}


def superseded_models(connection: Connection, before: datetime) -> list[str]:
    """The directories of models that a newer one of their kind has replaced since before then, and that nothing asks for any more.

    Those that a person named, a walk-forward backfill may go on with, or a forecast made since then came from, are none.
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
