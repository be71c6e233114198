"""Backtest of world maps: maps of past days, each from what was known then, scored as pools of cells against the final catalogue.

Days are every so many days of a span, so that nobody chooses them. The scores of a map are a file of their own: a second run makes only
what is missing. Files in the folder:

    maps/<day>_<key>.json    the scores of one day's map, one entry per magnitude and window
    world.json               all maps together, part of skill.json where `quakecast evaluate` writes its tables to the same folder
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecaster.errors import BadInput, NotScoreable
from forecaster.features.circles import circle_recipe
from forecaster.features.events import Events
from forecaster.pipeline.as_of.as_known import MATURITY
from forecaster.pipeline.as_of.catalogue_history import load_known, read_history, state_of
from forecaster.pipeline.evaluation.evaluate_results import sha256_of
from forecaster.pipeline.world_map.map_forecast import WEEK_DAYS, EarthForecast, forecast_earth
from forecaster.pipeline.world_map.map_grid import names_of
from forecaster.pipeline.world_map.map_record import SEED, cells_hit, pass_counts, score_pool
from forecaster.pipeline.world_map.map_series import EarthSeries, series_of
from forecaster.reports.map_files import write_atomic
from forecaster.store.database import Store
from forecaster.timewindow import DAY_US, issue_time, to_us
from forecaster.verification.intervals import draw_blocks, ratio_bounds
from forecaster.verification.pools import cell_probability
from forecaster.verification.scores import log_likelihood
from forecaster.zones import UTC_ZONE

EVERY_DAYS = 37
VERSION = 1  # of the rules by which maps are made and scored; raised by hand
FILE = "world.json"


@dataclass(frozen=True)
class Backtest:
    """Maps of the first day and of every `every`-th one after it, up to `last`."""

    first: date
    last: date
    every: int = EVERY_DAYS
    resolution: int = 3

    @property
    def days(self) -> list[date]:
        """The days of the maps."""
        return [self.first + timedelta(days=i) for i in range(0, (self.last - self.first).days + 1, self.every)]


def run_backtest(store: Store, plan: Backtest, folder: Path, now: datetime, update: Callable[[int, int, str], object]) -> dict[str, Any]:
    """Make and score the maps of the plan that are not in `folder` yet, and write world.json; return its content.

    Raises:
        BadInput: no day, an unknown resolution, or days whose week is not final. NotScoreable: no map could be made.
    """
    days = plan.days
    if not days:
        raise BadInput(f"--from {plan.first} lies after --to {plan.last}")
    final = load_known(store, now)
    read_until = final.read_until
    latest = None if read_until is None else (read_until - MATURITY - timedelta(days=WEEK_DAYS)).date()
    if latest is None or days[-1] > latest:
        raise BadInput(f"--to {days[-1]}: the week from that day is not final; the last day that can be judged is {latest or 'none'}")
    key = sha256_of({"version": VERSION, "reading": state_of(store), "resolution": plan.resolution})[:16]
    series: EarthSeries | None = None
    rows: list[dict[str, Any]] = []
    for number, day in enumerate(days, 1):
        path = folder / "maps" / f"{day}_{key}.json"
        if not path.exists():
            update(number - 1, len(days), f"map of {day}")
            if series is None:
                series = series_of(read_history(store), _issue(days[0]), _issue(days[-1]), plan.resolution)
            scored = list(_scores(series, day, plan.resolution, final.events))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(scored, allow_nan=False, indent=1) + "\n")
        rows += [{"day": day, **row} for row in json.loads(path.read_text(encoding="utf-8"))]
    if not rows:
        raise NotScoreable(f"no world map between {plan.first} and {plan.last}: the catalogue has no cell with seismicity")
    span = {"first_day": f"{days[0]}", "last_day": f"{days[-1]}", "every_days": plan.every}
    document = {**span, "pools": list(_pools(pd.DataFrame(rows)))}
    write_atomic(folder / FILE, json.dumps(document, allow_nan=False, indent=1) + "\n")
    return document


def read_backtest(folder: Path) -> dict[str, Any] | None:
    """Return the content of world.json in this folder; None where there is none."""
    path = folder / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _issue(day: date) -> datetime:
    return issue_time(day, UTC_ZONE, circle_recipe(0, 0.0, 0.0, 150.0, 5.0).issue_local_time)


def _scores(series: EarthSeries, day: date, resolution: int, events: Events) -> Iterator[dict[str, Any]]:
    """Yield the scores of one day's map; none where no cell had seismicity yet."""
    as_of = _issue(day)
    try:
        made = forecast_earth(series.known_at(as_of), day, as_of, resolution, series)
    except NotScoreable:
        return
    names, areas = np.array(names_of(made.grid.cell)), made.grid.areas_km2()
    start = to_us(datetime.combine(day, datetime.min.time(), UTC_ZONE))
    for magnitude, horizon in sorted(set(zip(made.magnitude.tolist(), made.horizon_days.tolist(), strict=True))):
        first, last = np.searchsorted(events.origin_time_us, [start, start + int(horizon) * DAY_US])
        window = events.take(slice(int(first), int(last)))
        rows = (made.magnitude == magnitude) & (made.horizon_days == horizon)
        told = _pool(made, rows, names, areas, window.take(window.magnitude >= magnitude))
        yield {"magnitude": magnitude, "horizon_days": horizon, **told}


