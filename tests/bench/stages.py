"""The stages that are measured. Each gives figures; `QUICK` take under two minutes together, `FULL` the rest."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from forecaster import timewindow
from forecaster.catalog.parse import parse_csv
from forecaster.clock import Clock
from forecaster.features.labels import target_events
from forecaster.features.windows import target_days
from forecaster.models.first_system.daily_grid import cell_edges, place_on_grid, window_tensor
from forecaster.pipeline.as_of import catalogue_history
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.as_of.catalogue_history import read_history, versions_of
from forecaster.pipeline.backfilling.backfill import backfill
from forecaster.pipeline.backfilling.backfill_plan import BackfillOptions
from forecaster.pipeline.daily import export_map_files, publish_report
from forecaster.pipeline.daily.predict import predict
from forecaster.pipeline.daily.verify import verify
from forecaster.pipeline.run_context import Job
from forecaster.recipe import Recipe, load_recipes
from forecaster.reports.outgoing.letters import ReportLetter
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish
from forecaster.store.versions import catalogue
from tests.bench import naive
from tests.bench.figures import Figure, command_seconds, cpu_seconds
from tests.support.changed_recipes import numbered

AS_OF = datetime(2023, 12, 25, tzinfo=UTC)
RECIPES = list(load_recipes(Path(__file__).resolve().parents[2] / "recipes").values())
MOMENTS = [AS_OF - timedelta(hours=number) for number in range(11)]  # as many issue times as 29 recipes have on one day
MANY = int(os.environ.get("BENCH_RECIPES", "1000"))


@dataclass
class Bench:
    """A home with the bundled catalogue, for all stages."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        store = open_store(self.settings.database)
        load_snapshot(store, AS_OF)
        publish(store, self.settings.published)
        return store

    def job(self, recipes: list[Recipe], minutes: int) -> Job:
        """A run at AS_OF and some minutes, for rows of its own."""
        return Job(self.settings, self.store, recipes, Clock.standing_at(AS_OF + timedelta(minutes=minutes)), f"bench{minutes}")


@contextmanager
def bench() -> Iterator[Bench]:
    """A home that goes with the block."""
    with TemporaryDirectory(prefix="quakecast-bench-") as folder:
        yield Bench(load_settings(home=Path(folder)))


def start_up(made: Bench) -> list[Figure]:
    """Commands as processes, against Python itself and the libraries that they cannot do without."""
    made.store  # noqa: B018 - the commands read what it publishes
    home = {**os.environ, "QUAKECAST_HOME": str(made.settings.home)}
    python = command_seconds(["-c", "pass"], home)
    libraries = command_seconds(["-c", "import duckdb, pandas"], home)
    told = {"help": ["--help"], "version": ["--version"], "sql": ["sql", "SELECT 1"], "status": ["status"]}
    taken = {name: command_seconds(["-m", "forecaster", *words], home) for name, words in told.items()}
    return [
        *(Figure(f"start {name}", f"quakecast --{name}", "Python alone", taken[name], python, 12) for name in ("help", "version")),
        *(
            Figure(f"start {name}", f"quakecast {name}", "import of duckdb and pandas", taken[name], libraries, 1.5)
            for name in ("sql", "status")
        ),
    ]


def _start(name: str, what: str, against: str, taken: dict[str, float], other: float, goal: float) -> Figure:
    return Figure(f"start {name}", what, against, taken[name], other, goal)


def one_reading(made: Bench) -> list[Figure]:
    """What was known at the issue times of a day: one reading of the catalogue, against one for each."""

    def ours() -> None:
        catalogue_history._history.cache_clear()
        history = read_history(made.store)
        for recipe, moment in zip(RECIPES, MOMENTS * 3, strict=False):
            history.near(recipe).at(moment)

    def other() -> None:
        for moment in MOMENTS:
            with made.store.transaction() as connection:
                catalogue.read_events(connection, moment)
                versions_of(catalogue.read_versions(connection, moment))

    return [
        Figure(
            "one reading",
            "one reading, 29 recipes, 11 issue times",
            "a reading for each issue time",
            cpu_seconds(ours),
            cpu_seconds(other, 1),
            0.3,
        )
    ]


def circles(made: Bench) -> list[Figure]:
    """Which events make a target of a recipe, by arrays and by a loop."""
    history = read_history(made.store)
    events, recipe = history.versions, next(recipe for recipe in RECIPES if recipe.id == "athens")
    assert len(target_events(history.near(recipe).versions, recipe)) == naive.events_in_circle(events, recipe)
    ours = cpu_seconds(lambda: target_events(history.near(recipe).versions, recipe))
    return [
        Figure(
            "circle",
            "the targets of one circle among 300,000 events",
            "a Python loop",
            ours,
            cpu_seconds(lambda: naive.events_in_circle(events, recipe), 1),
            1 / 30,
        )
    ]


def heatmaps(made: Bench) -> list[Figure]:
    """Windows of heatmaps of a year, by one pass and by a loop over windows, days and events."""
    recipe = next(recipe for recipe in RECIPES if recipe.id == "tokyo-m45")
    inputs, days = read_history(made.store).near(recipe).versions, target_days(recipe, date(2020, 1, 1), 365)
    lats, lons = (np.append(edges, 2 * edges[-1] - edges[-2]) for edges in cell_edges(recipe))
    counts = window_tensor(place_on_grid(inputs, recipe), days)[..., 1] * 100
    assert np.allclose(counts, np.minimum(naive.window_counts(inputs, lats, lons, days), 100), atol=1e-4)
    ours = cpu_seconds(lambda: window_tensor(place_on_grid(inputs, recipe), days))
    other = cpu_seconds(lambda: naive.window_counts(inputs, lats, lons, days), 1)
    return [Figure("heatmaps", "a year of windows of heatmaps, three channels", "a Python loop, one channel", ours, other, 1 / 30)]


