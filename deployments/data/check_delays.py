"""Measure how well the modelled history agrees with the recorded one: the figures of docs/AS_OF.md.

    python deployments/data/check_delays.py FOLDER DATABASE

FOLDER is as for recorded_store.py, and DATABASE is made by it. Days are the target days of the recipes whose targets the common streams
hold, one issue per day each. There are four inputs: *final*, the final catalogue, each event known at its origin; *modelled*, with the
known-times of catalog/delays.py; *recorded*, what the feed showed; *recorded times*, final magnitudes and places, known when the recorded
history states. The script prints Markdown tables:

1. the distance between decayed counts (features/decayed_counts.py), log(1 + S), target days from 2022-05-16 to 2024-12-31:
   Kolmogorov-Smirnov distance, difference of the means and mean absolute difference of the days, both in standard deviations of the
   second; averages over recipes and columns;
2. events of the last 1, 7 and 30 days within 4 radii of a circle that are visible at its issues of 2024: counts by magnitude class, and the
   share of the single events of one history that the other has (origins within 60 s);
3. share of events known within 24 h, 2024, modelled (fitted on 2022-2023) against measured, by density of the network and magnitude class.
"""

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import duckdb
import measure_delays
from scipy.stats import ks_2samp

from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.catalog.delays import CLASS_EDGES, DENSITIES, network_density, quick_share
from forecaster.catalog.revisions import REVISION_COLUMNS
from forecaster.catalog.snapshot import SNAPSHOT_OBSERVED_AT, snapshot_path, snapshot_revisions
from forecaster.features.decayed_counts import DEFAULT_SETTINGS, decayed_counts
from forecaster.features.events import Events, events_from_frame
from forecaster.features.geometry import great_circle_km
from forecaster.features.windows import target_days
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.recipe import Recipe, load_recipes
from forecaster.store.database import Store, open_store
from forecaster.store.versions import catalogue

DAY_US = 86_400_000_000
FIRST_DAY, CHECK_DAY, LAST_DAY = date(2022, 5, 16), date(2024, 1, 1), date(2024, 12, 31)
REACH_RADII = 4.0
TRAILING_DAYS = (1, 7, 30)
EDGES = (4.5, 5.0, 5.5, 6.0, 10.0)


def scoreable(folder: Path) -> list[Recipe]:
    """Return the recipes whose targets the common streams hold, the M 4.5 twins of Japan first."""
    recipes = [recipe for recipe in load_recipes(folder).values() if recipe.comparison_only is None]
    return [recipe for recipe in recipes if any(stream.holds(recipe) for stream in STREAMS)]


def modelled_inputs() -> Events:
    """Return the bundled snapshot with its modelled known-times."""
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(snapshot_path())]).df()
    return events_from_frame(snapshot_revisions(rows)[list(REVISION_COLUMNS)])


def share_table(folder: Path) -> str:
    """Return table 3: the share of events known within 24 h."""
    events = measure_delays.measure(folder, "2024-01-01", "2025-01-01")
    place = [events[name].to_numpy() for name in ("latitude", "longitude")]
    events = events.assign(share=quick_share(events["magnitude"].to_numpy(), *place), density=network_density(*place))
    lines = ["| density | M from | events | measured | modelled |", "|---|---|---|---|---|"]
    for density, name in enumerate(DENSITIES):
        for index, edge in enumerate(CLASS_EDGES):
            cell = events[(events["density"] == density) & (events["class"] == index)]
            if edge >= 4.0 and len(cell):
                lines.append(f"| {name} | {edge} | {len(cell)} | {cell['delay_min'].notna().mean():.3f} | {cell['share'].mean():.3f} |")
    return "\n".join(lines)


def near(events: Events, recipe: Recipe) -> Events:
    """Return the events from the threshold on within 4 radii of the centre."""
    strong = events.take(events.magnitude >= recipe.threshold_mag)
    distance = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, strong.latitude_deg, strong.longitude_deg)
    return strong.take(distance <= REACH_RADII * recipe.radius_km)


def matched(one: Events, other: Events) -> int:
    """Return how many events of `one` have an origin within 60 s of one of `other`."""
    low = np.searchsorted(other.origin_time_us, one.origin_time_us - 60_000_000)
    high = np.searchsorted(other.origin_time_us, one.origin_time_us + 60_000_000, side="right")
    return int((high > low).sum())


