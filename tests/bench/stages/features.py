"""What models are made of: circles, local days, heatmaps."""

import os
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from forecaster import timewindow
from forecaster.features.events import NEVER
from forecaster.features.labels import target_events
from forecaster.features.windows import target_days
from forecaster.models.first_system.daily_grid import cell_edges, place_on_grid, window_tensor
from forecaster.pipeline.as_of.catalogue_history import read_history
from tests.bench import naive
from tests.bench.figures import Figure, Measured, both_cpu_seconds, peak_mb
from tests.bench.stages.home import RECIPES, Bench, recipe_named

YEARS = int(os.environ.get("BENCH_YEARS", "5"))
BATCH = 32


def circles(made: Bench) -> list[Measured]:
    """The targets of the bundled recipes among all events, by unit vectors that all recipes share, by a loop, and by all distances."""
    history = read_history(made.store)

    def ours() -> list[int]:
        fresh = replace(history, versions=replace(history.versions))  # without the vectors, which the first recipe makes
        return [len(target_events(fresh.near(recipe).versions, recipe)) for recipe in RECIPES]

    ways = {"a Python loop": (naive.events_in_circle, 1 / 30), "numpy, all distances": (naive.events_in_circle_at_once, None)}
    figures: list[Measured] = []
    for name, (way, goal) in ways.items():
        assert ours()[:3] == [way(history.versions, recipe) for recipe in RECIPES[:3]]
        taken = both_cpu_seconds(ours, lambda way=way: [way(history.versions, recipe) for recipe in RECIPES], 1)
        figures.append(Figure(f"circle, {name}", f"the targets of {len(RECIPES)} circles among 300,000 events", name, *taken, goal))
    return figures


def midnights(made: Bench) -> list[Measured]:
    """52 years of local days, for whoever asks first."""
    zone, first, count = RECIPES[0].zone, date(1973, 1, 1), 52 * 365

    def ours() -> np.ndarray:
        timewindow._year_us.cache_clear()
        return timewindow.local_midnights_us(first, count, zone)

    assert ours().tolist() == naive.midnights(zone, first, count)
    taken = both_cpu_seconds(ours, lambda: naive.midnights(zone, first, count), 5)
    return [Figure("midnights", "52 years of local midnights", "one by one", *taken, 0.2)]


def heatmaps(made: Bench) -> list[Measured]:
    """A year of windows as known at each cut, and BENCH_YEARS years in the first system's way, with memory and limit."""
    return [*_as_known(made), *_in_the_first_systems_way(made)]


def _as_known(made: Bench) -> list[Measured]:
    recipe = recipe_named("tokyo-m45")
    inputs, days = read_history(made.store).near(recipe).versions, target_days(recipe, date(2020, 1, 1), 365)
    lats, lons = (np.append(edges, 2 * edges[-1] - edges[-2]) for edges in cell_edges(recipe))

    def ours() -> np.ndarray:
        return window_tensor(place_on_grid(inputs, recipe), days)

    def other() -> np.ndarray:
        return naive.windows_as_known(inputs, lats, lons, days) / [10, 100, 500]

    assert np.allclose(ours(), np.clip(other(), 0, 1), atol=1e-5)
    taken = both_cpu_seconds(ours, other)
    return [Figure("heatmaps, as known", "a year of windows as known at each cut, 11 x 11", "a loop over windows, days and events", *taken)]


def _in_the_first_systems_way(made: Bench) -> list[Measured]:
    """The first system's recipe and grid. Both see all events at once and whole days: it knew no delays and no hour of issue."""
    recipe = recipe_named("tokyo")
    first, count = date(2025 - YEARS, 1, 1), (date(2023, 12, 1) - date(2025 - YEARS, 1, 1)).days
    days = target_days(recipe, first, count)
    days = replace(days, cut_us=days.target_starts_us)
    events = read_history(made.store).versions
    seen = (events.origin_time_us >= days.day_starts_us[0, 0]) & (events.origin_time_us < days.target_ends_us[-1])
    events = events.take(np.flatnonzero(seen & (events.known_until_us == NEVER)))
    events = replace(events, known_at_us=events.origin_time_us)
    table = pd.DataFrame(
        {"latitude": events.latitude_deg, "longitude": events.longitude_deg, "depth": events.depth_km, "mag": events.magnitude},
        index=pd.to_datetime(events.origin_time_us, unit="us", utc=True).tz_convert(recipe.zone),
    )
    starts = range(0, count, BATCH)

    def ours() -> None:
        grid = place_on_grid(events, recipe)
        for start in starts:
            window_tensor(grid, days.take(slice(start, start + BATCH)))

    def limit() -> None:
        for start in starts:
            np.ones((min(BATCH, count - start), recipe.window_days, recipe.lat_granularity, recipe.lng_granularity, 3), dtype=np.float32)

    def other() -> np.ndarray:
        return naive.windows_of_a_table(table, recipe, first, count)

    held, grid = other(), place_on_grid(events, recipe)
    for start in starts:
        assert np.allclose(window_tensor(grid, days.take(slice(start, start + BATCH))), held[start : start + BATCH], atol=1e-5)
    del held
    what = f"windows of {count / 365:.0f} years, {BATCH} at a time, world grid"
    way = "the first system's way: row by row, all held"
    return [
        Figure("heatmaps", what, way, *both_cpu_seconds(ours, other, 1 if YEARS > 10 else 2), 1 / 30),
        Figure("heatmaps memory", f"memory of the {what}", way, peak_mb(ours), peak_mb(other), 1 / 10, "MB"),
        Figure("heatmaps limit", what, "writing as many bytes once", *both_cpu_seconds(ours, limit)),
    ]
