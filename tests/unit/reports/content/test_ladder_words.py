"""The ladder as readers see it: the table, the sentence of messages, where it stands and where it does not."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import pytest

from forecaster.reports.content.context import report_context
from forecaster.reports.content.contract import Ladder, RecipeForecast, ReportData
from forecaster.reports.content.ladder_words import ladder_csv, outlook, pooled_tables
from forecaster.reports.outgoing.chat import render_chat
from forecaster.reports.outgoing.mails import render_email
from forecaster.reports.outgoing.slack_blocks import render_slack
from forecaster.reports.render import render_report
from forecaster.reports.texts import day_writer, translator
from tests.support.html_text import bare, shown
from tests.support.sample_ladder import sample_ladder
from tests.support.sample_report import sample_report, some_places

DAY = timedelta(days=1)
SAY = translator("en")
NIIGATA = "In the next 7 days: 98 %, with 5.9 expected (95 % range 1 to 14); M 6.0 or more: 12 %."


@pytest.fixture(scope="module")
def data() -> ReportData:
    """Niigata far above its usual rate, Athens as usual."""
    return some_places("niigata-m45", "athens")


def changed(data: ReportData, **fields: object) -> ReportData:
    return replace(data, recipes=tuple(replace(row, **fields) for row in data.recipes))  # type: ignore[arg-type]


def row_of(forecast: RecipeForecast, language: str = "en") -> dict:
    return report_context(replace(sample_report(), recipes=(forecast,)), language, day_writer(language))["rows"][0]


def with_rungs(forecast: RecipeForecast, **fields: object) -> RecipeForecast:
    ladder = forecast.ladder
    assert ladder is not None
    return replace(forecast, ladder=replace(ladder, rungs=tuple(replace(rung, **fields) for rung in ladder.rungs)))  # type: ignore[arg-type]


def test_the_table_has_a_column_a_window_and_its_corner_is_the_day_s_figure(data: ReportData) -> None:
    niigata = next(row for row in data.recipes if row.recipe_id == "niigata-m45")
    row = row_of(niigata)
    table = row["ladder"]
    assert [SAY(window) for window in table["windows"]] == ["1 day", "3 days", "7 days", "30 days"]
    assert [line["magnitude"] for line in table["rows"]] == ["4.5", "5.0", "5.5", "6.0", "6.5"]
    corner = table["rows"][0]["cells"][0]
    assert (corner["probability"], table["usual"][0]) == (row["probability"], row["usual"])
    assert corner["count"] == {"count": row["expected"]["count"], "low": row["expected"]["low"], "high": row["expected"]["high"]}
    assert all(cell["count"] is None for line in table["rows"][1:] for cell in line["cells"])


def test_rare_rungs_are_never_nothing_and_unknown_ones_are_said_as_such(data: ReportData) -> None:
    """1e-7 is the least that a forecast says; 1e-6 the rarest that is told by a number."""
    told = [
        SAY(cell["probability"])
        for line in row_of(with_rungs(data.recipes[0], probability=1e-7))["ladder"]["rows"]
        for cell in line["cells"]
    ]
    assert set(told) == {"less than 1 in 1,000,000"}
    unknown = row_of(with_rungs(data.recipes[0], probability=float("nan"), expected_count=float("inf")))
    assert {SAY(cell["probability"]) for line in unknown["ladder"]["rows"] for cell in line["cells"]} == {"not known"}
    assert unknown["outlook"] is None and not re.search(
        r"\bnan\b|\binf\b", shown(render_report(changed(data, ladder=unknown_ladder(data)), "en"))
    )


def unknown_ladder(data: ReportData) -> Ladder | None:
    return with_rungs(data.recipes[0], probability=float("nan"), reference_probability=float("nan"), expected_count=float("inf")).ladder


def test_a_missing_rung_is_a_dash_and_is_not_guessed(data: ReportData) -> None:
    ladder = data.recipes[0].ladder
    assert ladder is not None
    holes = replace(ladder, rungs=tuple(rung for rung in ladder.rungs if (rung.horizon_days, rung.magnitude) != (7, ladder.magnitudes[2])))
    row = row_of(replace(data.recipes[0], ladder=holes))
    assert [cell["probability"] is None for cell in row["ladder"]["rows"][2]["cells"]] == [False, False, True, False]
    assert bare(render_report(changed(data, ladder=holes), "en")).count("<td>–</td>") >= 2


@pytest.mark.parametrize(("range_days", "told"), [(1, 7), (3, 7), (7, 30), (14, 30), (30, 30)])
def test_the_sentence_is_of_a_week_or_of_the_next_longer_window(data: ReportData, range_days: int, told: int) -> None:
    row = data.recipes[0]
    ladder = sample_ladder(0.2, 0.1, 4.5, row.target_start, (0.3, 0, 2), range_days)
    said = outlook(ladder, row.target_start + range_days * DAY)
    assert said is not None and said.values["days"] == told
    assert len(ladder.horizons) == (5 if range_days == 14 else 4)


def test_the_sentence_leaves_magnitudes_beyond_the_record_out(data: ReportData) -> None:
    niigata = next(row for row in data.recipes if row.recipe_id == "niigata-m45")
    assert niigata.ladder is not None and SAY(outlook(niigata.ladder, niigata.target_end)) == NIIGATA
    seen = replace(niigata.ladder, rungs=tuple(replace(rung, beyond_record=rung.magnitude > 5.2) for rung in niigata.ladder.rungs))
    assert SAY(outlook(seen, niigata.target_end)).endswith("M 5.0 or more: 71 %.")
    none = with_rungs(niigata, beyond_record=True)
    assert SAY(outlook(none.ladder, niigata.target_end)) == "In the next 7 days: 98 %, with 5.9 expected (95 % range 1 to 14)."
    assert "† Larger than any earthquake on record here" in shown(render_report(changed(data, ladder=seen), "en"))
    assert outlook(None, niigata.target_end) is None


def test_the_headline_s_place_has_it_under_its_figure_and_places_as_usual_have_it_folded(data: ReportData) -> None:
    page = bare(render_report(data, "en"))
    assert page.count('<table class="dense ladder">') == 3 and page.index("dense ladder") < page.index('<nav class="contents"')
    assert page.index('class="lede"') < page.index("dense ladder")
    niigata, athens = page[page.index('id="about-niigata-m45"') :], page[page.index('id="about-athens"') :]
    assert "<h3>Longer windows and larger earthquakes</h3>" in niigata[: niigata.index("dense ladder")]
    assert '<details class="data"><summary>Longer windows' in athens[: athens.index("dense ladder")]
    quiet = bare(render_report(some_places("athens"), "en"))
    assert quiet.count('<table class="dense ladder">') == 1 and quiet.index("dense ladder") > quiet.index('<nav class="contents"')


def test_a_headline_that_says_that_the_figure_leaves_out_a_shock_has_no_table_below_it(data: ReportData) -> None:
    page = bare(render_report(changed(data, model_kind="climatology", weights={}), "en"))
    assert "Aftershocks are likely near Niigata" in page and page.index("dense ladder") > page.index('<nav class="contents"')


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_report_without_ladders_says_nothing_of_them_or_why(data: ReportData, language: str) -> None:
    say = translator(language)
    data = replace(data, pooled_rungs=())
    old = changed(data, ladder=None)
    heading = say("ladder.heading")
    assert heading not in shown(render_report(old, language)).partition(say("glossary.heading"))[0]
    assert heading not in "".join(render_email(old, language)) + json.dumps(render_slack(old, language), ensure_ascii=False)
    why = "no reference rate: the catalogue covers 200 target days, at least 365 are needed; load an older part of the catalogue"
    text = shown(render_report(changed(data, ladder=None, no_ladder=why), language))
    assert text.count(say("ladder.none", reason=say("reason.short"))) == 2 and "load an older" not in text


def test_the_record_has_a_row_for_each_window_and_magnitude_and_says_where_the_cases_are_few(data: ReportData) -> None:
    """The sample has 12 forecasts of a day, 10 of a week; none of its rungs has an interval."""
    windows = row_of(data.recipes[0])["ladder"]["record"]
    assert [SAY(window["days"]) for window in windows] == ["1 day", "3 days", "7 days", "30 days"]
    assert [(line["magnitude"], line["settled"], line["hits"]) for line in windows[2]["rows"]][:2] == [("≥ 4.5", 10, 4), ("≥ 5.0", 10, 0)]
    last = [(line["hits"], float(line["expected"]) < 0.5) for line in windows[1]["rows"]]
    assert last[-1] == (0, True) and (0, True) not in last[:-1], "larger magnitudes than the first of which none came or was expected"
    assert all(line["few"] for window in windows for line in window["rows"]) and windows[2]["rows"][1]["gain"] is None
    assert windows[0]["rows"][0]["in_range"] == "92 %"
    text = shown(render_report(data, "en"))
    assert text.count("Outcomes of earlier windows") == 2
    fresh = replace(data, recipes=tuple(with_rungs(row, record=None) for row in data.recipes))
    assert "Outcomes of earlier windows" not in shown(render_report(fresh, "en"))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_record_of_all_places_is_told_by_step_with_its_interval(data: ReportData, language: str) -> None:
    (table,) = pooled_tables(data.pooled_rungs)
    assert [(line["magnitude"], line["few"]) for line in table["windows"][0]["rows"]] == [
        ("M", False),
        ("M + 0.5", False),
        ("M + 1", False),
    ]
    assert [line["few"] for line in table["windows"][2]["rows"]] == [True] * 3
    page, say = bare(render_report(data, language)), translator(language)
    at = page.index(say("ladder.pooled_record"))
    assert page.index('id="evaluation"') < at and say("evaluation.interval", low="+0.02", high="+0.21") in page[at:]
    assert say("ladder.pooled_record") not in render_report(replace(data, pooled_rungs=()), language)
    rows = list(csv.DictReader(io.StringIO(unquote(table["csv"].split(",", 1)[1]))))
    assert [(row["days"], row["above_threshold"]) for row in rows[:2]] == [("1", "0"), ("1", "0.5")] and rows[0]["gain_low"] == "0.02"


def test_the_file_holds_every_rung(data: ReportData) -> None:
    ladder = data.recipes[0].ladder
    assert ladder is not None
    rows = list(csv.DictReader(io.StringIO(unquote((ladder_csv(ladder) or "").split(",", 1)[1]))))
    assert [(int(row["days"]), float(row["magnitude"])) for row in rows] == [(rung.horizon_days, rung.magnitude) for rung in ladder.rungs]
    assert [float(row["probability"]) for row in rows] == pytest.approx([rung.probability for rung in ladder.rungs], rel=1e-3)
    assert ladder_csv(None) is None


def test_each_message_tells_the_leading_places_in_one_sentence(data: ReportData) -> None:
    _, text, page = render_email(data, "en")
    assert NIIGATA in " ".join(text.split()) and text.count("In the next 7 days") == 1
    assert "5.9 (1" in page.replace("\u2060", "") and page.count("In the next") == 1
    fields = [field["text"] for block in render_slack(data, "en")["blocks"] for field in block.get("fields", [])]
    assert [NIIGATA in field for field in fields] == [False, True]
    assert render_chat(data, "en")[1].count(NIIGATA) == 1
    assert "今後7日間：98 %、期待回数5.9(95 %範囲1から14)。M6.0以上は12 %。" in render_chat(data, "ja")[1]


def test_where_a_chat_has_little_room_longer_windows_go_before_places() -> None:
    data = sample_report()
    text = render_chat(data, "en")[1]
    assert text.count("In the next 7 days") == 1 and NIIGATA in text and "4. Sendai" in text
