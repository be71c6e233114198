"""The map of the world in a real Chromium: readable at every width, moved by keys, wheel and finger, and silent in the console."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forecaster.reports.render import render_world
from tests.browser.test_layout import FAULTS, OPEN_ALL, WIDTHS
from tests.support.sample_world import sample_world

pytestmark = [pytest.mark.system, pytest.mark.slow]

VIEW_BOX = "() => document.getElementById('globe').getAttribute('viewBox').split(' ').map(Number)"
TOLD = "() => document.getElementById('told').textContent"
LEVELS = "() => [...document.getElementById('cells').children].map(path => path.getAttribute('class').split(' ')[0])"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("world")
    for language in ("en", "ja"):
        (folder / f"world.{language}.html").write_text(render_world(sample_world(), language, {}), encoding="utf-8")
    return {language: folder / f"world.{language}.html" for language in ("en", "ja")}


@pytest.fixture
def page(browser: Any, pages: dict[str, Path]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, has_touch=True)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(pages["en"].as_uri())
    yield opened
    assert said == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", WIDTHS)
def test_everything_can_be_read(browser: Any, pages: dict[str, Path], width: int, language: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(pages[language].as_uri())
    opened.evaluate(OPEN_ALL)
    assert opened.evaluate(FAULTS) == []
    context.close()


def test_keys_move_and_enlarge_the_map_and_tell_the_cell_in_the_middle(page: Any) -> None:
    whole = page.evaluate(VIEW_BOX)
    page.focus("#globe")
    for key in ("+", "+", "+"):
        page.keyboard.press(key)
    closer = page.evaluate(VIEW_BOX)
    assert closer[2] == pytest.approx(whole[2] / 1.6**3, rel=1e-3)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(VIEW_BOX)[0] < closer[0]
    for _ in range(12):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
    assert page.evaluate(VIEW_BOX)[1] == 0, "the map ends at its edge"
    page.keyboard.press("0")
    assert page.evaluate(VIEW_BOX) == whole


def test_a_click_tells_a_cells_figures_in_the_view_that_is_shown(page: Any) -> None:
    page.evaluate("() => document.getElementById('globe').scrollIntoView({block: 'center'})")
    box = page.evaluate(
        "() => { const b = document.getElementById('c3').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }"
    )
    page.mouse.click(*box)
    day = page.evaluate(TOLD)
    assert "Anamizu, Japan" in day and "times the usual" in day
    page.select_option("#view", "5_7")
    week = page.evaluate(TOLD)
    assert week != day and "Anamizu, Japan" in week
    page.select_option("#view", "4.5_1")
    assert "cnone" in page.evaluate(LEVELS), "cells without a figure of this magnitude are blank"


def test_wheel_enlarges_about_the_pointer_and_a_drag_moves(page: Any) -> None:
    page.evaluate("() => document.getElementById('globe').scrollIntoView({block: 'center'})")
    whole = page.evaluate(VIEW_BOX)
    x, y = page.evaluate(
        "() => { const b = document.getElementById('globe').getBoundingClientRect(); return [b.x + b.width / 4, b.y + b.height / 2]; }"
    )
    page.mouse.move(x, y)
    for _ in range(6):
        page.mouse.wheel(0, -100)
    page.wait_for_function(f"() => document.getElementById('globe').viewBox.baseVal.width < {0.6 * whole[2]}")
    closer = page.evaluate(VIEW_BOX)
    assert closer[0] + closer[2] / 2 < whole[2] / 2, "about the pointer, which is left of the middle"
    page.mouse.down()
    page.mouse.move(x - 120, y, steps=4)
    page.mouse.up()
    assert page.evaluate(VIEW_BOX)[0] > closer[0] + 50


def test_a_finger_taps_a_cell(page: Any) -> None:
    page.evaluate("() => document.getElementById('globe').scrollIntoView({block: 'center'})")
    box = page.evaluate(
        "() => { const b = document.getElementById('c5').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }"
    )
    page.touchscreen.tap(*box)
    assert "Japan" in page.evaluate(TOLD)


def test_without_scripts_the_first_view_and_the_tables_stand(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900}, java_script_enabled=False)
    opened = context.new_page()
    opened.goto(pages["en"].as_uri())
    assert opened.locator("#tools").is_hidden() and opened.locator("table").first.is_visible()
    assert "The tables and the file below hold all figures" in opened.locator("#told").inner_text()
    context.close()
