"""What a reader cannot read: text cut off, printed over other text, broken into letters, or outside the window. Measured by `layout.js` in
Chromium at the widths of a small and a usual phone, a tablet and a screen, in both languages, light and dark, and on paper.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.outgoing.mails import render_email
from forecaster.reports.render import render_index, render_report
from forecaster.reports.web.index import list_reports
from tests.support.sample_ladder import sample_ladder
from tests.support.sample_report import sample_report

pytestmark = [pytest.mark.system, pytest.mark.slow]

FAULTS = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")
WIDTHS = (320, 390, 768, 1280)
PAPER = 720  # CSS pixels between the margins of A4
OPEN_ALL = "() => document.querySelectorAll('details').forEach(node => { node.open = true })"
DRAW_ALL = """
async () => {
  for (const figure of document.querySelectorAll('figure[data-chart]')) {
    if (!figure.checkVisibility()) continue;
    figure.scrollIntoView();
    for (let i = 0; i < 200 && !('drawn' in figure.dataset); i++) await new Promise(done => setTimeout(done, 25));
  }
  window.scrollTo(0, 0);
  return document.querySelectorAll('figure[data-chart]:not([data-drawn])').length;
}
"""
SHOWN = ("niigata-m45", "taipei", "off-nankai-m45", "athens", "istanbul", "tokyo")


def rare(row: RecipeForecast) -> RecipeForecast:
    """A place whose chance and usual rate are both rare: "about 1 in 100" beside "about 1 in 100", "about 1 in 20,000" for the largest."""
    ladder = sample_ladder(0.0094, 0.0095, row.threshold_mag, row.target_start, (0.01, 0, 1))
    return replace(row, probability=0.0094, reference_probability=0.0095, ladder=ladder)


def some_places(data: ReportData) -> ReportData:
    rows = [rare(row) if row.recipe_id == "athens" else row for row in data.recipes if row.recipe_id in SHOWN]
    rows = [replace(row, recent_outcomes=row.recent_outcomes[-20:]) for row in rows]
    return replace(data, recipes=tuple(rows), checks=data.checks[:3])


def one_place(data: ReportData) -> ReportData:
    """Athens alone, as usual: no map of Japan, no headline of its own."""
    rows = [replace(rare(row), model_kind="climatology", weights={}) for row in data.recipes if row.recipe_id == "athens"]
    return replace(data, recipes=tuple(rows), events=data.events[1:5], checks=())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("out")
    (folder / "reports").mkdir()
    sample = sample_report()
    made = {"some": some_places(sample), "one": one_place(sample)}
    found = {}
    for language in ("en", "ja"):
        for number, (name, data) in enumerate(made.items(), 1):
            data = replace(data, generated_at=datetime(2024, 1, number, 12, tzinfo=UTC))
            path = folder / "reports" / f"2024-01-0{number}T1200Z-replay.{language}.html"
            path.write_text(render_report(data, language), encoding="utf-8")
            found[f"{name}.{language}"] = path
        mail = render_email(sample, language)[2].replace("cid:", "data:,")
        found[f"mail.{language}"] = folder / f"mail.{language}.html"
        found[f"mail.{language}"].write_text(mail, encoding="utf-8")
    for language in ("en", "ja"):
        found[f"index.{language}"] = folder / f"index.{language}.html"
        found[f"index.{language}"].write_text(render_index(list_reports(folder), language), encoding="utf-8")
    return found


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", ["some", "one", "mail", "index"])
def test_everything_can_be_read(tab: Any, pages: dict[str, Path], name: str, language: str) -> None:
    """As it comes, then with all details open and every chart drawn; no picture moves in dark mode."""
    tab.goto(pages[f"{name}.{language}"].as_uri())
    found = []
    for state in ("closed", "open"):
        if state == "open":
            tab.evaluate(OPEN_ALL)
            assert tab.evaluate(DRAW_ALL) == 0
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                found += [(state, scheme, width, *fault) for fault in tab.evaluate(FAULTS)]
    assert found == []


@pytest.mark.parametrize("name", ["some.en", "some.ja", "one.ja"])
def test_everything_can_be_read_on_paper(tab: Any, pages: dict[str, Path], name: str) -> None:
    """The places that are as usual are printed, too: nobody opens them on paper."""
    tab.set_viewport_size({"width": PAPER, "height": 1000})
    tab.goto(pages[name].as_uri())
    tab.emulate_media(media="print")
    assert tab.evaluate(FAULTS) == []
    assert tab.locator("#recipe-istanbul" if "some" in name else "#recipe-athens").is_visible()


FLAWS = {
    "printed over each other": "<p style='position:absolute;top:40px'>one text</p><p style='position:absolute;top:42px'>another text</p>",
    "cut by its picture": "<svg width='60' height='20'><text x='40' y='14' font-size='12'>+0.41</text></svg>",
    "cut by its box": "<p style='width:40px;overflow:hidden;white-space:nowrap'>too long for this box</p>",
    "words broken into letters": "<table><tr><td style='width:30px;max-width:30px;overflow-wrap:anywhere'>Goodness</td></tr></table>",
    "cut at the side without a word": "<div style='width:90px;overflow-x:auto'><p style='width:400px'>far</p></div>",
    "page wider than the window": "<p style='width:900px'>wide</p>",
    "outside the window": "<p style='position:absolute;left:300px;white-space:nowrap'>half of this is outside</p>",
}


@pytest.mark.parametrize("fault", FLAWS)
def test_the_measure_sees_each_fault(tab: Any, fault: str) -> None:
    tab.set_content(f"<html><body style='margin:0'>{FLAWS[fault]}</body></html>")
    assert fault in [kind for kind, _ in tab.evaluate(FAULTS)]


def test_the_measure_is_content_with_a_plain_page(tab: Any) -> None:
    tab.set_content("<h1>A heading</h1><p>Some text that takes several lines in a narrow window, one under the other.</p>")
    assert tab.evaluate(FAULTS) == []
