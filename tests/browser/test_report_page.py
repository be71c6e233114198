"""The report in a real Chromium: nothing is loaded from anywhere, nothing is said on the console, nothing sticks out on a phone.

Chromium is what `make system-deps` installs; without it these tests skip and say so.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forecaster.reports.mails import render_email
from forecaster.reports.render import render_report
from tests.support.sample_report import many_recipes, sample_report

pytestmark = pytest.mark.system

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
CONTRAST = """
() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = node => { for (; node; node = node.parentElement) {
    const found = numbers(getComputedStyle(node).backgroundColor);
    if (found.length === 3 || found[3] > 0) return found; } return [255, 255, 255]; };
  const low = [];
  for (const node of document.querySelectorAll('body *:not(svg):not(svg *)')) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push([node.tagName, node.className, node.textContent.trim().slice(0, 40)]);
  }
  return low;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("QUAKECAST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine: `make system-deps` installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, made = tmp_path_factory.mktemp("pages"), {}
    for language in ("en", "ja"):
        texts = {"report": render_report(sample_report(), language), "mail": render_email(sample_report(), language)[2]}
        for kind, text in texts.items():
            made[f"{kind}.{language}"] = folder / f"{kind}.{language}.html"
            made[f"{kind}.{language}"].write_text(text.replace("cid:", "data:,"), encoding="utf-8")
    made["many.en"] = folder / "many.html"
    made["many.en"].write_text(render_report(many_recipes(200), "en"), encoding="utf-8")
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_page_loads_nothing_and_says_nothing_on_the_console(browser: Any, pages: dict[str, Path], language: str, scheme: str) -> None:
    page = browser.new_page(viewport=DESKTOP, color_scheme=scheme)
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    address = pages[f"report.{language}"].as_uri()
    page.goto(address, wait_until="networkidle")
    assert [url for url in requests if url != address and not url.startswith("data:")] == []
    assert said == []
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").is_visible() and page.locator("svg.map-world").is_visible()
    page.close()


@pytest.mark.parametrize(
    ("name", "width"), [("report.en", 390), ("report.ja", 390), ("many.en", 390), ("mail.ja", 390), ("report.en", 320), ("mail.en", 320)]
)
def test_nothing_sticks_out_on_a_phone(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    page = browser.new_page(viewport={**PHONE, "width": width})
    page.goto(pages[name].as_uri())
    for details in page.locator("details").all():
        details.evaluate("node => node.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report.en", "report.ja", "mail.en"])
def test_every_text_has_the_contrast_of_wcag_aa(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    """4.5 : 1 by WCAG 2.2, 1.4.3, for all sizes (text in the pictures is on its own light or dark plate)."""
    page = browser.new_page(viewport=DESKTOP, color_scheme=scheme)
    page.goto(pages[name].as_uri())
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_dark_mode_is_dark_and_its_scale_runs_from_dark_to_bright(browser: Any, pages: dict[str, Path]) -> None:
    def looks(scheme: str) -> tuple[int, list[int]]:
        page = browser.new_page(viewport=DESKTOP, color_scheme=scheme)
        page.goto(pages["report.en"].as_uri())
        sums = "node => getComputedStyle(node)[%r].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
        paper = page.locator("body").evaluate(sums % "backgroundColor")
        fills = [page.locator(f".legend .level-{level}").evaluate(sums % "fill") for level in range(5)]
        page.close()
        return paper, fills

    light, dark = looks("light"), looks("dark")
    assert light[0] > 700 and dark[0] < 100
    assert light[1] == sorted(light[1], reverse=True) and dark[1] == sorted(dark[1])


def test_the_keyboard_reaches_the_forecasts_first(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport=DESKTOP)
    page.goto(pages["report.en"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#forecasts"
    page.close()


def test_it_prints(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["report.en"].as_uri())
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
