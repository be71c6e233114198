"""A report of more recipes than one page holds: every recipe on exactly one page of a group, under an index that can be relied on."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from forecaster.reports import render_groups as render_groups_module
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.render import page_assets, render_report
from forecaster.reports.render_groups import GroupPages
from forecaster.reports.web.groups import groups_of
from forecaster.reports.web.page_names import is_group_page, report_of
from tests.support.sample_report import sample_report

SAMPLE = sample_report("prospective")
BASE = next(row for row in SAMPLE.recipes if row.recipe_id == "athens")
LIMIT = 2
MAX_BYTES = 2_000_000


def recipe(recipe_id: str, ratio: float | None, zone: str, **fields: object) -> RecipeForecast:
    probability = None if ratio is None else 0.02 * ratio
    name = {"en": recipe_id.title(), "ja": recipe_id}
    return replace(
        BASE, recipe_id=recipe_id, display_name=name, time_zone=zone, probability=probability, reference_probability=0.02, **fields
    )


ROWS = (
    recipe("kobe", 1.0, "Asia/Tokyo"),
    recipe("akita", 1.5, "Asia/Tokyo"),
    recipe("lima", 3.0, "America/Lima"),
    recipe("tokyo", 0.9, "Asia/Tokyo", comparison_only="kept for comparison"),
    recipe("buoy", None, "Etc/GMT+2", group={"en": "Mid-Atlantic & <ridge>"}),
)
DATA = replace(SAMPLE, recipes=ROWS, checks=tuple(replace(check, recipe_id="kobe") for check in SAMPLE.checks[:3]))


class Links(HTMLParser):
    """The addresses and the ids of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.hrefs += [found["href"] or ""] if tag == "a" and "href" in found else []
        self.ids += [found["id"] or ""] if "id" in found else []


def pages_of(data: ReportData, limit: int = LIMIT) -> dict[str, str]:
    shared = page_assets("en")
    groups = groups_of(data.recipes, limit)
    return {
        name: page
        for language, other in (("en", "ja"), ("ja", "en"))
        for name, page in GroupPages(data, groups, "2024-01-02T1204Z", language, [other], None, shared).all()
    }


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return pages_of(DATA)


def test_groups_are_by_own_name_or_country_and_a_large_one_is_divided_in_the_order_of_ids() -> None:
    groups = {group.address: group.recipe_ids for group in groups_of(ROWS, LIMIT)}
    assert groups == {
        "japan_1": ("akita",),
        "japan_2": ("kobe", "tokyo"),
        "mid-atlantic-ridge": ("buoy",),
        "peru": ("lima",),
    }
    assert groups_of(ROWS, len(ROWS)) == ()


def test_each_name_has_an_address_of_its_own() -> None:
    names = ("Kantō", "kanto", "関東", "関西", "x" * 90, "x" * 91, "")
    rows = [recipe(f"r{i}", 1.0, "Etc/UTC", group={"en": name} if name else None) for i, name in enumerate(names)]
    addresses = [group.address for group in groups_of(rows, 1)]
    assert len(set(addresses)) == len(names) and {"kanto", "sea"} < set(addresses)
    assert all(is_group_page(f"2024-01-02T1204Z.group-{address}.en.html") for address in addresses)
    assert (
        report_of("2024-01-02T1204Z-replay.group-kanto_2.en.html")
        == "2024-01-02T1204Z-replay"
        == report_of("2024-01-02T1204Z-replay.ja.html")
    )
    assert not is_group_page("2024-01-02T1204Z.en.html") and report_of("skill.html") is None


def test_every_recipe_is_on_exactly_one_page_of_a_group(pages: dict[str, str]) -> None:
    for language in ("en", "ja"):
        ids = {name: Links(page).ids for name, page in pages.items() if name.endswith(f".{language}.html")}
        for row in ROWS:
            (there,) = [name for name, found in ids.items() if f"about-{row.recipe_id}" in found]
            assert is_group_page(there) and ids[there].count(f"about-{row.recipe_id}") == 1


