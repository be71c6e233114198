"""Check whether the world's sets are due for training, and why: age, catalogue growth, calibration drift, a new version, damage."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from forecaster.catalog.coverage import WORLD
from forecaster.models import pretrained
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.pretraining.trained_sets import SET_KINDS, damage_of, latest, next_day, serving, version_of
from forecaster.pipeline.training.due import drift_together
from forecaster.recipe import Recipe
from forecaster.store.database import Connection
from forecaster.timewindow import DAY_US

AFTER_DAYS = 30  # of newly verified days
GROWTH_SHARE = 0.01  # of the earthquakes that the newest sets know; a usual month adds a third of that
PAUSE_DAYS = 7  # of newly verified days: before these only damage and a new version make a training due


def due_reasons(
    connection: Connection, rows: Sequence[Mapping[str, Any]], known: Known, until: date, recipes: Sequence[Recipe], now: datetime
) -> list[str]:
    """Return why the sets are due for training now, in words; empty where they are not.

    Args:
        rows: all decisions. until: the day where the data of a training would end. recipes: those whose record is checked.

    A training whose set was refused counts as one: it is not repeated before the catalogue has grown as much. A failed one does not count.
    """
    reasons = [reason for kind in SET_KINDS if (reason := _damage(kind, rows, now))]
    begin = packaged_until(now) or date.min
    last = min(begin if (row := _newest(kind, rows)) is None else row["data_until"] for kind in SET_KINDS)
    fresh = (until - last).days
    if fresh >= AFTER_DAYS:
        reasons.append(f"{fresh} days were verified since the data of the newest training ended ({last}), {AFTER_DAYS} are the limit")
    if fresh >= PAUSE_DAYS:
        days = known.events.origin_time_us[known.events.magnitude >= WORLD.min_magnitude] // DAY_US
        before, after = np.datetime64(last).astype(int), np.datetime64(until).astype(int)
        grown, had = int(((days > before) & (days <= after)).sum()), int((days <= before).sum())
        if grown >= GROWTH_SHARE * had:
            reasons.append(f"{grown} earthquakes of M {WORLD.min_magnitude:g} and more were verified since, the newest training knew {had}")
        if drifted := drift_together(connection, recipes, now):
            reasons.append(drifted)
    return reasons if fresh > 0 else []


def packaged_until(now: datetime) -> date | None:
    """Return where the data of the package's newest networks end, among those that may forecast tomorrow."""
    ends = (end for end, _ in pretrained.dated("hybrid", pretrained.packaged()))
    return max((end for end in ends if pretrained.first_day_after(end) <= next_day(now)), default=None)


def _newest(kind: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return latest([row for row in rows if row["decision"] != "retired" and row["kind_version"] == version_of(kind)], kind)


def _damage(kind: str, rows: Sequence[Mapping[str, Any]], now: datetime) -> str | None:
    """Explain why the set that should serve cannot: it is damaged, or of another version of its kind."""
    if (damage := damage_of(kind, now)) is not None:
        found = serving(kind, now)
        return f"{damage}; {'nothing' if found is None else found.folder.name} stands in"
    row = latest(rows, kind)
    if row is not None and row["decision"] == "serves" and row["kind_version"] != version_of(kind):
        return f"{row['directory']} is of version {row['kind_version']} of its kind, this quakecast has {version_of(kind)}"
    return None
