"""The page of the map of the world: what stands in it, in each language, and what stands in the report and the index."""

import csv
import io
import re
from dataclasses import replace
from html import unescape
from urllib.parse import unquote

import pytest

from forecaster.reports.render import render_index, render_report, render_world
from forecaster.reports.web.index import world_page
from tests.support.sample_report import sample_report
from tests.support.sample_world import VIEWS, sample_told, sample_world

LANGUAGES = ("en", "ja")


@pytest.fixture(scope="module")
def page() -> str:
    return render_world(sample_world(), "en", {"ja": "world.ja.html"})


def rows_of(page: str) -> list[dict[str, str]]:
    (address,) = re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', page)
    return list(csv.DictReader(io.StringIO(unquote(address))))


def test_the_file_holds_every_figure_in_the_order_of_the_cells(page):
    rows, world = rows_of(page), sample_world()
    assert [row["cell"] for row in rows] == [cell.name for cell in world.cells]
    for row, cell in zip(rows, world.cells, strict=True):
        for magnitude, days in VIEWS:
            said = row[f"probability_m{magnitude:g}_{days}d"]
            expected = cell.figures.get((magnitude, days))
            assert (said == "") if expected is None else (float(said) == pytest.approx(expected[0], rel=5e-3))
        assert float(row["longitude"]) == pytest.approx(cell.lng, abs=0.006)


def test_a_cell_is_as_dark_as_it_lies_above_usual(page):
    classes = re.findall(r'<path id="c(\d+)" class="c(\d|none)"', page)
    world = sample_world()
    assert [int(index) for index, _ in classes] == list(range(len(world.cells)))
    ratios = [cell.figures[5.0, 1][0] / cell.figures[5.0, 1][1] for cell in world.cells]
    expected = [sum(ratio >= bound for bound in (0.8, 1.25, 2.0, 4.0)) for ratio in ratios]
    assert [int(level) for _, level in classes] == expected


def test_a_cell_on_the_seam_is_drawn_at_both_sides(page):
    shapes = re.findall(r'<path id="c\d+" class="[^"]*" d="([^"]*)"/>', page)
    assert max(shape.count("M") for shape in shapes) == 2
    starts = [float(x) for shape in shapes for x in re.findall(r"M(-?[\d.]+) ", shape)]
    assert min(starts) >= 0 and max(starts) <= 3600


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_loads_nothing(language):
    text = render_world(sample_world(), language, {})
    assert len(text) < 2_000_000 and text.count("<table") == len(VIEWS)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!www\.|earthquake\.)', text)
    assert "script-src 'sha256-" in unescape(text) and "default-src 'none'" in unescape(text)
    assert "&lt;b&gt;" in text and "<b>Greece" not in text, "foreign text is escaped"


def test_the_report_tells_ten_places_folded_and_leads_to_the_map():
    data = replace(sample_report(), world=sample_told())
    text = render_report(data, "en")
    assert 'href="../world/world.en.html"' in text and "Farthest above usual in the world: " in text
    section = text[text.index('id="world"') : text.index('id="regions"')]
    assert section.count("<li>") == len(data.world.places) and "<details" in section
    assert 'id="world"' not in render_report(replace(data, world=None), "en"), "without a map nothing is said of one"


def test_the_index_leads_to_the_map_of_its_language_where_there_is_one(tmp_path):
    assert world_page(tmp_path, "en") is None
    (tmp_path / "world").mkdir()
    for language in LANGUAGES:
        (tmp_path / "world" / f"world.{language}.html").write_text("a page")
    assert [world_page(tmp_path, language) for language in ("ja", "de")] == ["world/world.ja.html", "world/world.en.html"]
    assert 'href="world/world.ja.html"' in render_index([], "ja", world="world/world.ja.html")
