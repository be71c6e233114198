"""Decisions about the world's sets outside of a training: retire, bring back, list."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from forecaster.errors import BadInput
from forecaster.installed import code_version
from forecaster.models import pretrained, service_periods
from forecaster.pipeline.pretraining.trained_sets import (
    SET_KINDS,
    decision_row,
    folder_of,
    in_service,
    latest,
    name_of,
    named,
    next_day,
    serving,
    set_name,
    use,
    version_of,
)
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training.manage_models import checked_reason
from forecaster.store import world_set_rows as stored
from forecaster.store.typed_rows.model_types import SetDecision


def list_sets(job: Job, everything: bool = False) -> list[dict[str, Any]]:
    """Return one dict per kind: kind, serves (its name), data_until, age_days, why, and sets.

    sets: the newest decision about each of this installation's own sets, newest first; with `everything`, every decision. `problem`: why a
    set that should serve cannot.

    JSON-able except for dates and times.
    """
    now = job.clock.now()
    with job.store.transaction() as connection:
        rows = stored.decisions(connection, now)
    return [_listed(kind, [row for row in rows if row["kind"] == kind], now, everything) for kind in SET_KINDS]


def _listed(kind: str, rows: Sequence[SetDecision], now: datetime, everything: bool) -> dict[str, Any]:
    served = in_service(kind, now)
    own = latest(rows, kind, served.name)
    why = (
        own["reason"]
        if own is not None and own["decision"] == "serves"
        else "it comes with the package, and no newer one of this installation"
    )
    kept = {set_name(row): row for row in rows}
    sets = [{**row, "name": set_name(row)} for row in (rows if everything else kept.values())]
    return {
        "kind": kind,
        "serves": served.name,
        "data_until": served.data_until,
        "age_days": served.age_days,
        "why": why,
        "problem": served.problem,
        "sets": sorted(sets, key=lambda row: row["number"], reverse=True),
    }


def retire(
    job: Job, own: Sequence[service_periods.ServicePeriod], decided_by: Literal["record", "person"], reason: str, numbers: Mapping[str, Any]
) -> dict[str, str]:
    """Retire these sets from tomorrow (UTC) on; return, by set, why."""
    now = job.clock.now()
    after = {period.kind: _next(period.kind, own, next_day(now)) for period in own}
    with job.store.transaction() as connection:
        for period in own:
            row = decision_row(
                period.kind,
                period.data_until,
                "retired",
                decided_by,
                now,
                instead_of=after[period.kind],
                directory=period.folder.name,
                sha256=period.sha256,
                reason=reason,
                numbers=numbers,
                code_version=code_version(),
            )
            stored.add_decision(connection, row)
    use(job.store, job.settings)
    return {period.folder.name: f"retired, {after[period.kind]} serves from tomorrow (UTC) on: {reason}" for period in own}


def _next(kind: str, leaving: Sequence[service_periods.ServicePeriod], tomorrow: date) -> str:
    left = [period for period in service_periods.on_day(kind, tomorrow) if period not in leaving]
    return left[0].folder.name if left else name_of(kind, pretrained.newest_before(kind, tomorrow, pretrained.packaged()))


def retire_named(job: Job, name: str, reason: str) -> dict[str, str]:
    """Retire the set of this name by a person's decision; the previous one serves again.

    Raises:
        BadInput: there is no such set, it has no service period, or no reason is given.
    """
    reason = checked_reason(reason)
    with job.store.transaction() as connection:
        row = named(stored.decisions(connection), name)
    own = [period for period in service_periods.on_day(row["kind"], next_day(job.clock.now())) if period.folder.name == name]
    if not own:
        raise BadInput(f"{name} does not serve: the last decision about it is {row['decision']!r} ({row['reason']})")
    return retire(job, own, "person", reason, {})


def bring_back(job: Job, name: str, reason: str) -> dict[str, str]:
    """Bring back a retired set by a person's decision; the newest of the sets that may serve forecasts.

    Raises:
        BadInput: there is no such set, it was not retired, or no reason is given. CorruptModel: its files are missing or damaged.
    """
    reason, now = checked_reason(reason), job.clock.now()
    with job.store.transaction() as connection:
        rows = stored.decisions(connection)
    row = named(rows, name)
    kind = row["kind"]
    if row["decision"] != "retired":
        raise BadInput(f"{name} was not retired: the last decision about it is {row['decision']!r} ({row['reason']})")
    if row["kind_version"] != version_of(kind):
        raise BadInput(
            f"{name} is of version {row['kind_version']} of its kind, this quakecast has {version_of(kind)}; run `quakecast pretrain`"
        )
    period = service_periods.ServicePeriod(kind, row["data_until"], folder_of(job.settings) / row["directory"], row["sha256"], now.date())
    pretrained.of_period(period)
    served = latest([one for one in rows if one["decision"] == "serves"], kind, name) or row
    with job.store.transaction() as connection:
        again = decision_row(
            kind,
            row["data_until"],
            "serves",
            "person",
            now,
            instead_of=name_of(kind, serving(kind, now)),
            directory=row["directory"],
            sha256=row["sha256"],
            reason=reason,
            numbers=served["numbers"],
            code_version=code_version(),
        )
        stored.add_decision(connection, again)
    use(job.store, job.settings)
    return {name: f"serves again from tomorrow (UTC) on: {reason}"}
