"""The index of past reports: what each page says of itself, in the reader's language, whatever lies in the folder."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecaster.reports.content.contract import ReportData
from forecaster.reports.render import render_index, render_report
from forecaster.reports.web import index
from forecaster.reports.web.index import list_reports, read_head
from tests.support.sample_report import sample_report

SMALL = replace(sample_report(), recipes=sample_report().recipes[-1:], events=(), checks=())


def write(folder: Path, name: str, data: ReportData, language: str) -> None:
    page = folder / "reports" / f"{name}.{language}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_report(data, language), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    write(folder, "2024-01-02T1204Z-replay", SMALL, "en")
    write(folder, "2024-01-02T1204Z-replay", SMALL, "ja")
    later = replace(SMALL, generated_at=datetime(2024, 2, 1, 9, tzinfo=UTC), recipes=())
    write(folder, "2024-02-01T0900Z", later, "ja")
    (folder / "skill.html").write_text("<title>no report</title>", encoding="utf-8")
    (folder / "index.html").write_text("the index itself", encoding="utf-8")
    return folder


def test_a_report_is_one_entry_with_date_mode_headline_and_languages(folder: Path) -> None:
    later, earlier, other = list_reports(folder)
    assert (later.made, later.mode, sorted(later.hrefs)) == ("2024-02-01T09:00:00Z", "", ["ja"])
    assert (earlier.made, earlier.mode, sorted(earlier.hrefs)) == ("2024-01-02T12:04:00Z", "replay", ["en", "ja"])
    assert earlier.hrefs["ja"] == "reports/2024-01-02T1204Z-replay.ja.html"
    assert "usual rate" in earlier.headlines["en"] and earlier.periods["en"] == "Thu 4 Jan 2024"
    assert (other.name, other.made, other.hrefs) == ("skill", "", {"": "skill.html"})


def test_the_page_has_them_by_month_in_its_language_else_in_another(folder: Path) -> None:
    page = render_index(list_reports(folder), "en")
    assert page.index(">February 2024<") < page.index(">January 2024<") < page.index("Other pages")
    assert '<th role="rowheader" scope="row" lang="ja"><a href="reports/2024-02-01T0900Z.ja.html">' in page
    assert "2 reports" in page and "Replay" in page and 'hreflang="ja"' in page
    assert render_index([], "ja").count("<table") == 0


def test_what_a_page_says_of_itself_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    """The head is escaped once by the page, read back, and escaped again by the index."""
    evil = '"><script>alert(1)</script>'
    row = replace(SMALL.recipes[0], display_name={"en": evil}, probability=0.2, reference_probability=0.1, model_kind="etas")
    write(tmp_path, "2024-01-02T1204Z", replace(SMALL, recipes=(row,)), "en")
    (entry,) = list_reports(tmp_path)
    assert entry.headlines["en"] == f"{evil}: 20 %, 2.0 times the usual 10 %"
    page = render_index([entry])
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_mode_that_is_none_and_a_page_that_cannot_be_read_break_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.en.html").write_text(
        '<meta name="quakecast:made" content="2024"><meta name="quakecast:mode" content="x">', encoding="utf-8"
    )
    (tmp_path / "b.html").write_bytes(b"\xff\xfe")
    (tmp_path / "c.html").symlink_to(tmp_path / "absent.html")
    (tmp_path / "d.html").mkdir()
    assert [(report.name, report.mode) for report in list_reports(tmp_path)] == [("a", ""), ("b", "")]
    assert read_head(tmp_path / "absent.html").facts == {}
    render_index(list_reports(tmp_path))


def test_a_changed_page_is_read_again(tmp_path: Path) -> None:
    page = tmp_path / "a.en.html"
    page.write_text('<meta name="quakecast:headline" content="one">', encoding="utf-8")
    assert read_head(page).facts == {"headline": "one"}
    page.write_text('<meta name="quakecast:headline" content="another">', encoding="utf-8")
    assert read_head(page).facts == {"headline": "another"}


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: bool) -> list[str]:
    """The pages that making the list opens, by a process that knows of none."""
    names: list[str] = []
    real = index.read_head
    index._read_head.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(index, "read_head", lambda page: names.append(page.name) or real(page))
        index.list_reports(folder, **options)
    return sorted(names)


def test_only_new_and_changed_pages_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("01", "02", "03"):
        write(tmp_path, f"2024-01-{day}T1204Z", SMALL, "en")
    every = [f"2024-01-{day}T1204Z.en.html" for day in ("01", "02", "03")]
    assert opened(tmp_path, monkeypatch) == every == opened(tmp_path, monkeypatch, remember=True)
    first = list_reports(tmp_path)
    assert opened(tmp_path, monkeypatch) == []
    assert list_reports(tmp_path) == first, "the same list from what was kept"
    write(tmp_path, "2024-01-04T1204Z", SMALL, "en")
    write(tmp_path, "2024-01-02T1204Z", replace(SMALL, recipes=()), "en")
    (tmp_path / "reports" / every[0]).unlink()
    assert opened(tmp_path, monkeypatch, remember=True) == ["2024-01-02T1204Z.en.html", "2024-01-04T1204Z.en.html"]
    assert [report.name for report in list_reports(tmp_path)] == [f"reports/2024-01-{day}T1204Z" for day in ("04", "03", "02")]


@pytest.mark.parametrize("spoilt", ["", "[]", "{", '{"reports/a.en.html": 3}', '{"a.html": [1, 2, []]}'])
def test_a_spoilt_memory_of_heads_is_made_anew(tmp_path: Path, spoilt: str) -> None:
    write(tmp_path, "2024-01-01T1204Z", SMALL, "en")
    (tmp_path / index.HEADS_FILE).write_text(spoilt, encoding="utf-8")
    (report,) = list_reports(tmp_path, remember=True)
    assert report.made == "2024-01-02T12:04:00Z"
    assert index._kept(tmp_path).keys() == {"reports/2024-01-01T1204Z.en.html"}
