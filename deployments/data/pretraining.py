"""Shared parts of the pre-training scripts: the snapshot's earthquakes, the command line, and one pretrained set per date.

The sets are made by the code of `pretrain`. Import this module before numpy: it restricts linear algebra to one thread, because sums in a
fixed order give the same bytes each time.
"""

import argparse
import os
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from forecaster.catalog.snapshot import SNAPSHOT_END, snapshot_path
from forecaster.errors import QuakecastError
from forecaster.features.events import Events, events_from_frame
from forecaster.files import place_folder
from forecaster.models.pretrained import load_pretrained, packaged
from forecaster.pipeline.pretraining.artefacts import train

QUERY = """
    SELECT make_timestamp(origin_time_ms * 1000) AT TIME ZONE 'UTC' AS origin_time, origin_time AS known_at, latitude_deg, longitude_deg,
           depth_km, magnitude
    FROM read_parquet(?) WHERE magnitude >= 4.5 ORDER BY origin_time_ms, event_id
"""


def snapshot_events() -> Events:
    """Return the snapshot's earthquakes of M 4.5 or more, known at once: training uses the final catalogue."""
    return events_from_frame(duckdb.execute(QUERY, [str(snapshot_path())]).df())


def run(kind: str, description: str, circles: int, seed: int) -> None:
    """Run the script of `kind`: read the command line, and write the set of each date. circles, seed: the defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=date.fromisoformat, action="append", required=True, metavar="DAY", help="last day of data, UTC")
    parser.add_argument("--circles", type=int, default=circles, help="places around the world (%(default)s)")
    parser.add_argument("--seed", type=int, default=seed, help="draws circles, days and weights (%(default)s)")
    parser.add_argument("--to", type=Path, default=packaged(), metavar="FOLDER", help="where to write (the package)")
    arguments = parser.parse_args()
    if late := [until for until in arguments.until if until >= SNAPSHOT_END.date()]:
        parser.error(f"--until {late[0]}: the snapshot ends before {SNAPSHOT_END:%Y-%m-%d}; choose an earlier day")
    events = snapshot_events()
    try:
        for until in arguments.until:
            made = train(kind, events, until, arguments.circles, lambda told: print(told, flush=True), version("quakecast"), arguments.seed)
            place_folder(arguments.to / made.name, made.files)
            found = load_pretrained(arguments.to / made.name)
            print(f"{found.folder}: {sum(map(len, made.files.values())):,} bytes, files {found.sha256[:12]}", flush=True)
    except QuakecastError as error:
        sys.exit(f"pretrain_{kind}: {error}")
    except OSError as error:
        sys.exit(f"pretrain_{kind}: cannot write {arguments.to}: {error.strerror}; choose a folder that can be written")
