"""Write the report pages: one file per language, an index, and the row that records what was written."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pandas as pd

from forecaster.pipeline.daily.build_report import report_data
from forecaster.pipeline.run_context import Job
from forecaster.reports import map_files, render, texts
from forecaster.reports.content import document
from forecaster.reports.content.contract import ReportData
from forecaster.reports.render_groups import GroupPages
from forecaster.reports.web.assets import FOLDER, in_one_file, write_assets
from forecaster.reports.web.groups import groups_of
from forecaster.reports.web.index import list_reports, world_page
from forecaster.reports.web.page import Shared
from forecaster.reports.web.page_names import day_page
from forecaster.settings import Settings
from forecaster.store import deliveries
from forecaster.store.typed_rows.alert_types import ReportRow

log = logging.getLogger(__name__)

_LANGUAGE = re.compile(r'<html lang="([A-Za-z0-9-]+)">')
KEEP_DOCUMENTS = timedelta(days=30)  # so that a report can be sent again; older documents are dropped


@dataclass(frozen=True)
class WrittenReport:
    """A report and its pages, the first in the first requested language.

    `group_pages`: the pages to which they link, where the recipes do not fit into one page.
    """

    report_id: str
    pages: list[Path]
    data: ReportData
    group_pages: list[Path] = field(default_factory=list)


def report_name(data: ReportData) -> str:
    """Return the beginning of the names of the report's pages: 2024-01-02T1200Z, with -replay for a simulated clock."""
    modes = {row.mode for row in data.recipes if row.probability is not None}
    mark = "-replay" if "replay" in modes else ""
    return f"{data.generated_at:%Y-%m-%dT%H%MZ}{mark}"


def write_report(job: Job, languages: Sequence[str] | None) -> WrittenReport:
    """Write the pages and the index below the output folder, each by rename, and store the report's document.

    Later messages are rendered from the stored document. A report with planned messages stays as it was first written.
    languages: None for all. Each language that the user's own template folder adds gets a page besides those asked for.

    Raises:
        NotWritable: the output folder cannot be written.
        BadInput: an unknown language.
    """
    languages = texts.of_pages(languages, job.settings.templates)
    for language in languages:
        texts.read_texts(language, job.settings.templates)
    map_files.clear_unfinished(job.settings.output)
    data = _unless_stored(job, report_data(job))
    report = report_name(data)
    names = {language: f"reports/{day_page(report, language)}" for language in languages}
    groups = groups_of(data.recipes, job.settings.page_recipes)
    reports = job.settings.output / "reports"
    beside = render.page_assets(languages[0], job.settings.templates, kept_in=reports / FOLDER)
    write_assets(reports, beside)
    shared = Shared()
    pages, group_pages = [], []
    for language, name in names.items():
        others = [other for other in languages if other != language]
        if groups:
            made = GroupPages(data, groups, report, language, others, job.settings.templates, beside, shared).all()
            *rest, index = (map_files.write_atomic(job.settings.output / "reports" / file, page) for file, page in made)
            pages.append(index)
            group_pages += rest
        else:
            alternates = {other: day_page(report, other) for other in others}
            page = render.render_report(data, language, alternates, job.settings.templates, beside, shared)
            pages.append(map_files.write_atomic(job.settings.output / name, page))
    write_index(job.settings, languages[0])
    kept = document.pack(data)
    assert data.forecasts_sha256 is not None, "report_data gives it to every report"
    row: ReportRow = {
        "report_id": data.report_id,
        "run_id": job.run_id,
        "issue_time": data.generated_at,
        "mode": "replay" if job.clock.simulated else "live",
        "path": names[languages[0]],
        "forecasts_sha256": data.forecasts_sha256,
        "created_at": data.generated_at,
        "document": kept.content,
        "document_sha256": kept.sha256,
    }
    with job.store.transaction() as connection:
        deliveries.keep_report(connection, row)
        deliveries.clear_documents(connection, data.generated_at - KEEP_DOCUMENTS)
    return WrittenReport(data.report_id, pages, data, group_pages)


def copy_in_one_file(written: WrittenReport, folder: Path) -> list[Path]:
    """Write each page of the report below `folder` as one self-contained file, for sending or showing elsewhere.

    Raises:
        NotWritable: the folder cannot be written.
    """
    return [
        map_files.write_atomic(folder / page.name, in_one_file(page.read_text(encoding="utf-8"), page.parent))
        for page in (*written.pages, *written.group_pages)
    ]


def write_index(settings: Settings, language: str | None = None) -> None:
    """Write the index of the reports; where no language is given, in its present one.

    Raises:
        NotWritable: the output folder cannot be written.
    """
    index = settings.output / "index.html"
    if language is None:
        found = _LANGUAGE.search(index.read_text(encoding="utf-8", errors="replace")) if index.is_file() else None
        language = found[1] if found and found[1] in texts.languages(settings.templates) else settings.language
    world = world_page(settings.output, language)
    reports = list_reports(settings.output, remember=True)
    map_files.write_atomic(index, render.render_index(reports, language, settings.templates, world=world))


def kept_data(row: ReportRow) -> ReportData:
    """Load the content of a stored report.

    Raises:
        ValueError: its document is missing or cannot be read; gives the reason.
    """
    if row["document"] is None:
        raise ValueError("no document of it is kept: an earlier version wrote it, or it is too old")
    return document.unpack(bytes(row["document"]), row["document_sha256"] or "")


def _unless_stored(job: Job, data: ReportData) -> ReportData:
    """Return `data`, or the content already sent to recipients within the same minute, because their link leads to the same page."""
    with job.store.transaction() as connection:
        stored = deliveries.stored_report(connection, data.report_id)
    if stored is None or pd.Timestamp(stored["issue_time"]).floor("min") != pd.Timestamp(data.generated_at).floor("min"):
        return data
    try:
        return kept_data(stored)
    except ValueError as error:
        log.warning("report %s is written anew, what was told of it cannot be read: %s", data.report_id, error)
        return data
