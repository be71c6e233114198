"""The index of very many recipes: it stays small, and every recipe is found by name or on the page of its group."""

import json
import re
from html.parser import HTMLParser

import pytest

from forecaster.reports import render_groups
from forecaster.reports.content.contract import ReportData
from forecaster.reports.render import page_assets
from forecaster.reports.render_groups import GroupPages
from forecaster.reports.web import index_places
from forecaster.reports.web.groups import groups_of
from tests.support.sample_report import drawn_recipes

MAX_BYTES = 2_000_000
DATA = drawn_recipes(40)
RAISED = {f"drawn-{number}" for number in range(0, 40, 10)}


class Read(HTMLParser):
    """The ids of a page, the addresses of its links, and the text of its data for the search."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.hrefs: list[str] = []
        self.data = ""
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        self.hrefs += [found["href"] or ""] if tag == "a" and "href" in found else []
        self._inside = found.get("id") == "place-data"

    def handle_data(self, data: str) -> None:
        self.data += data if self._inside else ""


def pages_of(data: ReportData, language: str = "en", limit: int = 4) -> GroupPages:
    return GroupPages(data, groups_of(data.recipes, limit), "2024-01-02T1204Z", language, (), None, page_assets("en"))


@pytest.mark.parametrize("count", [render_groups.INDEX_PLACES, 10_000])
def test_no_number_of_recipes_makes_the_index_large(count: int) -> None:
    """The most whose places are all listed and drawn as circles, and very many, in the language that takes most bytes."""
    page = pages_of(drawn_recipes(count), "ja", 30).index()
    assert len(page.encode()) < MAX_BYTES
    assert ("place-data" in page) == (count > render_groups.INDEX_PLACES)


def test_every_recipe_of_many_is_found_by_name_on_the_page_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_groups, "INDEX_PLACES", 39)
    pages = {name: Read(page) for name, page in pages_of(DATA).all()}
    index = pages["2024-01-02T1204Z.en.html"]
    told = json.loads(index.data)
    assert {place[1] for place in told["places"]} == {recipe.recipe_id for recipe in DATA.recipes} and len(told["places"]) == 40
    for number, recipe_id, *_ in told["places"]:
        address, title = told["pages"][number]
        assert f"about-{recipe_id}" in pages[address].ids and title
        assert address in index.hrefs, "without a script a page is reached by its group"
    line = next(place for place in told["places"] if place[1] == "drawn-7")
    assert line[2:] == ["7 km NW of Place 7, Country", "4.5", "150", "1\u00a0%", "0.5"]


def test_of_many_those_that_stand_out_are_listed_and_drawn_as_circles_and_the_others_are_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pages_of(DATA).index()
    monkeypatch.setattr(render_groups, "INDEX_PLACES", 39)
    page = pages_of(DATA).index()
    circles = re.compile(r'class="level-[0-4]"><title>[^<]*Place (\d+),')
    assert set(circles.findall(page)) == {name.removeprefix("drawn-") for name in RAISED} and len(set(circles.findall(whole))) == 40
    assert 'class="dots-' not in whole and "one of the other places" not in whole
    world = page.split('class="map map-world"')[1].split("</svg>")[0]
    rims = re.findall(r'class="dots-rim" d="([^"]*)"', world)[0].count("h0")
    assert rims == 36 == sum(dots.count("h0") for dots in re.findall(r'class="dots-(?:none|\d)" d="([^"]*)"', world))
    listed = page.split('id="standing-out"')[1].split("</details>")[0]
    assert set(re.findall(r"#about-(drawn-\d+)", listed)) == RAISED and 'id="all-places"' not in page
    assert "forecasts-2024-01-02.csv" in whole and "forecasts-2024-01-02.csv" not in page and "one of the other places" in page


def test_of_more_than_a_search_can_hold_the_groups_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_groups, "INDEX_PLACES", 39)
    monkeypatch.setattr(index_places, "MOST_BYTES", 1000)
    page = pages_of(DATA).index()
    assert "place-data" not in page and 'id="find"' not in page and 'id="standing-out"' in page and page.count("group-japan_2.en.html") > 1
