"""Load the catalogue that comes with the package into the store: once, or in a replay as it was known on each day."""

from datetime import datetime

from forecaster.catalog import snapshot
from forecaster.catalog.coverage import STREAMS, CoverageSource, coverage_rows
from forecaster.clock import Clock
from forecaster.store.database import Store
from forecaster.store.engine.parquet_files import read_parquet
from forecaster.store.versions import catalogue


def load_snapshot(store: Store, known_by: datetime | None = None) -> int:
    """Load the bundled snapshot into an empty store; returns the number of events, 0 where a catalogue is there already.

    With `known_by` only what was known by then is loaded, as if the snapshot had been taken at that time.
    """
    with store.transaction() as connection:
        if not catalogue.read_coverage(connection).empty:
            return 0
    frame = snapshot.snapshot_revisions(read_parquet(snapshot.snapshot_path()), known_by)
    taken_at = min(snapshot.SNAPSHOT_OBSERVED_AT, known_by or snapshot.SNAPSHOT_OBSERVED_AT)
    rows = coverage_rows(STREAMS, snapshot.SNAPSHOT_START, min(snapshot.SNAPSHOT_END, taken_at), taken_at, CoverageSource.SNAPSHOT)
    with store.transaction() as connection:
        count = catalogue.write_revisions(connection, frame)
        catalogue.write_coverage(connection, rows)
    return count.new


def replay_snapshot(store: Store, clock: Clock) -> int:
    """Load what the bundled snapshot adds since its last loading, as known at the clock's time; return the number of new events.

    The result is as if the snapshot had been taken again. For replays, which have no service to ask.
    """
    now = clock.now()
    with store.transaction() as connection:
        before = catalogue.read_coverage(connection)["read_at"].max()
    frame = snapshot.snapshot_revisions(read_parquet(snapshot.snapshot_path()), now)
    rows = coverage_rows(STREAMS, snapshot.SNAPSHOT_START, min(snapshot.SNAPSHOT_END, now), now, CoverageSource.SNAPSHOT)
    with store.transaction() as connection:
        count = catalogue.write_revisions(connection, frame[frame["known_at"] > before])
        catalogue.write_coverage(connection, rows)
    return count.new
