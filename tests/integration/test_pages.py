"""The report's pages and its index: written whole, listed, noted; and what happens where they cannot be written."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.clock import Clock
from forecaster.errors import BadInput, NotWritable
from forecaster.pipeline.daily.publish_report import copy_in_one_file, write_report
from forecaster.pipeline.run_context import Job
from tests.support.steps import predict
from tests.support.toys import dump, quiet_years, table

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def job(store, settings, recipes):
    """make(moment, simulated): a job for one recipe that was forecast at NOW from a toy catalogue."""
    quiet_years(store, NOW)

    def make(moment=NOW, simulated=False) -> Job:
        return Job(settings, store, [recipes["tokyo-m45"]], Clock(lambda: moment, simulated), "run-1")

    return make


def said(job: Job) -> Job:
    predict(job.store, job.recipes, job.settings, job.clock, target_day=date(2024, 1, 3))
    return job


def names(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_page(path))


def _is_page(path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.parent.name != "assets"


def test_a_page_a_language_an_index_and_a_row(job, store, settings):
    written = write_report(said(job()), ["en", "ja"])
    assert names(settings.output) == ["index.html", "reports/2024-01-02T1200Z.en.html", "reports/2024-01-02T1200Z.ja.html"]
    assert [page.relative_to(settings.output).as_posix() for page in written.pages] == names(settings.output)[1:]
    english, japanese = (page.read_text(encoding="utf-8") for page in written.pages)
    assert 'lang="en"' in english and "2024-01-02T1200Z.ja.html" in english
    assert 'lang="ja"' in japanese and "2024-01-02T1200Z.en.html" in japanese and "東京" in japanese
    (row,) = table(store, "report").to_dict("records")
    assert (row["report_id"], row["run_id"], row["mode"]) == (written.report_id, "run-1", "live")
    assert (row["path"], row["issue_time"]) == ("reports/2024-01-02T1200Z.en.html", NOW)
    assert row["forecasts_sha256"] == written.data.forecasts_sha256 and row["forecasts_sha256"] in english


def test_pages_share_a_style_sheet_and_a_script_and_leave_as_one_file_each(job, settings, tmp_path):
    written = write_report(said(job()), ["en", "ja"])
    later = write_report(job(NOW + timedelta(hours=1)), ["en"])
    shared = sorted(path.name for path in (settings.output / "reports" / "assets").glob("report-*"))
    assert sorted(name.rpartition(".")[2] for name in shared) == ["css", "js"]
    for page in (*written.pages, *later.pages):
        assert all(f"assets/{name}" in page.read_text(encoding="utf-8") for name in shared if name.endswith(".css"))
    copies = copy_in_one_file(written, tmp_path / "sent")
    assert [copy.name for copy in copies] == [page.name for page in written.pages]
    assert all("assets/" not in copy.read_text(encoding="utf-8") for copy in copies)


def test_the_index_lists_the_newest_first_and_keeps_the_older(job, settings):
    write_report(said(job()), ["en"])
    write_report(job(NOW + timedelta(hours=1)), ["en"])
    index = (settings.output / "index.html").read_text(encoding="utf-8")
    first, second = index.find("reports/2024-01-02T1300Z.en.html"), index.find("reports/2024-01-02T1200Z.en.html")
    assert 0 < first < second


def test_a_replay_is_marked_in_the_name_and_on_the_page(job, store, settings):
    written = write_report(said(job(simulated=True)), ["en"])
    assert written.pages[0].name == "2024-01-02T1200Z-replay.en.html"
    assert "eplay" in written.pages[0].read_text(encoding="utf-8")
    assert table(store, "report")["mode"].tolist() == ["replay"]


def test_the_same_moment_writes_the_same_bytes_and_one_row(job, store, settings):
    write_report(said(job()), ["en"])
    pages, rows = {name: (settings.output / name).read_bytes() for name in names(settings.output)}, dump(store)
    write_report(job(), ["en"])
    assert {name: (settings.output / name).read_bytes() for name in names(settings.output)} == pages and dump(store) == rows


def test_a_page_is_replaced_by_a_rename(job, settings):
    """Who has the old page open goes on reading it whole: the new one is another file under the same name."""
    page = write_report(said(job()), ["en"]).pages[0]
    whole = page.read_text(encoding="utf-8")
    page.write_text("an older page")
    with page.open(encoding="utf-8") as reader:
        write_report(job(), ["en"])
        assert reader.read() == "an older page"
    assert page.read_text(encoding="utf-8") == whole


def test_a_folder_that_cannot_be_written_is_told_and_no_report_is_noted(job, store, settings):
    settings.output.write_text("a file in the way")
    with pytest.raises(NotWritable, match=r"cannot write .*choose a folder that can be written") as caught:
        write_report(said(job()), ["en"])
    assert "\n" not in str(caught.value) and table(store, "report").empty


def test_a_language_of_the_users_own_folder_gets_its_page_and_stands_in_the_index(job, settings, tmp_path):
    """One file, i18n/de.toml, and every report has a German page; what it lacks is said in English."""
    (tmp_path / "mine" / "i18n").mkdir(parents=True)
    (tmp_path / "mine" / "i18n" / "de.toml").write_text('[page]\nlanguage_name = "Deutsch"\n[table]\nusual = "Üblich"\n', encoding="utf-8")
    work = said(job())
    work = replace(work, settings=settings.model_copy(update={"templates": tmp_path / "mine"}))
    written = write_report(work, ["en"])
    assert [page.name for page in written.pages] == ["2024-01-02T1200Z.en.html", "2024-01-02T1200Z.de.html"]
    assert "Üblich" in written.pages[1].read_text(encoding="utf-8")
    index = (settings.output / "index.html").read_text(encoding="utf-8")
    assert 'hreflang="de"' in index and ">Deutsch<" in index and "is not clearly above its usual rate" in index


def test_an_unknown_language_is_told_before_anything_is_written(job, store, settings):
    with pytest.raises(BadInput, match="tlh"):
        write_report(said(job()), ["tlh"])
    assert table(store, "report").empty and not settings.output.exists()


def test_a_report_of_too_many_recipes_is_an_index_with_a_page_a_group_and_one_entry_of_the_archive(job, settings, recipes, tmp_path):
    work = replace(job(), recipes=[recipes[name] for name in ("athens", "lima", "tokyo-m45")])
    whole = write_report(said(work), ["en"])
    assert whole.group_pages == []
    small = replace(work, settings=settings.model_copy(update={"page_recipes": 2}), clock=Clock.standing_at(NOW + timedelta(hours=1)))
    written = write_report(small, ["en", "ja"])
    groups = ["greece", "japan", "peru"]
    assert [page.name for page in written.pages] == ["2024-01-02T1300Z.en.html", "2024-01-02T1300Z.ja.html"]
    assert [page.name for page in written.group_pages] == [
        f"2024-01-02T1300Z.group-{group}.{language}.html" for language in ("en", "ja") for group in groups
    ]
    index = written.pages[0].read_text(encoding="utf-8")
    assert all(f'href="2024-01-02T1300Z.group-{group}.en.html' in index for group in groups)
    archive = (settings.output / "index.html").read_text(encoding="utf-8")
    assert "reports/2024-01-02T1300Z.en.html" in archive and "group-" not in archive and "2 reports" in archive
    copies = copy_in_one_file(written, tmp_path / "sent")
    assert len(copies) == 8 and all("assets/" not in copy.read_text(encoding="utf-8") for copy in copies)
