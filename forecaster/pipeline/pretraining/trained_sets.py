"""The sets that this installation has trained on the world's circles: their folders, the decisions about them, and their turns."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from forecaster.errors import BadInput, CorruptModel, NotWritable
from forecaster.files import place_folder
from forecaster.models import pretrained, service_periods
from forecaster.models.etas.etas_priors import POOLED_UNTIL
from forecaster.models.pretrained import Pretrained
from forecaster.pipeline.pretraining.artefacts import Artefact
from forecaster.publishing_rule.weights import SET
from forecaster.registry.model_kinds import KINDS, kinds_where
from forecaster.settings import Settings
from forecaster.store import world_set_rows as stored
from forecaster.store.database import Store
from forecaster.store.typed_rows.model_types import NewSetDecision

log = logging.getLogger(__name__)

WORLD, TWINS = "world", "world-judged"
KINDS_TRAINED = kinds_where(lambda kind: kind.pretrainer)
SET_KINDS = (*KINDS_TRAINED, SET)
WEIGHTS_VERSION = "1"  # raise it by hand where weights learnt before can no longer be used


def folder_of(settings: Settings) -> Path:
    """Return the folder of this installation's sets."""
    return settings.models / WORLD


def twins_of(settings: Settings) -> Path:
    """Return the folder of the twins that represent them in evaluations."""
    return settings.models / TWINS


def version_of(kind: str) -> str:
    """Return the version that a usable set of this kind must have been trained for."""
    return WEIGHTS_VERSION if kind == SET else str(KINDS[kind].version)


def use(store: Store, settings: Settings) -> None:
    """Make this process forecast with the sets that serve now, according to the store."""
    with store.transaction() as connection:
        rows = stored.decisions(connection)
    service_periods.note(periods_of(rows, folder_of(settings)))


def periods_of(rows: Iterable[Mapping[str, Any]], folder: Path) -> list[service_periods.ServicePeriod]:
    """Return the service periods that follow from these decisions, oldest first.

    Each begins on the day after its decision and ends on the day of the set's retirement. Sets trained for another version of their kind
    have none.
    """
    open_periods: dict[tuple[str, date], service_periods.ServicePeriod] = {}
    closed = []
    for row in rows:
        key, day = (row["kind"], row["data_until"]), row["since"].date()
        if row["decision"] == "serves" and row["kind"] in SET_KINDS and row["kind_version"] == version_of(row["kind"]):
            if key in open_periods:  # retrained on data to the same day
                closed.append(_until(open_periods.pop(key), day))
            open_periods[key] = service_periods.ServicePeriod(*key, folder / row["directory"], row["sha256"], day + timedelta(days=1))
        elif row["decision"] == "retired" and key in open_periods:
            closed.append(_until(open_periods.pop(key), day))
    return [period for period in closed if period.last_day is None or period.first_day <= period.last_day] + list(open_periods.values())


def _until(period: service_periods.ServicePeriod, last_day: date) -> service_periods.ServicePeriod:
    return service_periods.ServicePeriod(period.kind, period.data_until, period.folder, period.sha256, period.first_day, last_day)


def next_day(now: datetime) -> date:
    """Return the first target day (UTC) that a decision made now applies to."""
    return now.date() + timedelta(days=1)


def set_name(row: Mapping[str, Any]) -> str:
    """Return the name of a decision's set."""
    return f"{row['kind']}-{row['data_until']}"


def damage_of(kind: str, now: datetime) -> str | None:
    """Describe what is wrong with this installation's next set; None where it is intact, or there is none."""
    for period in service_periods.on_day(kind, next_day(now))[:1]:
        try:
            pretrained.of_period(period)
        except CorruptModel as error:
            return str(error)
    return None


def serving(kind: str, now: datetime) -> Pretrained | None:
    """Return the set that forecasts the days after today (UTC).

    None where the kind works without one (ETAS with the package's parameters, weights that were not learnt).

    Raises:
        CorruptModel: the package's set is damaged.
    """
    return pretrained.newest_before(kind, next_day(now))


