"""The report in a real Chromium: WCAG 2.2 AA by axe, charts that draw under the page's and the server's policy, nothing loaded, nothing
said on the console, nothing sticking out on a phone; and all of it without scripts.

Chromium is what `make system-deps` installs; without it these tests skip and say so.
"""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forecaster.reports import render_groups
from forecaster.reports.content.contract import ReportData
from forecaster.reports.outgoing.mails import render_email
from forecaster.reports.render import page_assets, render_index, render_report
from forecaster.reports.render_groups import GroupPages
from forecaster.reports.web.assets import write_assets
from forecaster.reports.web.groups import groups_of
from forecaster.reports.web.index import list_reports
from forecaster.reports.web.serve import make_server
from tests.support.sample_report import drawn_recipes, many_recipes, sample_report, some_places

pytestmark = [pytest.mark.system, pytest.mark.slow]

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SHOWN = ("niigata-m45", "athens", "niigata")  # fitted; usual rate; comparison only and not scoreable
DAYS = 10
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
OPEN_ALL = "() => document.querySelectorAll('details').forEach(node => { node.open = true })"
DRAW_ALL = """
async () => {
  for (const figure of document.querySelectorAll('figure[data-chart]')) {
    if (!figure.checkVisibility()) continue;
    figure.scrollIntoView();
    for (let i = 0; i < 200 && !('drawn' in figure.dataset); i++) await new Promise(done => setTimeout(done, 25));
  }
  return document.querySelectorAll('figure[data-chart]:not([data-drawn])').length;
}
"""
CONTRAST = """
() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = node => { for (; node; node = node.parentElement) {
    const found = numbers(getComputedStyle(node).backgroundColor);
    if (found.length === 3 || found[3] > 0) return found; } return [255, 255, 255]; };
  const low = [];
  for (const node of document.querySelectorAll('body *:not(svg):not(svg *):not(script)')) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push([node.tagName, node.className, node.textContent.trim().slice(0, 40)]);
  }
  return low;
}
"""


def small_report() -> ReportData:
    """Three of the sample's recipes with ten days each: enough for every part of the page, and little for axe to walk through."""
    data = some_places(*SHOWN)
    rows = [replace(row, recent_outcomes=row.recent_outcomes[-DAYS:]) for row in data.recipes]
    return replace(data, recipes=tuple(rows), events=data.events[:3], checks=data.checks[:2])


