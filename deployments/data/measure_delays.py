"""Measure the reporting delays in forecaster/catalog/data/delays.toml from a recorded history of the USGS feed.

    python deployments/data/measure_delays.py FOLDER > forecaster/catalog/data/delays.toml

FOLDER holds the files that recorded_history.py names; the recording is not public. An event of the final catalogue counts as *quick* when
the feed showed it, under its own id or an earlier name, within 24 h of its origin. Events are used only where the feed was read at least
every 3 h of those 24 h. Magnitudes are those of the final catalogue. The fit uses origins from 2022-04-09 to 2023-12-31; docs/AS_OF.md
checks 2024.

The share of quick events follows logit(share) = a + b (M - 4.5) + c max(M - 4.5, 0) + u(cell). It is fitted by maximum likelihood with u ~
N(0, 2^2): u measures how densely a cell of 10 by 10 degrees is monitored. A cell without events has u = 0.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import recorded_history

from forecaster.catalog.delays import CLASS_EDGES, DENSITIES, DENSITY_EDGES, QUANTILE_LEVELS, cell_number, magnitude_class

PRIOR_SIGMA = 2.0
MIN_DELAYS = 100
SMALLEST_MAGNITUDE = 4.0
HEADER = """\
# Measured by deployments/data/measure_delays.py on the recorded USGS feed, origins 2022-04-09 to 2023-12-31.
# Share of the events of the final catalogue that the feed showed within 24 h:
#   logit(share) = intercept + slope (M - 4.5) + extra_slope max(M - 4.5, 0) + u(cell); below M 4.0 as at 4.0.
# cells: [number, events, u] of cells of 10 x 10 degrees, 36 to a row from 90 S and 180 W on; u = 0 in all others. Cell 648 is the circle
#   of 500 km around Tokyo, which the grid's cells leave out.
# within: share known at an age of 1, 6 and 24 hours, for reading; density is told from the cell's share at M 4.5 (below .6, to .85, above).
# quick_delay: minutes from origin to the first showing at the quantiles 0, .05, .25, .5, .75, .9, .95, .99 and 1 of the quick.
#   Where a density has fewer than 100 of them, all densities are taken together; below M4 it is that of M4-4.5.
"""


def measure(folder: Path, start: str, end: str) -> pd.DataFrame:
    """Return events of M >= 3.5 with origin in [start, end).

    Columns: event_id, origin_time_us, latitude, longitude, magnitude, class (an index) and delay_min (NaN: not shown within 24 h).
    """
    first, last = pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC")
    final = recorded_history.final_events(folder, first, last)
    ids = recorded_history.fed_ids(recorded_history.fed_versions(folder, first, last, everywhere=True))
    chain = recorded_history.chains(ids, recorded_history.final_names(ids, final))
    shown = ids.set_index("event_id")["first_seen"]
    seen = pd.Series({name: min(shown[other] for other in names) for name, names in chain.items()})
    delay = (final["event_id"].map(seen) - final["origin_time"]) / pd.Timedelta(minutes=1)
    origin_us = final["origin_time"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    events = pd.DataFrame(
        {
            "event_id": final["event_id"],
            "origin_time_us": origin_us,
            "latitude": final["latitude_deg"],
            "longitude": final["longitude_deg"],
            "magnitude": final["magnitude"],
            "class": magnitude_class(final["magnitude"].to_numpy()),
            "delay_min": delay.where(delay < 24 * 60),
        }
    )
    return events[recorded_history.longest_unread_hours(origin_us, recorded_history.fetched_us(folder)) < recorded_history.MAX_UNREAD_H]


def fit_shares(events: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Return (intercept, slope, extra_slope) and the cells: number, events, u."""
    used = events[events["magnitude"] >= SMALLEST_MAGNITUDE]
    above = used["magnitude"].to_numpy() - 4.5
    design = np.column_stack([np.ones(len(used)), above, np.maximum(above, 0)])
    quick = used["delay_min"].notna().to_numpy(dtype=float)
    numbers, cell = np.unique(cell_number(used["latitude"].to_numpy(), used["longitude"].to_numpy()), return_inverse=True)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        line, offset = values[:3], values[3:]
        logit = design @ line + offset[cell]
        excess = expit(logit) - quick
        slope = np.concatenate([design.T @ excess, np.bincount(cell, excess, len(numbers)) + offset / PRIOR_SIGMA**2])
        return float(np.logaddexp(0, logit).sum() - quick @ logit + offset @ offset / (2 * PRIOR_SIGMA**2)), slope

    found = minimize(loss, np.zeros(3 + len(numbers)), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12})
    return found.x[:3], pd.DataFrame({"number": numbers, "events": np.bincount(cell), "u": found.x[3:]})


def density_of(events: pd.DataFrame, line: np.ndarray, cells: pd.DataFrame) -> np.ndarray:
    """Return (n,) indices into DENSITIES."""
    number = cell_number(events["latitude"].to_numpy(), events["longitude"].to_numpy())
    offset = cells.set_index("number")["u"].reindex(number).fillna(0).to_numpy()
    return np.searchsorted(DENSITY_EDGES, expit(line[0] + offset), side="right")


def table(events: pd.DataFrame) -> str:
    """Return the measured numbers as TOML."""
    line, cells = fit_shares(events)
    density = density_of(events, line, cells)
    rows = ",\n".join(f"  [{row.number}, {row.events}, {row.u:.2f}]" for row in cells.itertuples())
    lines = [HEADER, f"intercept = {line[0]:.3f}\nslope = {line[1]:.3f}\nextra_slope = {line[2]:.3f}\ncells = [\n{rows},\n]\n"]
    for index, edge in enumerate(CLASS_EDGES):
        for number, name in enumerate(DENSITIES):
            ages = events["delay_min"].fillna(np.inf)[(events["class"] == index) & (density == number)]
            if len(ages):
                shares = ", ".join(f"{(ages <= 60 * hours).mean():.3f}" for hours in (1, 6, 24))
                lines.append(f'[[within]]\ndensity = "{name}"\nfrom_magnitude = {edge}\nevents = {len(ages)}\nshares = [{shares}]\n')
    for index, edge in enumerate(CLASS_EDGES):
        for number, name in enumerate(DENSITIES):
            of_class = (events["class"] == max(index, CLASS_EDGES.index(4.0))) & events["delay_min"].notna()
            chosen = of_class & (density == number)
            delays = events["delay_min"][chosen if chosen.sum() >= MIN_DELAYS else of_class].clip(lower=1.0)
            values = ", ".join(f"{value:.1f}" for value in np.quantile(delays, QUANTILE_LEVELS))
            lines.append(f'[[quick_delay]]\ndensity = "{name}"\nfrom_magnitude = {edge}\nevents = {len(delays)}\nminutes = [{values}]\n')
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--start", default="2022-04-09")
    parser.add_argument("--end", default="2024-01-01")
    arguments = parser.parse_args()
    print(table(measure(arguments.folder, arguments.start, arguments.end)))