@dataclass(frozen=True)
class InService:
    """The set of a kind that forecasts from tomorrow (UTC) on. problem: why one that should serve cannot; None where nothing is wrong."""

    name: str
    data_until: date | None
    age_days: int | None
    problem: str | None


def in_service(kind: str, now: datetime) -> InService:
    """Describe the result of `serving` by name and age; a damaged set is reported as its problem."""
    problem = damage_of(kind, now)
    try:
        found = serving(kind, now)
    except CorruptModel as error:
        found, problem = None, str(error)
    until = found.data_until if found is not None else POOLED_UNTIL if kind == "etas" else None
    return InService(name_of(kind, found), until, None if until is None else (now.date() - until).days, problem)


def name_of(kind: str, found: Pretrained | None) -> str:
    """Return the name of a set in records: its folder, or what is used instead of a set."""
    if found is not None:
        return found.folder.name
    if kind == SET:
        return "the mean of ETAS and the hybrid"
    return f"the package's parameters of {kind}" if KINDS[kind].pretrained is None else "the usual rate"


def place(settings: Settings, made: Artefact, twin: Artefact | None) -> str:
    """Write a set to its folder, completely or not at all, and its twin before it; return its directory below `folder_of`.

    It is not used until a decision names it.

    Raises:
        NotWritable: for instance a full disk. CorruptModel: the files are not those that were made.
    """
    folder = folder_of(settings)
    places = [(twins_of(settings) / twin.name, twin)] if twin is not None else []
    for target, artefact in [*places, (folder / made.name, made)]:
        try:
            place_folder(target, artefact.files)
        except OSError as error:
            raise NotWritable(
                f"cannot write {target}: {error.strerror or error}; the sets that serve stay: free some space and run `quakecast pretrain`"
            ) from error
        pretrained.load_pretrained(target, "run `quakecast pretrain`")
    return made.name


def twin_of(settings: Settings, row: Mapping[str, Any]) -> Pretrained | None:
    """Return the twin that represents this decision's set; None where it is missing, or another one."""
    try:
        found = pretrained.load_pretrained(twins_of(settings) / f"{row['kind']}-{row['numbers']['twin']['data_until']}")
        return found if found.sha256 == row["numbers"]["twin"]["sha256"] else None
    except (CorruptModel, KeyError, TypeError) as error:
        log.warning("the twin of %s cannot be used: %s", row["directory"], error)
        return None


def decision_row(
    kind: str,
    data_until: date,
    decision: Literal["serves", "refused", "retired"],
    decided_by: Literal["rule", "record", "person"],
    since: datetime,
    *,
    instead_of: str,
    directory: str,
    sha256: str,
    reason: str,
    numbers: Mapping[str, Any],
    code_version: str,
) -> NewSetDecision:
    """Build a row of the table `world_set`, without its number."""
    return {
        "kind": kind,
        "data_until": data_until,
        "decision": decision,
        "decided_by": decided_by,
        "since": since,
        "instead_of": instead_of,
        "directory": directory,
        "sha256": sha256,
        "kind_version": version_of(kind),
        "reason": reason,
        "numbers": dict(numbers),
        "code_version": code_version,
    }


def latest(rows: Iterable[Mapping[str, Any]], kind: str, name: str | None = None) -> Mapping[str, Any] | None:
    """Return the newest decision about this kind, or about the set of this name; None where there is none."""
    found = [row for row in rows if row["kind"] == kind and (name is None or set_name(row) == name)]
    return found[-1] if found else None


def named(rows: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the newest decision about the set of this name.

    Raises:
        BadInput: this installation has trained no such set.
    """
    rows = list(rows)
    for kind in SET_KINDS:
        if (found := latest(rows, kind, name)) is not None:
            return found
    known = ", ".join(dict.fromkeys(map(set_name, rows))) or "none yet"
    raise BadInput(f"this installation has trained no set {name!r}; its sets: {known}")
