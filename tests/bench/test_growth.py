"""What a day costs after ten years, against a day after a month and after a year: 29 recipes, every kind that needs no fit of its own.

A year's files and pages show all days that they ever do, a month's do not. Run by `make bench`.

CPU seconds of the same steps in three homes made by tests/support/grown_home.py, and their files. Nothing here fails on a clock; what must
not grow is counted: rows that the steps read, and pages that they open.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forecaster.pipeline.alerting.raise_alerts import raise_alerts
from forecaster.pipeline.daily import export_map_files, publish_report
from forecaster.pipeline.daily.issue_schedule import missing_issues
from forecaster.pipeline.run_context import Job, publish_copy
from forecaster.pipeline.tidy import tidy
from forecaster.reports.web import index
from forecaster.settings import load_settings
from forecaster.store import ledger, rung_rows
from forecaster.store.versions import catalogue
from tests.bench import page
from tests.bench.figures import Figure
from tests.support.grown_home import NOW, grow
from tests.support.steps import predict, verify

MONTH, YEAR, DECADE = 30, 365, 3650


def steps(job: Job) -> dict[str, Callable[[], object]]:
    """The steps of a day, in their order; the page of the first report of this process has opened what is new."""
    return {
        "agenda": lambda: missing_issues(job.store, job.recipes, NOW, replay=False),
        "predict": lambda: predict(job.store, job.recipes, job.settings, job.clock, run_id="now"),
        "verify": lambda: verify(job.store, job.recipes, job.clock),
        "alerts": lambda: raise_alerts(job),
        "first report": lambda: publish_report.write_report(job, ("en", "ja")),
        "report": lambda: publish_report.write_report(job, ("en", "ja")),
        "export": lambda: export_map_files.export(job, job.settings.output),
        "tidy": lambda: tidy(job),
        "publish": lambda: publish_copy(job),
    }


def measure(job: Job) -> dict[str, float]:
    taken = {}
    for name, step in steps(job).items():
        started = time.process_time()
        step()
        taken[name] = time.process_time() - started
    del taken["first report"]
    return taken


def counted(job: Job, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the steps of a day read."""
    opened: list[Path] = []
    with monkeypatch.context() as patch:
        patch.setattr(index, "read_head", opened.append)
        index.list_reports(job.settings.output)
    with job.store.transaction() as connection:
        targets = ledger.unverified_targets(connection, NOW)
        return {
            "coverage": len(catalogue.read_coverage(connection)),
            "outcomes": len(ledger.outcomes_of(connection, targets)),
            "to score": len(ledger.forecasts_to_score(connection)),
            "rungs": len(rung_rows.unsettled(connection, NOW)),
            "rungs of a day": len(
                connection.execute("SELECT 1 FROM rung JOIN forecast USING (forecast_id) WHERE run_id = 'now'").fetchall()
            ),
            "pages opened": len(opened),
        }


@pytest.mark.timeout(3600)
def test_a_day_after_ten_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {days: grow(load_settings(home=tmp_path / str(days)), days) for days in (MONTH, YEAR, DECADE)}
    taken = {days: measure(job) for days, job in homes.items()}
    print("\nCPU seconds of a day     a month     a year   ten years")
    for name in taken[MONTH]:
        print(f"  {name:16}", *(f"{cost[name]:11.2f}" for cost in taken.values()))
    totals = {days: sum(cost.values()) for days, cost in taken.items()}
    print(f"  {'all':16}", *(f"{total:11.2f}" for total in totals.values()))
    print(f"  ten years: {totals[DECADE] / totals[MONTH]:.2f} times a month, {totals[DECADE] / totals[YEAR]:.2f} times a year")
    page.keep(
        Figure("growth", "a day after ten years", "a day after a month", totals[DECADE], totals[MONTH], 1.1),
        Figure("growth from a year", "a day after ten years", "a day after a year", totals[DECADE], totals[YEAR], 1.1),
    )
    print("  published, MB   ", *(f"{job.settings.published.stat().st_size / 1e6:11.1f}" for job in homes.values()))
    young, old = counted(homes[MONTH], monkeypatch), counted(homes[DECADE], monkeypatch)
    print(f"  rows read            {young} {old}")
    assert old["coverage"] == young["coverage"] and old["to score"] == young["to score"] == 0 == old["pages opened"]
    assert old["outcomes"] <= 46 * len(homes[DECADE].recipes), "only what is not final is read"
    assert old["rungs"] <= 46 * old["rungs of a day"], "only what is not final is read"
