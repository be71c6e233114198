"""Read the last 60 days in full once a week, to find and correct what the reads of changes cannot see. Differences are looked up by id.

An event is not taken as deleted because one answer lacks it. An older version does not replace a later one because one answer shows it. The
service must confirm it twice, in the full read and in a look-up of the single event, and the later version must be two days old.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import Stream, in_streams
from forecaster.catalog.query import Query, ReadResult
from forecaster.catalog.sources.base import Source
from forecaster.pipeline.daily.pull_checks import MAX_SINGLE_LOOKUPS, Lookups
from forecaster.store.database import Store
from forecaster.store.versions import held

RECONCILE_SPAN = timedelta(days=60)
OVERTAKEN_AFTER = timedelta(hours=48)  # back ends may differ for this long
_FOUND = ("missing", "deleted", "changed", "unexplained", "not asked", "alive again", "gone back")


@dataclass(frozen=True)
class Reconciled:
    """The result: `answers` (one a stream), `found` by look-ups, `overruling` (rows valid from now on), `differences` by kind."""

    answers: list[ReadResult]
    found: list[pd.DataFrame]
    overruling: list[pd.DataFrame]
    differences: dict[str, int]


def reconcile(store: Store, client: Source, streams: list[Stream], now: datetime) -> Reconciled:
    """Read the last 60 days of every stream in full. Look up by id what the answer lacks, or holds in an older version than ours."""
    differences = dict.fromkeys(_FOUND, 0)
    answers, found, overruling = [], [], []
    for stream in streams:
        query = Query(now - RECONCILE_SPAN, now, stream.min_magnitude, stream.region)
        answer = client.read_span(query)
        answers.append(answer)
        seen = {event_id for ids in answer.revisions["ids"] for event_id in ids}
        with store.transaction() as connection:
            stored = held.stored_between(connection, query.start, query.end, stream.min_magnitude)
            older = held.overtaken(connection, answer.revisions, now - OVERTAKEN_AFTER)
        where = (stored[name].to_numpy(dtype=np.float64) for name in ("latitude_deg", "longitude_deg", "magnitude"))
        stored = stored[in_streams([stream], *where)]
        missing = [str(row["event_id"]) for row in stored.to_dict("records") if seen.isdisjoint(row["ids"])]
        lookups = Lookups(client)
        differences["missing"] += len(missing)
        differences["not asked"] += max(0, len(missing) + len(older) - MAX_SINGLE_LOOKUPS)
        for event_id in missing[:MAX_SINGLE_LOOKUPS]:
            reply, _ = lookups.ask(event_id)
            differences[{"known": "changed", "deleted": "deleted"}.get(reply, "unexplained")] += 1
        found += lookups.found
        for event_id, status in list(older.items())[: lookups.left]:
            _, row = lookups.ask(event_id)
            if row is not None and _same(row, answer.revisions):
                differences["alive again" if status == "deleted" else "gone back"] += 1
                overruling.append(row)
    return Reconciled(answers, found, overruling, differences)


def _same(row: pd.DataFrame, revisions: pd.DataFrame) -> bool:
    """Whether the version from the single look-up is the one in the answer."""
    columns = ["event_id", "updated_at", "status", "magnitude"]
    return not row[columns].merge(revisions[columns]).empty