def large_index(language: str) -> str:
    """The page of the day of so many places that they are found by its data: 120, on pages of 30."""
    data = drawn_recipes(120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_groups, "INDEX_PLACES", 100)
        return GroupPages(data, groups_of(data.recipes, 30), "2024-01-02T1204Z", language).index()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with two reports and their index, one more page each for what only a large or an empty report has, and mails."""
    folder = tmp_path_factory.mktemp("out")
    (folder / "reports").mkdir()
    later = replace(small_report(), generated_at=datetime(2024, 2, 1, 9, tzinfo=UTC))
    names = {"report": (small_report(), "2024-01-02T1204Z-replay"), "later": (later, "2024-02-01T0900Z-replay")}
    shared = page_assets("en")
    write_assets(folder / "reports", shared)
    for data, name in names.values():
        beside = shared if data is later else None  # one report as an archive keeps it, one as it leaves the house
        for language in ("en", "ja"):
            others = {other: f"{name}.{other}.html" for other in ("en", "ja") if other != language}
            page = render_report(data, language, others, assets=beside)
            (folder / "reports" / f"{name}.{language}.html").write_text(page, encoding="utf-8")
    for language in ("en", "ja"):
        mail = render_email(sample_report(), language)[2].replace("cid:", "data:,")
        (folder / f"mail.{language}.html").write_text(mail, encoding="utf-8")
        (folder / f"index.{language}.html").write_text(render_index(list_reports(folder), language), encoding="utf-8")
    (folder / "many.en.html").write_text(render_report(many_recipes(40), "en"), encoding="utf-8")
    for language in ("en", "ja"):
        (folder / f"large.{language}.html").write_text(large_index(language), encoding="utf-8")
    nothing = replace(small_report(), recipes=(), events=(), checks=(), pooled_records=())
    (folder / "nothing.en.html").write_text(render_report(nothing, "en"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, Path]:
    made = {f"report.{language}": folder / "reports" / f"2024-01-02T1204Z-replay.{language}.html" for language in ("en", "ja")}
    return made | {page.stem: page for page in folder.glob("*.html")}


def opened(
    browser: Any, page: Path | str, scheme: str = "light", size: dict[str, int] = DESKTOP, **context: Any
) -> tuple[Any, list[str], list[str]]:
    """(the page, what was said on its console, what it asked the network for besides itself)."""
    tab = browser.new_context(viewport=size, color_scheme=scheme, **context).new_page()
    said: list[str] = []
    asked: list[str] = []
    address = page.as_uri() if isinstance(page, Path) else page
    tab.on("request", lambda request: asked.append(request.url) if request.url != address and not request.url.startswith("data:") else None)
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(address)
    return tab, said, asked


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_report_keeps_wcag_2_2_aa_with_everything_open_and_drawn(browser: Any, pages: dict[str, Path], language: str, size: str) -> None:
    """axe-core's rules for WCAG 2.2 A and AA and its best practices; in dark mode once more those that look at colours."""
    from axe_playwright_python.sync_playwright import Axe

    tab, said, asked = opened(browser, pages[f"report.{language}"], "light", PHONE if size == "phone" else DESKTOP)
    tab.evaluate(OPEN_ALL)
    assert tab.evaluate(DRAW_ALL) == 0 and (said, asked) == ([], [])
    assert tab.locator("html").get_attribute("lang") == language and tab.locator("svg.map-world").is_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= (390 if size == "phone" else 1280)
    for scheme, rules in (("light", WCAG), ("dark", COLOURS)):
        tab.emulate_media(color_scheme=scheme)
        found = Axe().run(tab, options=rules).response["violations"]
        assert [(scheme, rule["id"], rule["nodes"][0]["html"][:300]) for rule in found] == []
    tab.context.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_a_place_among_very_many_is_found_by_a_part_of_its_name(browser: Any, pages: dict[str, Path], size: dict[str, int]) -> None:
    tab, said, asked = opened(browser, pages["large.ja"], "light", size)
    lines, told, field = tab.locator("#places li"), tab.locator("#found"), tab.locator("#find")
    assert lines.count() == 0 and told.text_content() == ""
    field.fill("町")
    assert lines.count() == 50 and told.text_content() == "120件。はじめの50件を示します"
    field.fill("町7の 7")
    assert [text.split(" M ≥")[0] for text in lines.all_text_contents()] == ["国の中央にある町7の北西7 km"]
    assert lines.locator("a").get_attribute("href") == "2024-01-02T1204Z.group-peru.ja.html#about-drawn-7" and told.text_content() == "1件"
    field.fill("ペルー drawn-7")
    assert lines.count() == 3, "7, 73 and 79, by the group and the recipe's id"
    field.fill("nowhere")
    assert lines.count() == 0 and told.text_content() == "その名前の場所はありません"
    field.press("Escape")
    assert lines.count() == 0 and told.text_content() == "" and field.input_value() == ""
    assert (said, asked) == ([], []) and tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.en", "index.ja", "nothing.en", "large.en", "large.ja"])
def test_the_index_and_an_empty_report_keep_it_as_well(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab, said, asked = opened(browser, pages[name], scheme, PHONE)
    found = Axe().run(tab, options=WCAG).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:300]) for rule in found] == []
    assert (said, asked) == ([], []) and tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.context.close()


def test_charts_draw_under_the_servers_policy_and_say_their_figures(browser: Any, folder: Path) -> None:
    """Through `quakecast serve`, whose policy allows only the scripts that the page names; no eval."""
    with make_server(folder, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/reports/2024-01-02T1204Z-replay.en.html"
        tab, said, asked = opened(browser, address)
        tab.evaluate(OPEN_ALL)
        assert tab.evaluate(DRAW_ALL) == 0 and (said, asked) == ([], [])
        chart = tab.locator('#about-niigata-m45 figure[data-chart="history"]')
        assert chart.locator(".static").is_hidden() and chart.locator(".live svg").is_visible()
        columns = chart.locator(".mark-rect").last.locator("path")
        assert columns.count() == DAYS
        chart.scroll_into_view_if_needed()
        columns.last.hover(force=True)
        tip = tab.locator("#vg-tooltip-element")
        tip.wait_for(state="visible")
        assert (
            "66 %" in tip.inner_text()
            and "2024-01-02" in tip.inner_text()
            and "not known" in tip.inner_text()
            and "Replay" in tip.inner_text()
        )
        tab.goto(f"http://127.0.0.1:{server.server_port}/")
        tab.get_by_role("link", name="日本語, 2024-02-01 09:00", exact=True).click()
        assert tab.locator("html").get_attribute("lang") == "ja" and said == []
        tab.evaluate(OPEN_ALL)
        assert tab.evaluate(DRAW_ALL) == 0 and said == []  # by the script that it shares with others
        tab.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.evil = 1' }))")
        assert tab.evaluate("window.evil") is None and "Content Security Policy" in said[0]
        tab.context.close()
        server.shutdown()
        thread.join()


def test_a_page_of_the_archive_is_whole_where_its_folder_is_opened_without_a_server(browser: Any, folder: Path) -> None:
    page = folder / "reports" / "2024-02-01T0900Z-replay.en.html"
    tab, said, asked = opened(browser, page)
    tab.evaluate(OPEN_ALL)
    assert tab.evaluate(DRAW_ALL) == 0 and said == []
    assert {address.rpartition("/")[0] for address in asked} == {(page.parent / "assets").as_uri()} and len(asked) == 2
    assert tab.evaluate("getComputedStyle(document.body).margin") == "0px"
    tab.context.close()


def test_without_scripts_every_chart_is_a_picture_with_a_table_and_a_file(browser: Any, pages: dict[str, Path]) -> None:
    tab, _, asked = opened(browser, pages["report.en"], java_script_enabled=False)
    tab.locator("details.as-usual:has(#about-athens) > summary").click()
    tab.locator("details.region:has(#about-athens) > summary").click()
    assert tab.locator("#about-niigata-m45").is_visible()  # the headline's region is open from the start
    chart = tab.locator('#about-athens figure[data-chart="history"]')
    assert chart.locator("svg.picture").is_visible() and chart.locator(".live").count() == 0
    chart.locator("details.data > summary").click()
    assert chart.locator("tbody tr").count() == DAYS and chart.locator("tbody tr").first.is_visible()
    with tab.expect_download() as download:
        chart.locator("a[download]").click()
    assert download.value.suggested_filename == "athens-2024-01-02-history.csv"
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0].split(",")[0], asked) == (DAYS + 1, "day", [])
    tab.context.close()