def csv_body(made: Bench) -> list[Figure]:
    """20,000 rows of the service's csv, checked one by one, against the csv module that checks nothing."""
    row = '2024-01-01T07:10:09.476Z,37.5,137.2,10,7.5,mww,,,,,us,us{number},2024-01-01T08:00:00.040Z,"Noto, Japan",earthquake'
    row += ",,,,,reviewed,us,us"
    head = (Path(__file__).resolve().parents[1] / "support" / "incidents" / "bad_rows.csv").read_text().splitlines()[0]
    body = "\n".join([head, *(row.replace("{number}", str(number)) for number in range(20_000))]) + "\n"
    ours, other = cpu_seconds(lambda: parse_csv(body.encode(), AS_OF)), cpu_seconds(lambda: naive.csv_rows(body))
    return [Figure("csv", "20,000 rows of csv read and checked", "the csv module, four columns, nothing checked", ours, other, 2)]


def midnights(made: Bench) -> list[Figure]:
    """52 years of local days, for whoever asks first."""
    zone, first, count = RECIPES[0].zone, date(1973, 1, 1), 52 * 365

    def ours() -> np.ndarray:
        timewindow._year_us.cache_clear()
        return timewindow.local_midnights_us(first, count, zone)

    assert ours().tolist() == naive.midnights(zone, first, count)
    return [
        Figure(
            "midnights",
            "52 years of local midnights",
            "one by one",
            cpu_seconds(ours),
            cpu_seconds(lambda: naive.midnights(zone, first, count), 1),
            0.2,
        )
    ]


def the_day(made: Bench) -> list[Figure]:
    """The steps of a day of the bundled recipes in one process, each against `import tensorflow`, which none of them needs."""
    tensorflow = command_seconds(["-c", "import tensorflow"], repeats=2)
    job = made.job(RECIPES, 1)
    steps: dict[str, Callable[[], object]] = {
        "predict": lambda: predict(job),
        "verify": lambda: verify(job),
        "report": lambda: publish_report.write_report(job, ("en", "ja")),
        "export": lambda: export_map_files.export(job, job.settings.output),
    }
    goals = {"predict": 1.2, "report": 0.8}
    catalogue_history._history.cache_clear()
    taken = {name: cpu_seconds(step, 1) for name, step in steps.items()}
    assert "tensorflow" not in sys.modules
    return [
        Figure(f"day {name}", f"{name}, 29 recipes, after imports", "import of TensorFlow", taken[name], tensorflow, goals.get(name))
        for name in steps
    ]


def many_recipes(made: Bench) -> list[Figure]:
    """A day of as many recipes as MANY, the bundled ones under other names, against the bundled ones themselves: what one more costs."""
    whole = [recipe for recipe in RECIPES if recipe.comparison_only is None]
    jobs = made.job(whole, 2), made.job(numbered(RECIPES, MANY), 3)
    written: dict[str, publish_report.WrittenReport] = {}
    mails: dict[str, int] = {}

    def report(job: Job) -> None:
        written[job.run_id] = publish_report.write_report(job, ("en", "ja"))

    def mail(job: Job) -> None:
        mails[job.run_id] = len(ReportLetter(written[job.run_id].data, "en", "https://example.org/report.html").mail().html.encode())

    figures = []
    steps: dict[str, Callable[[Job], object]] = {"predict": predict, "verify": verify, "report": report, "mail": mail}
    for name, step in steps.items():
        small, large = (cpu_seconds(lambda job=job, step=step: step(job), 1) for job in jobs)
        what = f"{name}, {MANY} recipes"
        figures.append(Figure(f"many {name}", what, f"{len(whole)} recipes", large, small, MANY / len(whole)))
    many = written[jobs[1].run_id]
    sizes = [page.stat().st_size / 1e6 for page in (*many.pages, *many.group_pages)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"  {len(sizes)} pages, the largest {max(sizes):.1f} MB; mail {mails[jobs[1].run_id] / 1e3:.0f} kB; memory {memory:.2f} GB at most"
    )
    return figures


def a_year(made: Bench) -> list[Figure]:
    """A year of past days by today's models, against a month of it: what one more day costs."""
    whole = [recipe for recipe in RECIPES if recipe.comparison_only is None]
    taken = {}
    for days in (31, 365):
        last = date(2022, 12, 31)
        options = BackfillOptions(first_day=last - timedelta(days=days - 1), last_day=last, mode="current-model", overwrite=True)
        taken[days] = cpu_seconds(lambda options=options: backfill(made.job(whole, 4), options), 1)
    return [Figure("backfill", f"backfill of 365 days, {len(whole)} recipes", "of 31 days", taken[365], taken[31], 365 / 31)]


QUICK: tuple[Callable[[Bench], list[Figure]], ...] = (start_up, one_reading, circles, heatmaps, csv_body, midnights)
FULL: tuple[Callable[[Bench], list[Figure]], ...] = (*QUICK, the_day, a_year, many_recipes)
