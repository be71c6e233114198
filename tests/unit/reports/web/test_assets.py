"""The shared files of an archive: written once, whole or not at all, and put into the page where it leaves the house."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from forecaster.reports import render
from forecaster.reports.web import assets
from forecaster.reports.web.index import read_head
from tests.support.sample_report import sample_report

SAMPLE = sample_report()
DATA = replace(SAMPLE, recipes=SAMPLE.recipes[:2])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder of pages with what they share and one page."""
    shared = render.page_assets("en")
    assets.write_assets(tmp_path, shared)
    (tmp_path / "2024-01-02T1204Z.en.html").write_text(render.render_report(DATA, "en", assets=shared), encoding="utf-8")
    return tmp_path


def page_of(reports: Path) -> str:
    return (reports / "2024-01-02T1204Z.en.html").read_text(encoding="utf-8")


def test_pages_of_an_archive_name_two_files_and_hold_neither(reports: Path) -> None:
    page, names = page_of(reports), sorted(path.name for path in (reports / "assets").iterdir())
    assert sorted(name.rpartition(".")[2] for name in names) == ["css", "js"] and all(f"assets/{name}" in page for name in names)
    assert "<style>" not in page and "quakecastEmbed = " not in page and len(page.encode()) < 400_000
    assert len(render.render_report(DATA, "en")) - len(page) > 900_000


def test_the_policy_lets_the_shared_files_in_and_nothing_from_elsewhere(reports: Path) -> None:
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page_of(reports))[1])  # type: ignore[index]
    assert "script-src 'self' " in policy and "style-src 'unsafe-inline' 'self';" in policy and "default-src 'none'" in policy
    assert "unsafe-eval" not in policy and "http" not in policy
    assert read_head(reports / "2024-01-02T1204Z.en.html").script_hashes[0] == "'self'"


def test_in_one_file_it_loads_nothing_and_only_its_own_script_runs(reports: Path) -> None:
    page = assets.in_one_file(page_of(reports), reports)
    assert '<link rel="stylesheet"' not in page and "<script defer" not in page and "<style>" in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])  # type: ignore[index]
    assert f"script-src {assets.script_source(script)};" in policy and "'self'" not in policy
    assert assets.in_one_file(page, reports) == page  # and a page of an earlier version stays as it is


def test_a_shared_file_that_was_changed_is_neither_taken_in_nor_kept(reports: Path) -> None:
    script = next((reports / "assets").glob("*.js"))
    script.write_text("evil()", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="was changed"):
        assets.in_one_file(page_of(reports), reports)
    assets.write_assets(reports, render.page_assets("en"))
    assert "evil()" not in script.read_text(encoding="utf-8")


def test_what_is_written_already_is_left_alone(reports: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (reports / "assets").iterdir()}
    assets.write_assets(reports, render.page_assets("ja"))
    assert {path: path.stat().st_mtime_ns for path in (reports / "assets").iterdir()} == before


def test_only_what_no_page_names_is_unused(reports: Path) -> None:
    old = reports / "assets" / "report-0123456789abcdef.css"
    old.write_text("p {}", encoding="utf-8")
    (reports / "assets" / "notes.txt").write_text("mine", encoding="utf-8")
    assert assets.unused(reports, reports.glob("*.html")) == [old]
    assert len(assets.unused(reports, [])) == 3
    assert assets.unused(reports, [reports / "no-such-page.html"]) == []  # what cannot be read may name any of them
