"""What a day costs after ten years, against a day after a month: 29 recipes, every kind that needs no fit of its own. Run by `make bench`.

CPU seconds of the same steps in two homes made by tests/support/grown_home.py, and their files. Nothing here fails on a clock; what must
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
from forecaster.store import ledger
from forecaster.store.versions import catalogue
from tests.bench import page
from tests.bench.figures import Figure
from tests.support.grown_home import NOW, grow
from tests.support.steps import predict, verify

MONTH, DECADE = 30, 3650


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
            "pages opened": len(opened),
        }


@pytest.mark.timeout(3600)
def test_a_day_after_ten_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {days: grow(load_settings(home=tmp_path / str(days)), days) for days in (MONTH, DECADE)}
    month, decade = (measure(homes[days]) for days in (MONTH, DECADE))
    print("\nCPU seconds of a day   after a month   after ten years")
    for name in month:
        print(f"  {name:20} {month[name]:13.2f} {decade[name]:17.2f}")
    total = sum(decade.values()) / sum(month.values())
    print(f"  {'all':20} {sum(month.values()):13.2f} {sum(decade.values()):17.2f}   {total:.2f} times")
    page.keep(Figure("growth", "a day after ten years", "a day after a month", sum(decade.values()), sum(month.values()), 1.1))
    sizes = [homes[days].settings.published.stat().st_size / 1e6 for days in (MONTH, DECADE)]
    print(f"  the published copy   {sizes[0]:10.1f} MB {sizes[1]:14.1f} MB")
    young, old = counted(homes[MONTH], monkeypatch), counted(homes[DECADE], monkeypatch)
    print(f"  rows read            {young} {old}")
    assert old["coverage"] == young["coverage"] and old["to score"] == young["to score"] == 0 == old["pages opened"]
    assert old["outcomes"] <= 46 * len(homes[DECADE].recipes), "only what is not final is read"
