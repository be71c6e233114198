"""The track record of the world maps: each issue's pool of cells against the observations, and all issues together.

A window is scored one day after its end, and again when its outcome is final, 45 days after it. Scoring is by cells: the probability of a
circle is spread over it (`verification.pools`), an earthquake counts in the cell that it lies in, and events in no forecast cell are
counted separately. The reference is smoothed seismicity: the usual rate of the same circles over the last ten years.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from forecaster.features.events import Events
from forecaster.pipeline.as_of.as_known import Known, status_of
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.world_map.map_grid import cells_of
from forecaster.reports.numbers_as_text import signed
from forecaster.store import world_map_rows
from forecaster.store.database import Store
from forecaster.timewindow import to_us
from forecaster.verification.consistency import likelihood_test, number_test
from forecaster.verification.intervals import draw_blocks, ratio_bounds
from forecaster.verification.pools import cell_probability, spatial_test
from forecaster.verification.scores import log_likelihood

PASSED_N, PASSED = 0.025, 0.05  # at 5 %: the N test is two-sided, the others one-sided
SEED = 16
FEW_ACTIVE = 10  # cells; with fewer, an interval is meaningless


def verify_maps(job: Job) -> int:
    """Score every window of a map that has matured since it was last scored; return the number of scores written."""
    known = load_known(job.store, job.clock.now())
    read_until = known.read_until
    if read_until is None:
        return 0
    with job.store.transaction() as connection:
        pools: list[Any] = world_map_rows.unsettled(connection, read_until).to_dict("records")
    rows = []
    for pool in pools:
        status = status_of(read_until - pool["window_end"].to_pydatetime())
        if status == "preliminary" or status == pool["status"]:
            continue
        with job.store.transaction() as connection:
            cells = world_map_rows.cells_of_issue(connection, pool["issue"])
        cells = cells[(cells["magnitude"] == round(pool["magnitude"], 1)) & (cells["horizon_days"] == pool["horizon_days"])]
        told = {name: pool[name] for name in ("issue", "magnitude", "horizon_days")}
        rows.append(
            told | {"status": status, "as_of": known.as_of} | score_pool(cells, cells_hit(cells, _between(known, pool)), _rng(pool))
        )
    with job.store.transaction() as connection:
        world_map_rows.write_scores(connection, rows)
    return len(rows)


@dataclass(frozen=True)
class CellsHit:
    """Which cells of a pool earthquakes hit: `active`, bool (cells,); and how many earthquakes lie in these cells, and elsewhere."""

    active: np.ndarray
    events: int
    elsewhere: int


def cells_hit(cells: pd.DataFrame, events: Events) -> CellsHit:
    """Find the cells in which these earthquakes lie: those of the window that are large enough. cells: all of one resolution."""
    names = np.array([int(name, 16) for name in cells["cell"]], dtype=np.uint64)
    resolution = int((int(names[0]) >> 52) & 15)  # bits 52 to 55 of an H3 number
    hit = cells_of(events.latitude_deg, events.longitude_deg, resolution)
    inside = int(np.isin(hit, names).sum())
    return CellsHit(np.isin(names, hit), inside, len(hit) - inside)


def score_pool(cells: pd.DataFrame, hit: CellsHit, rng: np.random.Generator) -> dict[str, Any]:
    """Compute the columns of world_score of one magnitude and window. cells: rows of v_world. hit: those of them with an earthquake."""
    active = hit.active
    area, radius = cells["area_km2"].to_numpy(), float(cells["radius_km"].iloc[0])
    said, usual = (cell_probability(cells[name].to_numpy(), area, radius) for name in ("probability", "usual_probability"))
    number, likelihood, places = number_test(active, said), likelihood_test(active, said, rng), spatial_test(active, said, rng)
    return {
        "cells": len(cells),
        "events": hit.events,
        "events_elsewhere": hit.elsewhere,
        "active_cells": number.observed,
        "expected_cells": number.expected,
        "cells_low": number.low,
        "cells_high": number.high,
        "usual_expected_cells": float(usual.sum()),
        "n_delta1": number.delta1,
        "n_delta2": number.delta2,
        "s_gamma": None if np.isnan(places.gamma) else places.gamma,
        "l_gamma": likelihood.gamma,
        "log_likelihood": likelihood.observed,
        "usual_log_likelihood": float(log_likelihood(active, usual).sum()),
    }


def pass_counts(rows: pd.DataFrame) -> dict[str, int]:
    """Return how many of these scores pass the N, S and L tests at 5 %, and how many have an S test, which needs an active cell."""
    places = rows["s_gamma"].astype(np.float64).dropna()
    return {
        "n_passed": int(((rows["n_delta1"] > PASSED_N) & (rows["n_delta2"] > PASSED_N)).sum()),
        "s_passed": int((places >= PASSED).sum()),
        "s_tested": len(places),
        "l_passed": int((rows["l_gamma"] >= PASSED).sum()),
    }


def record_of_maps(store: Store, mode: str) -> list[dict[str, Any]]:
    """Return one dict per magnitude and horizon that has a score.

    Keys: magnitude, days (texts), windows, active, expected, usual (texts), how many maps passed each test (n_passed, s_passed, l_passed,
    as "3/4"), and gain, nats per active cell over smoothed seismicity with its 95 % interval by a bootstrap of 30-day blocks.
    """
    with store.transaction() as connection:
        scores = world_map_rows.scores(connection, mode)
    told = []
    views = sorted({(int(d), float(m)) for d, m in zip(scores["horizon_days"], scores["magnitude"], strict=True)})
    for days, magnitude in views:
        rows = scores[(scores["horizon_days"] == days) & (scores["magnitude"] == magnitude)]
        passed = pass_counts(rows)
        told.append(
            {
                "magnitude": f"{magnitude:g}",
                "days": days,
                "windows": len(rows),
                "active": int(rows["active_cells"].sum()),
                "expected": f"{rows['expected_cells'].sum():.1f}",
                "usual": f"{rows['usual_expected_cells'].sum():.1f}",
                "n_passed": f"{passed['n_passed']}/{len(rows)}",
                "s_passed": f"{passed['s_passed']}/{passed['s_tested']}",
                "l_passed": f"{passed['l_passed']}/{len(rows)}",
                "gain": _gain(rows),
            }
        )
    return told


def _gain(rows: pd.DataFrame) -> str:
    days = rows["target_start"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    difference = (rows["log_likelihood"] - rows["usual_log_likelihood"]).to_numpy()
    active = rows["active_cells"].to_numpy(dtype=np.float64)
    draws = draw_blocks([days], SEED)
    found = ratio_bounds(draws, days, difference, active)
    estimate = signed(found.estimate, 2)
    if estimate is None:
        return "–"
    wide = active.sum() >= FEW_ACTIVE and len(draws.blocks) > 1
    return f"{estimate} ({signed(found.low, 2)} … {signed(found.high, 2)})" if wide else estimate


def _between(known: Known, pool: dict[str, Any]) -> Events:
    """Return the earthquakes of a pool's window that are large enough, as known now."""
    start, end = (to_us(_moment(pool[name])) for name in ("window_start", "window_end"))
    first, last = np.searchsorted(known.events.origin_time_us, [start, end])
    events = known.events.take(slice(int(first), int(last)))
    return events.take(events.magnitude >= round(pool["magnitude"], 1))


def _moment(stamp: Any) -> datetime:
    moment: datetime = stamp.to_pydatetime()
    return moment


def _rng(pool: dict[str, Any]) -> np.random.Generator:
    """Return a generator that gives the same draws for the same pool, whenever it is scored."""
    return np.random.default_rng([int(pool["issue"]), round(10 * pool["magnitude"]), int(pool["horizon_days"])])
