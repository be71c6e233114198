"""Make a store whose history is what was known at the time, for `quakecast evaluate --inputs known`.

    python deployments/data/recorded_store.py FOLDER DATABASE

FOLDER holds the final catalogue and the recording of the USGS feed (recorded_history.py names the files); the recording is not public.
DATABASE must not exist yet. It is named quakecast.duckdb, in a folder of its own that then serves as QUAKECAST_HOME. Before 2022-04-09 it
holds the bundled snapshot with modelled known-times; after it the recorded history. Its coverage states that both streams were read to the
end of 2024.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import recorded_history

from forecaster.catalog.coverage import STREAMS, coverage_rows
from forecaster.catalog.snapshot import SNAPSHOT_END, SNAPSHOT_OBSERVED_AT, SNAPSHOT_START
from forecaster.store.database import open_store
from forecaster.store.versions import catalogue


def make_store(folder: Path, database: Path) -> int:
    """Write the store; return the number of event versions that it holds."""
    if database.exists():
        raise SystemExit(f"{database} exists already; name a file that does not")
    store = open_store(database)
    with store.transaction() as connection:
        new = catalogue.write_revisions(connection, recorded_history.snapshot_before()).new
        new += catalogue.write_revisions(connection, recorded_history.recorded_revisions(folder)).new
        catalogue.write_coverage(connection, coverage_rows(STREAMS, SNAPSHOT_START, SNAPSHOT_END, SNAPSHOT_OBSERVED_AT, "snapshot"))
    return new


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("database", type=Path, metavar="DATABASE")
    arguments = parser.parse_args()
    print(f"{make_store(arguments.folder, arguments.database):,} versions in {arguments.database}")