def _pool(made: EarthForecast, rows: np.ndarray, names: np.ndarray, areas: np.ndarray, events: Events) -> dict[str, Any]:
    """Return the scores of one magnitude and window, with those of ETAS alone where it is a member."""
    index = made.index[rows]
    frame = pd.DataFrame(
        {
            "cell": names[index],
            "area_km2": areas[index],
            "radius_km": made.grid.radius_km,
            "probability": made.probability[rows],
            "usual_probability": made.usual[rows],
        }
    )
    hit = cells_hit(frame, events)
    told = score_pool(frame, hit, np.random.default_rng(SEED))
    alone = made.etas[rows]
    if np.isnan(alone).any():
        return told | {"etas_expected_cells": None, "etas_log_likelihood": None}
    said = cell_probability(alone, areas[index], made.grid.radius_km)
    return told | {"etas_expected_cells": float(said.sum()), "etas_log_likelihood": float(log_likelihood(hit.active, said).sum())}


def _pools(scores: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Yield all maps together, by magnitude and window: sums, how many pass each test, gains in nats per active cell."""
    for _, rows in scores.groupby(["magnitude", "horizon_days"], sort=True):
        sums = {name: int(rows[name].sum()) for name in ("events", "events_elsewhere", "active_cells")}
        expected = {name: _sum(rows, name) for name in ("expected_cells", "usual_expected_cells", "etas_expected_cells")}
        yield {
            "magnitude": float(rows["magnitude"].iloc[0]),
            "horizon_days": int(rows["horizon_days"].iloc[0]),
            "maps": len(rows),
            **sums,
            **expected,
            **pass_counts(rows),
            "gain_over_usual": _gain(rows, "usual_log_likelihood"),
            "gain_over_etas": _gain(rows, "etas_log_likelihood"),
        }


def _sum(rows: pd.DataFrame, name: str) -> float | None:
    values = rows[name].astype(np.float64)
    return None if values.isna().any() else round(float(values.sum()), 4)


def _gain(rows: pd.DataFrame, other: str) -> dict[str, float] | None:
    """Return the gain with its bounds by blocks of 30 days; None where no cell was active, or the other forecast is not known."""
    reference = rows[other].astype(np.float64)
    if reference.isna().any() or not rows["active_cells"].sum():
        return None
    days = rows["day"].to_numpy().astype("datetime64[D]")
    difference = (rows["log_likelihood"] - reference).to_numpy()
    found = ratio_bounds(draw_blocks([days], SEED), days, difference, rows["active_cells"].to_numpy(dtype=np.float64))
    return {"estimate": round(found.estimate, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
