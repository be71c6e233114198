"""Days of many recipes, and many days: steps of the pipeline in one process."""

import os
import sys
from collections.abc import Callable
from datetime import date, timedelta

from forecaster.pipeline.as_of import catalogue_history
from forecaster.pipeline.backfilling.backfill import backfill
from forecaster.pipeline.backfilling.backfill_plan import BackfillOptions
from forecaster.pipeline.daily import export_map_files, publish_report
from forecaster.pipeline.daily.predict import predict
from forecaster.pipeline.daily.verify import verify
from forecaster.pipeline.run_context import Job
from forecaster.reports.outgoing.letters import ReportLetter
from tests.bench.figures import Amount, Figure, Measured, command, cpu_seconds, memory_gb
from tests.bench.stages.home import RECIPES, Bench
from tests.support.changed_recipes import numbered

MANY = int(os.environ.get("BENCH_RECIPES", "1000"))
WHOLE = [recipe for recipe in RECIPES if recipe.comparison_only is None]


def the_day(made: Bench) -> list[Measured]:
    """The steps of a day of the bundled recipes in one process, each against `import tensorflow`, which none of them needs."""
    tensorflow = command(["-c", "import tensorflow"], repeats=2).cpu_s
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
        *(
            Figure(f"day {name}", f"{name}, 29 recipes, after imports", "import of TensorFlow", taken[name], tensorflow, goals.get(name))
            for name in steps
        ),
        Amount("day", "the day of 29 recipes, reports in English and Japanese, after imports", sum(taken.values()), goal=4),
    ]


def many_recipes(made: Bench) -> list[Measured]:
    """A day of as many recipes as MANY, the bundled ones under other names, against the bundled ones themselves: what one more costs."""
    jobs = made.job(WHOLE, 2), made.job(numbered(RECIPES, MANY), 3)
    written: dict[str, publish_report.WrittenReport] = {}
    mails: dict[str, int] = {}

    def report(job: Job) -> None:
        written[job.run_id] = publish_report.write_report(job, ("en", "ja"))

    def mail(job: Job) -> None:
        mails[job.run_id] = len(ReportLetter(written[job.run_id].data, "en", "https://example.org/report.html").mail().html.encode())

    figures: list[Measured] = []
    total = 0.0
    steps: dict[str, Callable[[Job], object]] = {"predict": predict, "verify": verify, "report": report, "mail": mail}
    for name, step in steps.items():
        small, large = (cpu_seconds(lambda job=job, step=step: step(job), 1) for job in jobs)
        what = f"{name}, {MANY} recipes"
        total += large
        figures.append(Figure(f"many {name}", what, f"{len(WHOLE)} recipes", large, small, MANY / len(WHOLE)))
    many = written[jobs[1].run_id]
    sizes = [page.stat().st_size / 1e6 for page in (*many.pages, *many.group_pages)]
    print(f"  {len(sizes)} pages, the largest {max(sizes):.1f} MB; mail {mails[jobs[1].run_id] / 1e3:.0f} kB")
    return [
        *figures,
        Amount("many all", f"{MANY} recipes from the forecast to the mail, one process", total, goal=60 * MANY / 1000),
        Amount("many memory", f"memory of {MANY} recipes", memory_gb(), "GB", 2),
    ]


def a_year(made: Bench) -> list[Measured]:
    """A year of past days by today's models, against a month of it: what one more day costs."""
    taken = {}
    for days in (31, 365):
        last = date(2022, 12, 31)
        options = BackfillOptions(first_day=last - timedelta(days=days - 1), last_day=last, mode="current-model", overwrite=True)
        taken[days] = cpu_seconds(lambda options=options: backfill(made.job(WHOLE, 4), options), 1)
    return [Figure("backfill", f"backfill of 365 days, {len(WHOLE)} recipes", "of 31 days", taken[365], taken[31], 365 / 31)]
