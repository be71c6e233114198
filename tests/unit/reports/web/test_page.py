"""The page's own parts: a card a region, charts with picture, table and file, scripts that are named; and bad input that breaks nothing."""

import csv
import hashlib
import html
import io
import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import vl_convert

from forecaster.reports import render
from forecaster.reports.content.contract import DayOutcome, ReportData
from forecaster.reports.drawing import vega
from forecaster.reports.texts import translator
from forecaster.reports.web.csv_link import csv_link
from tests.support.html_text import bare, parse, shown
from tests.support.sample_report import many_recipes, sample_report, some_places


def page_of(data: ReportData, language: str = "en") -> str:
    page = render.render_report(data, language)
    assert parse(bare(page)).faults == []
    return page


def files(page: str) -> dict[str, list[dict[str, str]]]:
    """File name -> rows of every CSV that the page carries."""
    found = re.findall(r'<a class="file" href="data:text/csv;charset=utf-8,([^"]*)" download="([^"]*)"', page)
    return {name: list(csv.DictReader(io.StringIO(unquote(html.unescape(text))))) for text, name in found}


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(some_places())


def test_every_chart_has_a_picture_a_table_and_a_file(page: str) -> None:
    figures = re.findall(r'<figure class="chart[^>]*data-chart="(\w+)".*?</figure>', page, flags=re.S)
    assert {kind: figures.count(kind) for kind in set(figures)} == {"history": 5, "reliability": 6, "gain": 1}
    for figure in re.findall(r'<figure class="chart.*?</figure>', page, flags=re.S):
        (picture,) = re.findall(r'<div class="static">(<svg.*?</svg>)</div>', figure, flags=re.S)
        assert ElementTree.fromstring(picture).attrib["aria-label"]
        assert figure.count("download=") == 1
        assert "<table" in figure or 'data-chart="gain"' in figure  # the table of tests stands below its chart


def test_the_files_hold_what_the_tables_say(page: str) -> None:
    """Niigata of the sample: 90 days, the last two not settled; the forecast is 4.6 times the usual rate."""
    found = files(page)
    history = found["niigata-m45-2024-01-02-history.csv"]
    assert list(history[0]) == ["day", "probability", "usual", "happened", "max_magnitude", "status", "mode", "afterwards"]
    assert (len(history), history[0]["day"], history[-1]["day"]) == (90, "2023-10-05", "2024-01-02")
    assert [row["happened"] for row in history[-2:]] == ["", ""] and {row["happened"] for row in history[:-2]} == {"0", "1"}
    assert {row["mode"] for row in history} == {"hindcast", "replay"}
    rows = found["forecasts-2024-01-02.csv"]
    assert [row["recipe"] for row in rows][:1] == ["niigata-m45"] and float(rows[0]["ratio"]) == pytest.approx(4.6)
    assert (rows[0]["latitude"], rows[0]["target_start"]) == ("37.9009", "2024-01-02T15:00:00Z")
    assert len(found["earthquakes-2024-01-02.csv"]) == 70
    assert found["tests-2024-01-02.csv"][0]["place"] == "Niigata"


def test_the_policy_names_the_very_scripts_of_the_page(page: str) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    allowed = [f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts]
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])  # type: ignore[index]
    assert len(scripts) == 2 and f"script-src {' '.join(allowed)};" in policy
    assert "unsafe-eval" not in policy and "default-src 'none'" in policy
    assert re.findall(r"\son\w+=|javascript:", bare(page)) == []


def test_the_library_is_in_the_page_once_and_only_where_there_is_a_chart(page: str) -> None:
    assert page.count("quakecastEmbed = ") + page.count("quakecastEmbed=") == 1
    assert len(page) - len(bare(page)) < 1_000_000
    blank = page_of(replace(some_places(models=(), records=(), recent_outcomes=()), pooled_records=()))
    assert "<script" not in blank and "script-src" not in blank and len(blank) < 600_000


def test_a_page_of_29_recipes_weighs_what_it_may() -> None:
    assert len(render.render_report(sample_report(), "ja").encode()) < 2_760_000


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_chart_compiles_to_vega_and_quotes_in_texts_break_none(language: str) -> None:
    say = translator(language)
    for spoken in (say, lambda key, **values: f"</script>\"'\\{say(key, **values)}"):
        text = vega.specifications(spoken)
        assert "</script" not in text
        for chart in json.loads(text).values():
            assert "$schema" in vl_convert.vegalite_to_vega(chart)


def test_small_probabilities_are_said_in_the_charts_as_in_the_tables() -> None:
    """At 1 % or below as "about 1 in N" (SCIENCE.md, "Words"): the expression has the language's own words."""
    assert "约" not in vega._chance("p", translator("en")) and "about 1 in #" in vega._chance("p", translator("en"))
    assert "datum.p > 0.01" in vega._chance("p", translator("ja")) and "約#分の1" in vega._chance("p", translator("ja"))


def test_the_region_that_the_headline_is_about_is_open_and_the_others_are_not(page: str) -> None:
    assert page.count('<details class="region" open>') == 1 and page.index('class="region" open') < page.index('id="about-niigata-m45"')
    quiet = page_of(some_places(probability=0.1, reference_probability=0.1))
    assert '<details class="region" open>' not in quiet


def test_what_drives_a_figure_is_what_would_be_said_without_it(page: str) -> None:
    """Niigata: said 66 %, 33 % without the first; a usual rate looks at no single earthquake."""
    text = shown(page)
    assert "Without the earthquakes of the last 30 days the figure would be 13 % instead of 66 %." in text
    assert "M 7.5 10 km NE of a place without it 33 %" in text
    near = tuple(replace(driver, without=None) for driver in sample_report().recipes[0].drivers)
    rate = shown(page_of(some_places(model_kind="climatology", weights={}, drivers=near, without_recent=None)))
    assert "The usual rate looks at no single earthquake. The largest of M 4.5 or more" in rate and "without it" not in rate