def agreement(inputs: dict[str, Events], recipes: list[Recipe]) -> str:
    """Return table 2: visible events, and the share that both histories have."""
    rows = []
    for recipe in recipes:
        days = target_days(recipe, CHECK_DAY, (LAST_DAY - CHECK_DAY).days + 1)
        start = int(days.cut_us[0]) - 31 * DAY_US
        here = {name: near(events.take(events.origin_time_us >= start), recipe) for name, events in inputs.items()}
        for cut in days.cut_us.tolist():
            seen = {name: events.visible(cut) for name, events in here.items()}
            for trailing in TRAILING_DAYS:
                last = {name: events.take(events.origin_time_us >= cut - trailing * DAY_US) for name, events in seen.items()}
                row: dict = {"trailing": trailing} | {name: len(events) for name, events in last.items()}
                for name, events in last.items():
                    row |= {(name, low): count for low, count in zip(EDGES, np.histogram(events.magnitude, EDGES)[0], strict=False)}
                for name in ("recorded", "recorded times"):
                    row[(name, "found")] = matched(last[name], last["modelled"])
                    row[("modelled", name)] = matched(last["modelled"], last[name])
                rows.append(row)
    sums = pd.DataFrame(rows).groupby("trailing").sum()
    lines = [f"| last days | M from | {' | '.join(inputs)} |", "|---|---|" + "---|" * len(inputs)]
    for trailing in TRAILING_DAYS:
        for low in EDGES[:-1]:
            lines.append(f"| {trailing} | {low} | " + " | ".join(f"{int(sums.loc[trailing][(name, low)])}" for name in inputs) + " |")
    lines += ["", "| last days | against | of its events, modelled has | of the modelled events, it has |", "|---|---|---|---|"]
    for trailing in TRAILING_DAYS:
        of = sums.loc[trailing]
        for name in ("recorded", "recorded times"):
            recall, precision = of[(name, "found")] / of[name], of[("modelled", name)] / of["modelled"]
            lines.append(f"| {trailing} | {name} | {recall:.3f} | {precision:.3f} |")
    return "\n".join(lines)


def distances(inputs: dict[str, Events], pairs: list[tuple[str, str]], recipes: list[Recipe]) -> str:
    """Return table 1: the distances between decayed counts."""
    names = DEFAULT_SETTINGS.names
    rows = []
    for recipe in recipes:
        days = target_days(recipe, FIRST_DAY, (LAST_DAY - FIRST_DAY).days + 1)
        counts = {name: np.log1p(decayed_counts(events, recipe, days).astype(np.float64)) for name, events in inputs.items()}
        for one, other in pairs:
            trained, served = counts[one], counts[other]
            spread = np.where(served.std(axis=0) > 0, served.std(axis=0), np.nan)
            for column, name in enumerate(names):
                row = {"pair": f"{one} - {other}", "tau": name.split("_")[0].removeprefix("tau")}
                row["ks"] = ks_2samp(trained[:, column], served[:, column], method="asymp").statistic
                row["shift"] = (trained[:, column].mean() - served[:, column].mean()) / spread[column]
                row["daily"] = np.abs(trained[:, column] - served[:, column]).mean() / spread[column]
                rows.append(row)
    frame = pd.DataFrame(rows)
    lines = ["| counts | time constant (days) | KS | shift | abs. shift | daily |", "|---|---|---|---|---|---|"]
    for pair in dict.fromkeys(frame["pair"]):
        for tau in [*dict.fromkeys(frame["tau"]), "all"]:
            part = frame[(frame["pair"] == pair) & ((frame["tau"] == tau) | (tau == "all"))]
            means = [part["ks"].mean(), part["shift"].mean(), part["shift"].abs().mean(), part["daily"].mean()]
            lines.append(f"| {pair} | {tau} | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    return "\n".join(lines)


def recorded_times(store: Store) -> Events:
    """Return the final versions of a recorded store, known when the event was first known, limited to the common streams."""
    with store.transaction() as connection:
        events = events_from_frame(catalogue.read_events(connection, SNAPSHOT_OBSERVED_AT + timedelta(days=1)))
    return events.take(in_streams(STREAMS, events.latitude_deg, events.longitude_deg, events.magnitude))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("database", type=Path, metavar="DATABASE")
    arguments = parser.parse_args()
    made = open_store(arguments.database)
    modelled = modelled_inputs()
    histories = {
        "final": modelled.known_at_once(),
        "recorded": load_known(made, datetime(2025, 1, 1, tzinfo=UTC)).inputs,
        "recorded times": recorded_times(made),
        "modelled": modelled,
    }
    chosen = scoreable(Path(__file__).resolve().parents[2] / "recipes")
    print(f"{len(chosen)} recipes: {', '.join(recipe.id for recipe in chosen)}\n")
    compared = [("final", "recorded"), ("modelled", "recorded"), ("final", "recorded times"), ("modelled", "recorded times")]
    print(distances(histories, compared, chosen) + "\n", flush=True)
    print(agreement(histories, chosen) + "\n", flush=True)
    print(share_table(arguments.folder))
