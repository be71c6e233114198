"""Pre-train the hybrid's networks from the bundled snapshot, as the package ships them.

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --until 2024-11-16

writes forecaster/models/data/hybrid-<until>/ for each date: pretrained.json, trunk.json, trees.ubj and network-0.keras. Nothing after the
date is looked at. The first date serves the evaluation of 2018-2024 and replays; by 2024-12-31, the end of the snapshot, the outcomes of
days to 2024-11-16 were 45 days old. It takes about seven minutes of one core and 3 GB of memory for each date; a GPU is used if there is
one (then the last bits of the weights differ).

To try it out in two minutes, elsewhere:

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --circles 20 --to /tmp/trial
"""

import argparse
import os
import sys
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # sums in one order: the same bytes each time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from forecaster.catalog.snapshot import SNAPSHOT_END, snapshot_path
from forecaster.errors import QuakecastError
from forecaster.features.events import Events, events_from_frame
from forecaster.models.hybrid import KIND
from forecaster.models.hybrid_training import TrainingSettings, pretrain
from forecaster.models.pretrained import packaged, write_pretrained

QUERY = """
    SELECT make_timestamp(origin_time_ms * 1000) AT TIME ZONE 'UTC' AS origin_time, origin_time AS known_at, latitude_deg, longitude_deg,
           depth_km, magnitude
    FROM read_parquet(?) WHERE magnitude >= 4.5 ORDER BY origin_time_ms, event_id
"""


def snapshot_events() -> Events:
    """The earthquakes of the snapshot from M 4.5 on, known at once: training learns from the final catalogue."""
    return events_from_frame(duckdb.execute(QUERY, [str(snapshot_path())]).df())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=date.fromisoformat, action="append", required=True, metavar="DAY", help="last day of data, UTC")
    parser.add_argument("--circles", type=int, default=TrainingSettings.circles, help="places around the world (%(default)s)")
    parser.add_argument("--seed", type=int, default=TrainingSettings.seed, help="draws circles, days and weights (%(default)s)")
    parser.add_argument("--to", type=Path, default=packaged(), metavar="FOLDER", help="where to write (the package)")
    arguments = parser.parse_args()
    if late := [until for until in arguments.until if until >= SNAPSHOT_END.date()]:
        parser.error(f"--until {late[0]}: the snapshot ends before {SNAPSHOT_END:%Y-%m-%d}; choose an earlier day")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    events = snapshot_events()
    settings = replace(TrainingSettings(), circles=arguments.circles, seed=arguments.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        for until in arguments.until:
            circles = progress.add_task(f"circles to {until}", total=arguments.circles)
            batches = progress.add_task(f"trees, then networks to {until}", total=None)
            files, record = pretrain(
                events,
                events,
                until,
                settings,
                lambda number, task=circles: progress.advance(task),
                lambda done, steps, task=batches: progress.update(task, completed=done, total=steps),
            )
            made = write_pretrained(arguments.to, KIND, until, files, record | {"code": version("quakecast")})
            progress.console.print(f"{made.folder}: {sum(map(len, files.values())):,} bytes, files {made.sha256[:12]}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except QuakecastError as error:
        sys.exit(f"pretrain_hybrid: {error}")