def test_hindcasts_stand_apart_from_what_was_issued(page: str) -> None:
    text = shown(page)
    assert "Hindcast 730 days checked (700 final), Sat 1 Jan 2022 to Sun 31 Dec 2023: an earthquake on 31, 33.4 expected." in text
    assert "Computed after the days, by models that had not seen them. No forecasts." in text
    assert "computed after the day" in text and text.index("Replay 7 days checked") < text.index("Hindcast 730 days checked")


def test_revisions_that_changed_an_earlier_outcome_are_named(page: str) -> None:
    assert "41, of which 1 changed an earlier outcome" in shown(page)
    assert "taipei, Sat 30 Dec 2023: now yes, M 4.6" in shown(page)
    assert "Taipei, Sat 30 Dec 2023: now yes, M 4.6" in shown(page_of(sample_report()))


@pytest.mark.parametrize(
    "name", ['<b>"x"</b>\n&amp;', "تهران", "\u202eevil\u202c", "a" * 300, "{name}", "=HYPERLINK(1)", "\ud800x", "‮"], ids=ascii
)
def test_any_name_of_a_place_is_shown_as_text(name: str) -> None:
    data = some_places(display_name={"en": name, "ja": name})
    data = replace(data, recipes=data.recipes[:1], events=tuple(replace(event, place=name) for event in data.events[:3]))
    made = page_of(data)
    made.encode("utf-8")
    assert "<b>&" not in bare(made) and '<b>"x"' not in made and "\u202e" not in bare(made)
    rows = files(made)["forecasts-2024-01-02.csv"]
    assert not any(row["place"].startswith(("=", "+", "@")) for row in rows)
    if name == "تهران":
        assert "\u2068تهران\u2069" in made


@pytest.mark.slow
def test_no_recipe_and_two_hundred() -> None:
    nothing = page_of(replace(some_places(), recipes=(), events=(), checks=(), pooled_records=()))
    assert "No place was forecast" in shown(nothing) and 'id="regions"' not in nothing
    many = page_of(many_recipes(200))
    assert many.count('<details class="region"') == 200 and len(many) < 12_000_000


def test_a_recipe_without_history_says_so() -> None:
    made = page_of(some_places(recent_outcomes=(), records=(), track_record=None))
    text = shown(made)
    assert text.count("No earlier forecast of this place has ended yet.") == 5 and text.count("no day checked yet") >= 5
    assert 'data-chart="history"' not in made


def test_when_every_model_is_degraded_the_headline_says_it_and_the_reasons_are_counted() -> None:
    quiet = some_places(model_kind="climatology", probability=0.1, reference_probability=0.1)
    rows = tuple(
        replace(row, degraded_reason=f"the model {i // 4} could not be loaded; the usual rate is published instead")
        for i, row in enumerate(quiet.recipes)
    )
    data = replace(quiet, recipes=rows, events=(), degraded=tuple(row.degraded_reason or "" for row in rows))
    text = shown(page_of(data))
    assert "No model could be used: every figure here is the usual rate" in text
    assert "5 of 5 forecasts are made with less than usual. Most often: the model 0 could not be loaded" in text
    one_works = replace(data, recipes=(replace(rows[0], degraded_reason=None), *rows[1:]))
    works = shown(page_of(one_works))
    assert "No place is clearly above its usual rate" in works and "4 of 5 forecasts are made with less than usual" in works
    assert "The other reasons (1) stand at the foot of the page." in text and "4 × the model 0" in text and "1 × the model 1" in text


def test_no_earthquake_in_ninety_days_is_said_of_the_page_and_of_each_region() -> None:
    text = shown(page_of(replace(some_places(drivers=(), without_recent=None, model_kind="climatology"), events=())))
    assert "No earthquake of M 4.5 or more in the last 7 days is known." in text
    assert text.count("The usual rate looks at no single earthquake, and none of M") == 5


def test_unknown_values_anywhere_make_pictures_without_them() -> None:
    day = date(2024, 1, 1)
    gaps = (
        DayOutcome(day, None, None, "pending"),
        DayOutcome(day + timedelta(days=1), float("nan"), True, "final", None, float("nan")),
        DayOutcome(day + timedelta(days=2), 0.2, False, "provisional", 0.1),
    )
    made = page_of(some_places(recent_outcomes=gaps, drivers=(), probability=None, model_kind=None))
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", shown(made)) and not re.search(r'="[^"]*\bnan\b', bare(made))
    assert "No forecast could be made" in shown(made)


def test_a_field_that_a_spreadsheet_would_run_is_disarmed_and_numbers_are_not_touched() -> None:
    text = unquote(csv_link(("a", "b", "c", "d"), [("=1+1", -0.5, None, True), ('x,"y"\n', 3, 1 / 3, "@x")]).split(",", 1)[1])
    assert text == 'a,b,c,d\n\'=1+1,-0.5,,1\n"x,""y""\n",3,0.333333,\'@x\n'


def test_levels_are_told_by_hatching_as_well_as_by_shade(page: str) -> None:
    """Below usual dots, usual plain, above ever denser lines: the map is read in black and white."""
    assert all(f'id="hatch-{name}-{level}"' in page for name in ("world", "japan", "legend") for level in (0, 2, 3, 4))
    ids = re.findall(r'\sid="([^"]+)"', bare(page))
    assert len(ids) == len(set(ids))
