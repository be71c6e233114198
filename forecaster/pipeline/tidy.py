"""Delete old data: pages and their details, logs, sent messages, superseded models.

Official forecasts, their outcomes and scores, alerts, the catalogue and the row of each report are kept for ever. Nothing is deleted whose
retention time is not set (0: for ever), nothing in the home of a replay, and nothing with a name that is not ours.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from forecaster import files
from forecaster.pipeline.daily.publish_report import write_index
from forecaster.pipeline.run_context import Job
from forecaster.reports.web import assets
from forecaster.reports.web.page_names import report_of
from forecaster.settings import Settings
from forecaster.store import retention
from forecaster.store.current_state import was_replayed_in

log = logging.getLogger(__name__)

EVERY_PAGE_FOR = timedelta(days=35)  # afterwards only those that were sent, and the last of each day
SENT_AT_LEAST = timedelta(days=180)  # alerts are corrected for 120 days; a message must not be sent again because its row was deleted
SETTLED_AFTER_DAYS = 60  # a map's longest window, the 45 days until its outcome is final, and a margin
_DETAIL = re.compile(r"detail_(\d{8})_\d{8}\.json")


@dataclass
class TidyResult:
    """What was, or would be, deleted: rows and files by type, and the size of the files in bytes."""

    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    bytes: int = 0

    @property
    def nothing(self) -> bool:
        return not any(self.rows.values()) and not any(self.files.values())


def tidy(job: Job, *, dry_run: bool = False) -> TidyResult:
    """Delete what is older than the settings keep; with `dry_run` only report what would be deleted.

    Raises:
        StoreBusy: another process kept the database. NotWritable: the index of the reports cannot be written.
    """
    result = TidyResult()
    with job.store.transaction() as connection:
        if job.clock.simulated or was_replayed_in(connection):
            return result
    now, settings = job.clock.now(), job.settings
    found = _files(job, now)
    limits = _limits(settings, now)
    with job.store.transaction() as connection:
        result.rows = (retention.count if dry_run else retention.apply)(connection, limits)
    for what, paths in found.items():
        result.files[what] = [path.relative_to(settings.home).as_posix() for path in paths]
        result.bytes += sum(files.size_of(path) if dry_run else files.remove(path) for path in paths)
    if found["pages"] and not dry_run:
        write_index(settings)
        for path in assets.unused(settings.output / "reports", (settings.output / "reports").glob("*.html")):
            result.bytes += files.remove(path)
    if not result.nothing and not dry_run:
        log.info("tidied: %s", words(result))
    return result


def _limits(settings: Settings, now: datetime) -> retention.Limits:
    """Return the dates before which rows are deleted; None: never."""
    before = now - timedelta(days=settings.keep_details_days) if settings.keep_details_days else None
    world_before = now - timedelta(days=max(settings.keep_world_days, SETTLED_AFTER_DAYS)) if settings.keep_world_days else None
    if before is None:
        return retention.Limits(None, None, world_before)
    # a delivery also records which pages were sent, and these are kept
    return retention.Limits(before, min(before, now - SENT_AT_LEAST, now - timedelta(days=settings.keep_pages_days)), world_before)


def words(result: TidyResult) -> str:
    """Summarize in one line what was, or would be, deleted."""
    parts = [f"{count} {what}" for what, count in result.rows.items() if count]
    parts += [f"{len(paths)} {what}" for what, paths in result.files.items() if paths]
    return f"{', '.join(parts)}; {result.bytes / 1e6:.1f} MB of files" if parts else "nothing is old enough to leave"


def _files(job: Job, now: datetime) -> dict[str, list[Path]]:
    settings = job.settings
    out = settings.output
    days, details_days = settings.keep_pages_days, settings.keep_details_days
    with job.store.transaction() as connection:
        sent = retention.sent_pages(connection) if days else set()
        old_models = retention.superseded_models(connection, now - timedelta(days=details_days)) if details_days else []
    models = [settings.models / name for name in old_models]
    return {
        "pages": _old_pages(out / "reports", now, timedelta(days=days), sent) if days else [],
        "details of the map": _old_details(out, now.date() - timedelta(days=days)) if days else [],
        "models": [path for path in models if path.is_dir() and path.resolve().is_relative_to(settings.models.resolve())],
    }


def _old_pages(folder: Path, now: datetime, keep: timedelta, sent: Iterable[str]) -> list[Path]:
    """Return the pages of reports to delete, all languages of a report together."""
    reports: dict[str, list[tuple[datetime, Path]]] = {}
    for path in folder.glob("*.html"):
        if (report := report_of(path.name)) is not None:
            reports.setdefault(report, []).append((_changed(path), path))
    written = {name: max(changed for changed, _ in pages) for name, pages in reports.items()}
    last_of_day = {moment.date(): name for name, moment in sorted(written.items(), key=lambda item: (item[1], item[0]))}
    stay = {report_of(Path(path).name) for path in sent} | set(last_of_day.values())
    old = [name for name, moment in written.items() if now - moment > (keep if name in stay else min(keep, EVERY_PAGE_FOR))]
    return sorted(path for name in old for _, path in reports[name])


def _old_details(out: Path, first: date) -> list[Path]:
    """Return the detail files (model inputs) of windows that began before that day."""
    return sorted(
        path for path in out.glob("*/detail_*.json") if (matched := _DETAIL.fullmatch(path.name)) and matched[1] < f"{first:%Y%m%d}"
    )


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
