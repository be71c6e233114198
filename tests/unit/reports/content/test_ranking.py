"""Which place comes first: by ratio, and after a large earthquake by what happened, on the page, in mails, Slack and chats."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forecaster.reports import render
from forecaster.reports.content.context import report_context
from forecaster.reports.content.contract import ModelForecast, RecentEvent, RecipeForecast, ReportData
from forecaster.reports.outgoing import chat, mails, slack_blocks
from forecaster.reports.texts import day_writer, translator

START = datetime(2024, 1, 2, 15, tzinfo=UTC)
NOTO = RecentEvent(datetime(2024, 1, 1, 7, 10, tzinfo=UTC), 37.4976, 137.2416, 10.0, 7.5, "42 km NE of Anamizu, Japan")


def place(name: str, probability: float | None, usual: float, lat: float = 0.0, kind: str = "published", **fields) -> RecipeForecast:
    day = (START, START + timedelta(days=1))
    row = RecipeForecast(name, {"en": name.title()}, lat, 0.0, 150.0, 4.5, "Asia/Tokyo", *day, probability, usual, "replay")
    return replace(row, model_kind=kind, issue_time=START, as_of=START, **fields)


def struck(probability: float = 0.0096, kind: str = "climatology", **fields) -> RecipeForecast:
    return replace(place("niigata", probability, 0.0096, kind=kind, **fields), lat=37.9, lng=139.02)


def report(*recipes: RecipeForecast) -> ReportData:
    return ReportData("r", START, recipes=recipes, events=(NOTO,), data_age_hours=1.0)


QUIET = [place(f"quiet{number}", 0.1 + number / 1000, 0.1) for number in range(20)]
ETAS = (ModelForecast("etas", 0.28), ModelForecast("climatology", 0.0096, True))


def told(*recipes: RecipeForecast) -> dict:
    return report_context(report(*recipes), "en", day_writer("en"))


def test_the_place_that_was_struck_comes_first_though_the_usual_rate_is_published() -> None:
    """The aftershock model says 28 %, 29 times usual; Taipei's 2.2 times come after it."""
    context = told(*QUIET, place("taipei", 0.22, 0.1), struck(models=ETAS))
    assert [row["id"] for row in context["leading_rows"]] == ["niigata", "taipei"]
    say = translator("en")
    assert say(context["headline"]).startswith("Aftershocks are likely near Niigata after the M 7.5 of 1 Jan")
    assert "the aftershock model ETAS, which does, says 28 %" in say(context["lede"])
    assert [say(item) for item in context["also"]] == ["Taipei: 22 %, 2.2 times the usual 10 %"]
    assert [say(flag) for flag in context["rows"][0]["flags"]][-1].endswith("the M 7.5 of 1 Jan; the aftershock model ETAS says 28 %")


def test_a_place_far_above_its_usual_rate_comes_before_one_whose_aftershock_model_sees_little() -> None:
    faint = (ModelForecast("etas", 0.0097),)
    context = told(place("taipei", 0.9, 0.1), struck(models=faint), *QUIET)
    assert [row["id"] for row in context["leading_rows"]] == ["taipei", "niigata"]
    assert translator("en")(context["headline"]) == "Taipei: 90 %, 9.0 times the usual 10 %"
    assert [caution.key for caution in context["cautions"]][-1] == "caution.unheard"


def test_where_no_model_heard_of_it_the_struck_place_is_first() -> None:
    assert told(place("taipei", 0.9, 0.1), struck())["rows"][0]["id"] == "niigata"


def test_a_combination_that_knows_of_it_names_the_earthquake() -> None:
    headline = translator("en")(told(*QUIET, struck(0.4, "published"))["headline"])
    assert headline == "Niigata, after the M 7.5 of 1 Jan: 40 %, 42 times the usual 1 %"


def test_places_as_usual_take_one_line_and_those_without_a_figure_do_not_hide_in_it() -> None:
    context = told(*QUIET, place("silent", None, 0.1), place("low", 0.02, 0.1))
    assert [row["id"] for row in context["leading_rows"]] == ["silent"] and len(context["usual_rows"]) == 21
    line = translator("en")(context["usual_line"])
    assert line == "21 more places are near or below their usual rate. The likeliest of them: Quiet19 12 %, Quiet18 12 % and Quiet17 12 %."
    assert translator("en")(told(QUIET[0])["usual_line"]) == "One place is near or below its usual rate: Quiet0 10 %."


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_channel_begins_with_the_place_that_matters_and_ends_in_one_line(language: str) -> None:
    data = report(*QUIET, struck(models=ETAS))
    page = render.render_report(data, language)
    _, text, html = mails.render_email(data, language)
    payload = slack_blocks.render_slack(data, language)
    fields = [field["text"] for block in payload["blocks"] for field in block.get("fields", [])]
    chatted = chat.render_chat(data, language)[1]
    for made in (text, chatted, html, page[page.index('id="forecasts"') :]):
        assert made.index("Niigata") > 0 and (made.index("Niigata") < made.index("Quiet19"))
    assert len(fields) == 2 and fields[0].startswith("1. Niigata")
    assert "Quiet19" in json.dumps(payload) and "Quiet5" not in json.dumps(payload) and "Quiet5" not in chatted
    assert page.count('<details class="as-usual"') == 2
    assert page.index('id="recipe-niigata"') < page.index('<details class="as-usual"') < page.index('id="recipe-quiet5"')


def test_quiet_days_do_not_all_have_the_same_headline() -> None:
    days = [told(place("a", 0.1 + day / 100, 0.1), place("b", 0.02, 0.02)) for day in range(3)]
    assert len({translator("en")(context["headline"]) for context in days}) == 3


def test_of_one_place_alone_no_headline_compares_it_with_others() -> None:
    context = told(place("a", 0.08, 0.1))
    assert context["headline"].key == "headline.usual_one" and "0.8 times usual" in translator("en")(context["headline"])
