"""Replay the days around the Noto earthquake of 2024-01-01 from the bundled catalogue alone: no network, no Prefect, no training.

Each day is forecast with what was known at 12:00 UTC (21:00 in Japan) of the day before. The time when an event became known is modelled
(`catalog.delays`), because the bundled catalogue does not record it. Every forecast is marked as a replay.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.files import check_data_folder
from forecaster.pipeline.alerting import raise_alerts
from forecaster.pipeline.as_of import bundled_catalogue
from forecaster.pipeline.daily import export_map_files
from forecaster.pipeline.daily import publish_report as pages
from forecaster.pipeline.daily.predict import predict
from forecaster.pipeline.daily.verify import verify
from forecaster.pipeline.recipes_in_use import recipes_in_use
from forecaster.pipeline.run_context import alive, note_end, open_job, publish_copy, start_run
from forecaster.pipeline.world_map.map_day import make_earth
from forecaster.pipeline.world_map.map_page import write_pages
from forecaster.quantities import counted
from forecaster.reports.content.contract import ReportData
from forecaster.settings import Settings

LAST_ISSUE = datetime(2024, 1, 3, 12, tzinfo=UTC)  # the first issue that knows the observations of the day after the main shock
DAYS, DAYS_QUICK = 9, 4
MARK = ".quakecast-demo"  # in a home that a demo made, and that another demo may empty


@dataclass(frozen=True)
class Replayed:
    """The content of the last day's report, and its pages, the first in the first language."""

    data: ReportData
    pages: list[Path]


def prepare(home: Path) -> None:
    """Create an empty home; one that an earlier demo made is emptied.

    Raises:
        BadInput: the folder holds something else. NotWritable: it cannot be written.
    """
    if home.exists() and any(home.iterdir()):
        if not (home / MARK).is_file():
            raise BadInput(f"{home} holds files that are no demo's; name another folder (--folder), nothing was touched")
        shutil.rmtree(home)
    check_data_folder(home)
    (home / MARK).write_text("Made by `quakecast demo`; the next demo empties this folder.\n", encoding="utf-8")


def replay(settings: Settings, days: int, languages: Sequence[str], say: Callable[[str], object]) -> Replayed:
    """Run the daily job for the last `days` issues up to LAST_ISSUE in the home of these settings; progress lines go to `say`.

    It covers those recipes of the settings that are not for comparison only.

    Raises:
        BadInput: a recipe or a setting. NotWritable: the disk is full.
    """
    chosen = [recipe.id for recipe in recipes_in_use(settings).values() if not recipe.comparison_only]
    issues = [LAST_ISSUE - timedelta(days=back) for back in range(days - 1, -1, -1)]
    for issue in issues:
        job = open_job(settings, Clock.standing_at(issue), chosen, known_by=issue)
        if issue == issues[0]:
            say(f"bundled catalogue loaded as it was known on {issue:%Y-%m-%d %H:%M} UTC")
        last = issue == issues[-1]
        with alive(job, "daily"):
            start_run(job, "daily")
            read = bundled_catalogue.replay_snapshot(job.store, job.clock) if issue != issues[0] else 0
            made = predict(job)
            outcomes = len(verify(job).verified)
            raised = raise_alerts.raise_alerts(job).raised
            if last and settings.world_map:
                say(f"map of the world: {counted(make_earth(job).cells, 'cell')}")
                write_pages(job, languages)
            written = pages.write_report(job, languages if last else languages[:1])
            if last:
                export_map_files.export(job, settings.output)
            figures = {"forecasts": len(made.forecast_ids), "new_revisions": read, "verified": outcomes, "settled": outcomes}
            note_end(job, "success", {"problems": [], **figures})
        news = f"{read} new events, " if read else ""
        counts = f"{counted(len(made.forecast_ids), 'forecast')}, {counted(outcomes, 'outcome')}"
        line = f"{news}{counts}, {counted(len(raised), 'alert')} raised"
        say(f"{issue:%Y-%m-%d %H:%M} UTC: {line}")
    publish_copy(job)
    return Replayed(written.data, written.pages)