def test_every_link_between_the_pages_leads_to_a_place_that_is_there(pages: dict[str, str]) -> None:
    parsed = {name: Links(page) for name, page in pages.items()}
    followed = 0
    for name, links in parsed.items():
        for href in links.hrefs:
            address = urlsplit(href)
            if address.scheme or address.path.startswith("../"):
                continue
            target = unquote(address.path) or name
            assert target in parsed, (name, href)
            assert not address.fragment or address.fragment in parsed[target].ids, (name, href)
            followed += target != name
        assert len(set(links.ids)) == len(links.ids), name
        assert not is_group_page(name) or f"2024-01-02T1204Z.{name.split('.')[-2]}.html" in links.hrefs
    assert followed > 40


def test_the_index_says_the_highest_first(pages: dict[str, str]) -> None:
    index = pages["2024-01-02T1204Z.en.html"]
    assert "<h1>Lima: 6.0\u00a0%, 3.0\u00a0times" in index
    forecasts, groups = index.split('id="forecasts"')[1].split('id="groups"')
    assert re.findall(r'id="recipe-([a-z]+)"', forecasts) == ["lima", "akita", "buoy"]
    told = re.findall(r'<th role="rowheader" scope="row"><a href="[^"]*group-([a-z0-9_-]+)\.en\.html">', groups)
    assert told == ["peru", "japan_1", "japan_2", "mid-atlantic-ridge"]
    assert "Mid-Atlantic &amp; &lt;ridge&gt;" in index and "Japan, page 2 of 2" in index
    assert "日本(2/2ページ)" in pages["2024-01-02T1204Z.ja.html"]


def test_a_page_of_a_group_has_what_belongs_to_its_recipes_alone(pages: dict[str, str]) -> None:
    japan = pages["2024-01-02T1204Z.group-japan_2.en.html"]
    assert japan.count("<bdi>Kobe</bdi>") > 3 and "2024-01-02T1204Z.group-japan_2.ja.html" in japan
    assert "3 earlier forecasts were checked" in japan and "No earlier forecast was due" in pages["2024-01-02T1204Z.group-peru.en.html"]
    assert "Lima" not in japan.split("<main>")[1]
    (number,) = re.findall(r'id="recipe-kobe">\s*<td role="cell" class="number">(\d+)</td>', japan)
    assert number == "3", "rows keep their place among all of the day"


def test_no_page_of_many_recipes_with_full_histories_is_too_large() -> None:
    """30 on a page, each with 90 days, in the language that takes most bytes; the index of 60."""
    many = [replace(SAMPLE.recipes[i % 29], recipe_id=f"r{i}", time_zone="Asia/Tokyo", comparison_only=None) for i in range(60)]
    data = replace(SAMPLE, recipes=tuple(many))
    groups = groups_of(data.recipes, 30)
    assert [len(group.recipe_ids) for group in groups] == [30] * 2
    made = GroupPages(data, groups, "2024-01-02T1204Z", "ja", ["en"], None, page_assets("en"))
    sizes = [len(page.encode()) for _, page in made.all()]
    assert max(sizes) < MAX_BYTES and sizes[-1] < 600_000


def test_the_index_has_no_file_of_more_outcomes_than_fit(pages: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_groups_module, "INDEX_CHECKS", 2)
    few = pages_of(DATA)
    index, group = "2024-01-02T1204Z.en.html", "2024-01-02T1204Z.group-japan_2.en.html"
    assert "outcomes-2024-01-02.csv" in pages[index] and "outcomes-2024-01-02.csv" not in few[index]
    assert "outcomes-2024-01-02.csv" in few[group]


def test_a_small_report_is_one_page_as_it_was() -> None:
    page = render_report(replace(DATA, recipes=ROWS[:2]), "en", assets=page_assets("en"))
    assert 'href="#about-akita"' in page and 'id="find"' not in page and ".group-" not in page
