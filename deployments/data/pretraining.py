"""What the scripts that pre-train share: the snapshot's earthquakes, the command line, an artefact for each date.

Import it before numpy: it puts linear algebra on one thread, as sums in one order give the same bytes each time.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from forecaster.catalog.snapshot import SNAPSHOT_END, snapshot_path
from forecaster.errors import QuakecastError
from forecaster.features.events import Events, events_from_frame
from forecaster.models.pretrained import packaged, write_pretrained

QUERY = """
    SELECT make_timestamp(origin_time_ms * 1000) AT TIME ZONE 'UTC' AS origin_time, origin_time AS known_at, latitude_deg, longitude_deg,
           depth_km, magnitude
    FROM read_parquet(?) WHERE magnitude >= 4.5 ORDER BY origin_time_ms, event_id
"""

Artefact = tuple[dict[str, bytes], dict[str, Any]]


def snapshot_events() -> Events:
    """The earthquakes of the snapshot from M 4.5 on, known at once: training learns from the final catalogue."""
    return events_from_frame(duckdb.execute(QUERY, [str(snapshot_path())]).df())


def run(kind: str, description: str, circles: int, seed: int, train: Callable[[Events, date, int, int, Progress], Artefact]) -> None:
    """The script of `kind`: reads the command line, and writes what `train(events, until, circles, seed, progress)` gives for each date.

    circles, seed: the defaults.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=date.fromisoformat, action="append", required=True, metavar="DAY", help="last day of data, UTC")
    parser.add_argument("--circles", type=int, default=circles, help="places around the world (%(default)s)")
    parser.add_argument("--seed", type=int, default=seed, help="draws circles, days and weights (%(default)s)")
    parser.add_argument("--to", type=Path, default=packaged(), metavar="FOLDER", help="where to write (the package)")
    arguments = parser.parse_args()
    if late := [until for until in arguments.until if until >= SNAPSHOT_END.date()]:
        parser.error(f"--until {late[0]}: the snapshot ends before {SNAPSHOT_END:%Y-%m-%d}; choose an earlier day")
    events = snapshot_events()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns) as progress:
            for until in arguments.until:
                files, record = train(events, until, arguments.circles, arguments.seed, progress)
                made = write_pretrained(arguments.to, kind, until, files, record | {"code": version("quakecast")})
                progress.console.print(f"{made.folder}: {sum(map(len, files.values())):,} bytes, files {made.sha256[:12]}")
    except QuakecastError as error:
        sys.exit(f"pretrain_{kind}: {error}")