def test_a_place_in_the_table_leads_to_its_region_which_opens(browser: Any, pages: dict[str, Path]) -> None:
    tab, _, _ = opened(browser, pages["report.en"])
    assert tab.locator("#about-athens").is_hidden()
    tab.locator("details.as-usual:has(#recipe-athens) > summary").click()
    tab.locator('#recipe-athens a[href="#about-athens"]').click()
    tab.locator("#about-athens").wait_for(state="visible")
    tab.context.close()


def test_the_keyboard_reaches_everything_and_opens_it(browser: Any, pages: dict[str, Path]) -> None:
    tab, _, _ = opened(browser, pages["report.en"])
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "#forecasts"
    tab.locator("details.as-usual:has(#about-athens) > summary").focus()
    tab.keyboard.press("Enter")
    tab.locator("details.region:has(#about-athens) > summary").focus()
    tab.keyboard.press("Enter")
    assert tab.locator("#about-athens").is_visible()
    for _ in range(12):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.matches('details.data > summary')"):
            break
    tab.keyboard.press("Space")
    assert tab.evaluate("document.activeElement.parentElement.open")
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert tab.evaluate(outline) == "3px"
    tab.context.close()


@pytest.mark.parametrize(
    ("name", "width"), [("report.en", 320), ("report.ja", 320), ("many.en", 390), ("mail.ja", 390), ("mail.en", 320), ("index.en", 320)]
)
def test_nothing_sticks_out_on_a_phone(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    tab, _, _ = opened(browser, pages[name], size={**PHONE, "width": width})
    tab.evaluate(OPEN_ALL)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_a_mail_has_the_contrast_of_wcag_aa(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    """4.5 : 1 by WCAG 2.2, 1.4.3, for all sizes."""
    tab, _, _ = opened(browser, pages["mail.en"], scheme)
    assert tab.evaluate(CONTRAST) == []
    tab.context.close()


def test_dark_mode_is_dark_and_its_scale_runs_from_dark_to_bright(browser: Any, pages: dict[str, Path]) -> None:
    def looks(scheme: str) -> tuple[int, list[int]]:
        tab, _, _ = opened(browser, pages["report.en"], scheme)
        sums = "node => getComputedStyle(node)[%r].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
        paper = tab.locator("body").evaluate(sums % "backgroundColor")
        fills = [tab.locator(f".legend .level-{level}").evaluate(sums % "fill") for level in range(5)]
        tab.context.close()
        return paper, fills

    light, dark = looks("light"), looks("dark")
    assert light[0] > 700 and dark[0] < 100
    assert light[1] == sorted(light[1], reverse=True) and dark[1] == sorted(dark[1])


def test_it_prints(browser: Any, pages: dict[str, Path]) -> None:
    tab, _, _ = opened(browser, pages["report.en"], "dark")
    assert tab.pdf(format="A4", print_background=True).startswith(b"%PDF")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)" and tab.locator(".contents").is_hidden()
    assert tab.locator("svg.map-japan .sea").evaluate("node => getComputedStyle(node).fill") == "rgb(244, 246, 248)"  # not the dark one
    tab.context.close()
