"""Learn the weights of the published combination, as the package ships them, from pooled held-out days of its members.

    python deployments/data/pretrain_pooled.py --until 2010-12-15 --until 2013-12-15 --to SETS
    python deployments/data/pretrain_hybrid.py --until 2010-12-15 --until 2013-12-15 --to SETS
    python deployments/data/pretrain_cells.py --until 2010-12-15 --until 2013-12-15 --to SETS
    python deployments/data/learn_weights.py --fold SETS:2010-12-15:2011-01-01:2013-12-31 --fold SETS:2013-12-15:2014-01-01:2017-11-16
    python deployments/data/learn_weights.py --fold ... --fold ... --fold :2014-12-31:2017-11-17:2024-11-16

writes forecaster/models/data/combination-<last day>/: weights.json and pretrained.json.

A fold is FOLDER:UNTIL:FIRST:LAST: the days FIRST to LAST of every circle, forecast by the pretrained sets of FOLDER (the package's where it
is empty) whose data end with UNTIL. Circles are drawn from the catalogue up to the first fold's UNTIL. Inputs are the bundled snapshot,
thinned by modelled reporting delays. ETAS is the generic one, so that the weights suit installations that have trained nothing. No data
after the last day are used. Each fold of seven years takes some ten minutes of one core; its result is stored in --work and reused.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import json

import numpy as np
import pandas as pd
from rich.progress import track

from forecaster.catalog.snapshot import SNAPSHOT_END
from forecaster.errors import QuakecastError
from forecaster.features.circles import world_circles
from forecaster.models.fit_and_load import model_of_set
from forecaster.models.pooled.pooled_training import events_until
from forecaster.models.pretrained import load_pretrained, packaged, write_pretrained
from forecaster.pipeline.as_of import bundled_catalogue
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.pretraining.fit_set import forecasts_by
from forecaster.pipeline.pretraining.world_weights import days_of
from forecaster.publishing_rule.combination import MEMBERS, SPREAD_OF_OTHERS, Belief, combine, learn
from forecaster.publishing_rule.weights import SET, WEIGHTS_FILE, unlearnt
from forecaster.recipe import Recipe
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import read_parquets, write_parquet
from forecaster.verification.intervals import DailyGain, draw_blocks, gain_intervals
from forecaster.verification.scores import log_likelihood

SETS = ("pooled", "hybrid", "cells")
LEARNT = ("recent_rate", "etas", *SETS)
START = Belief(unlearnt().belief.mean, np.eye(len(MEMBERS)))
BETWEEN = {"etas": 0.25, "hybrid": 0.75}  # the average of the hybrid alone and its equal mean with ETAS
CAUTIOUS = np.array([BETWEEN.get(name, 0.0) for name in MEMBERS])
DAY_SHARE, OWN_SD = 0.3, 0.05  # chosen on 2011-2017 (docs/EXPERIMENTS.md)
BLOCK_DAYS, REFITS = 90, 40


@dataclass(frozen=True)
class Fold:
    """The days first..last of every circle, forecast by the pretrained sets in the folder `sets` whose data end with `until`."""

    sets: Path
    until: date
    first: date
    last: date


def fold(text: str) -> Fold:
    """Parse FOLDER:UNTIL:FIRST:LAST."""
    try:
        folder, *days = text.rsplit(":", 3)
        return Fold(Path(folder) if folder else packaged(), *map(date.fromisoformat, days))
    except (ValueError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r} is not FOLDER:UNTIL:FIRST:LAST, days as YYYY-MM-DD") from None


def said_by_members(known: Known, recipe: Recipe, one: Fold) -> pd.DataFrame:
    """Return daily rows of one circle: recipe_id, local_day, happened, reference, and a probability for each of LEARNT."""
    sets = {kind: load_pretrained(one.sets / f"{kind}-{one.until}") for kind in SETS}
    makers = {kind: partial(model_of_set, kind, found=sets.get(kind)) for kind in ("etas", *SETS)}
    return forecasts_by(known, recipe, one.first, one.last, makers)[["recipe_id", "local_day", "happened", "reference", *LEARNT]]


def rows_of(known: Known, circles: list[Recipe], one: Fold, work: Path) -> pd.DataFrame:
    """Return the rows of all circles of a fold; they are stored in `work` under a name derived from circles and fold."""
    marks = [(one.sets / f"{kind}-{one.until}" / "pretrained.json").read_bytes() for kind in SETS]
    key = hashlib.sha256(
        "|".join([c.target_hash for c in circles] + [str(one.first), str(one.last)]).encode() + b"".join(marks)
    ).hexdigest()
    path = work / f"members-{key[:16]}.parquet"
    if not path.exists():
        parts = [said_by_members(known, circle, one) for circle in track(circles, f"{one.first} to {one.last}")]
        write_parquet(path, pd.concat(parts, ignore_index=True))
    return read_parquets([path], "recipe_id, local_day")


def half_way(weights: np.ndarray) -> np.ndarray:
    """Average the learnt weights with CAUTIOUS, except the weight of the recent rate.

    Weights learnt on some circles and years do worse on recipes and other years than the training days suggest (docs/EXPERIMENTS.md).
    """
    drawn = (weights + CAUTIOUS) / 2
    drawn[MEMBERS.index("recent_rate")] = weights[MEMBERS.index("recent_rate")]
    return drawn


def learnt(rows: pd.DataFrame) -> Belief:
    """Return the weights learnt from all rows; their precision comes from refits on resampled 90-day blocks, all circles together."""
    best = learn(START, days_of(rows), 1.0).mean
    rng = np.random.default_rng(20171116)
    block = rows["local_day"].to_numpy().astype("datetime64[D]").astype(np.int64) // BLOCK_DAYS
    blocks = dict(list(rows.groupby(block)))
    found = []
    for _ in track(range(REFITS), "refits"):
        drawn = rng.choice(list(blocks), size=len(blocks))
        found.append(learn(Belief(best, START.precision), days_of(pd.concat([blocks[number] for number in drawn])), 1.0).mean)
    present = [MEMBERS.index(name) for name in LEARNT]
    covariance = np.eye(len(MEMBERS)) * SPREAD_OF_OTHERS**2
    covariance[np.ix_(present, present)] = np.cov(np.array(found)[:, present].T) + 1e-4 * np.eye(len(present))
    return Belief(half_way(best), np.linalg.inv(covariance))


def gains(rows: pd.DataFrame, weights: dict[str, float]) -> dict[str, object]:
    """Return gain_mean and gain_sd of the circles' true gains (moments), and pooled_gain with its interval by 30-day blocks."""
    said = combine({name: rows[name].to_numpy() for name in LEARNT}, weights, rows["reference"].to_numpy())
    happened = rows["happened"].to_numpy(dtype=bool)
    gain = log_likelihood(happened, said) - log_likelihood(happened, rows["reference"].to_numpy())
    local = rows["local_day"].to_numpy().astype("datetime64[D]")
    parts = {}
    for name, index in rows.groupby("recipe_id").indices.items():
        parts[str(name)] = DailyGain(local[index], gain[index], happened[index])
    each, pooled = gain_intervals(parts, draw_blocks([local], np.random.default_rng(1)))
    judged = [one for one in each.values() if one.target_days >= 30 and np.isfinite(one.low)]
    estimates, spreads = np.array([one.estimate for one in judged]), np.array([(one.high - one.low) / 3.92 for one in judged])
    mean = float(np.average(estimates, weights=1 / (spreads**2 + 0.05**2)))
    sd = float(np.sqrt(max(np.average((estimates - mean) ** 2 - spreads**2, weights=1 / (spreads**2 + 0.05**2)), 0.02**2)))
    return {"gain_mean": mean, "gain_sd": sd, "pooled_gain": [pooled.estimate, pooled.low, pooled.high, pooled.target_days]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fold", type=fold, action="append", required=True, metavar="FOLDER:UNTIL:FIRST:LAST", help="days to learn from")
    parser.add_argument("--circles", type=int, default=250, help="places around the world (%(default)s)")
    parser.add_argument("--seed", type=int, default=4711, help="draws the circles (%(default)s)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "quakecast-weights", help="where members' days are kept")
    parser.add_argument("--to", type=Path, default=packaged(), metavar="FOLDER", help="where to write (the package)")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    until = max(one.last for one in arguments.fold)
    if until + timedelta(days=45) > SNAPSHOT_END.date():
        parser.error(f"the last day is {until}: its outcomes are not final by the end of the snapshot, {SNAPSHOT_END:%Y-%m-%d}")
    store = open_store(arguments.work / "snapshot" / "quakecast.duckdb")
    bundled_catalogue.load_snapshot(store)
    known = load_known(store, datetime.combine(until + timedelta(days=46), time(), SNAPSHOT_END.tzinfo))
    drawn_until = min(one.until for one in arguments.fold)
    strong = known.events.take(known.events.magnitude >= 4.5)
    circles = world_circles(events_until(strong, drawn_until), arguments.circles, np.random.default_rng(arguments.seed))
    rows = pd.concat([rows_of(known, circles, one, arguments.work) for one in arguments.fold], ignore_index=True)
    belief = learnt(rows)
    content = {"belief": belief.record(), "day_share": DAY_SHARE, "own_sd": OWN_SD, **gains(rows, belief.weights)}
    text = json.dumps(content, indent=1) + "\n"
    settings = {"folds": [f"{one.until} {one.first} {one.last}" for one in arguments.fold], "days": len(rows)}
    record = {"circles": len(circles), "seed": arguments.seed, "settings": settings, "target_days": int(rows["happened"].sum())}
    made = write_pretrained(arguments.to, SET, until, {WEIGHTS_FILE: text.encode()}, record | {"code": version("quakecast")})
    told = ", ".join(f"{name} {weight:.3f}" for name, weight in belief.weights.items())
    print(f"{made.folder.name}: {told}; gain {content['gain_mean']:+.3f} (spread {content['gain_sd']:.3f}), files {made.sha256[:12]}")


if __name__ == "__main__":
    try:
        main()
    except QuakecastError as error:
        sys.exit(f"learn_weights: {error}")
