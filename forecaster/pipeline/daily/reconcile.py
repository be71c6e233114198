"""Once a week the last 60 days are read in full: what the reads of changes cannot see is found, asked for by its id, and mended.

Nothing is taken for deleted because an answer lacks it, and no older version takes the place of a later one because one answer shows it:
the service must say so twice, once in the whole and once of the event alone, and the later one must be two days old.
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
OVERTAKEN_AFTER = timedelta(hours=48)  # so long two back ends may differ
_FOUND = ("missing", "deleted", "changed", "unexplained", "not asked", "alive again", "gone back")


@dataclass(frozen=True)
class Reconciled:
    """`answers` (one a stream), `found` by single look-ups, `overruling`: rows that count from now on; `differences` by kind."""

    answers: list[ReadResult]
    found: list[pd.DataFrame]
    overruling: list[pd.DataFrame]
    differences: dict[str, int]


def reconcile(store: Store, client: Source, streams: list[Stream], now: datetime) -> Reconciled:
    """Read the last 60 days of every stream in full; ask by id for what the answer lacks, and for what it has in an older version."""
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
            said, _ = lookups.ask(event_id)
            differences[{"known": "changed", "deleted": "deleted"}.get(said, "unexplained")] += 1
        found += lookups.found
        for event_id, status in list(older.items())[: lookups.left]:
            _, row = lookups.ask(event_id)
            if row is not None and _same(row, answer.revisions):
                differences["alive again" if status == "deleted" else "gone back"] += 1
                overruling.append(row)
    return Reconciled(answers, found, overruling, differences)


def _same(row: pd.DataFrame, revisions: pd.DataFrame) -> bool:
    """Whether the version that came alone is the one in the answer."""
    columns = ["event_id", "updated_at", "status", "magnitude"]
    return not row[columns].merge(revisions[columns]).empty
