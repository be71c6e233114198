"""Reasons in the reader's language: every key in every language, none in English on a Japanese page, and the texts of older rows."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import Any

import pytest

from forecaster.errors import ModelError, NotScoreable
from forecaster.pipeline.daily.pull import PullResult
from forecaster.pipeline.issuing import compute_issues
from forecaster.publishing_rule.blend import NO_MEMBER, Blend, problems_of, usual_rate_if_stale
from forecaster.registry.reasons import PLACEHOLDERS, Reason, ReasonKey, as_json, english, of_error, of_json, other
from forecaster.reports import render
from forecaster.reports.content import older_reasons
from forecaster.reports.content.reason_phrases import reason_phrases
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.outgoing import mails
from forecaster.reports.texts import day_writer, languages, read_texts, translator
from tests.support.sample_report import sample_report
from tests.support.sample_world import sample_world

SENTENCE = re.compile(r"(?:[A-Za-z][a-z']+ ){3,}[a-z']+")  # four English words in a row; names, units and addresses are not
NOW = datetime(2026, 11, 28, 13, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "age": 16_717.0,
    "off": -360.0,
    "moment": "2025-01-01T00:00:00+00:00",
    "model": "etas",
    "model_id": "athens-etas-1",
    "magnitude": 3.5,
    "radius": 150.0,
    "cells": 1200,
    "events": ["us_a", "..."],
    "quarantined": {"magnitude 11": 2},
    "expected": 11.6,
    "text": "a wholly new kind of fault",
    "step": "record of world maps",
    "about": "athens",
    **dict.fromkeys(("expected_days", "observed_days", "ratio", "low", "high"), "1.2"),
    **dict.fromkeys(("day", "first_day", "until"), "2024-01-02"),
    **dict.fromkeys(("count", "days", "least", "epochs", "version", "newest"), 7),
    **dict.fromkeys(("value", "stream"), "x"),
}
NAMES = {placeholder: name for name, placeholder in PLACEHOLDERS.items()}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def sample(key: ReasonKey) -> Reason:
    """A reason of this key, with all values that its English text names."""
    named = placeholders(key.english)
    because = (Reason(ReasonKey.NO_DATA),) if "because" in named else ()
    return Reason(key, {NAMES.get(name, name): VALUES[name] for name in named - {"because"}}, because)


EVERY = tuple(map(sample, ReasonKey))


def told(reasons: tuple[Reason, ...], text: str | None, language: str) -> str:
    return translator(language)(Phrase("reason.several", {"reasons": reason_phrases(reasons, text, day_writer(language))}))


def test_every_key_has_a_text_in_every_language_that_names_values_it_has() -> None:
    for language in languages():
        texts = {key.removeprefix("reason."): text for key, text in read_texts(language).items() if key.startswith("reason.")}
        assert texts.keys() - {"several"} == {key.value for key in ReasonKey}
        for key in ReasonKey:
            text = texts[key.value]
            forms = [text] if isinstance(text, str) else [form for name, form in text.items() if name != "by"]
            assert set().union(*map(placeholders, forms)) <= placeholders(key.english), (language, key)


@pytest.mark.parametrize("reason", EVERY, ids=[reason.key.value for reason in EVERY])
def test_every_reason_is_stored_and_told(reason: Reason) -> None:
    assert of_json(as_json([reason])) == (reason,)
    assert "{" not in str(reason).replace("{'magnitude 11': 2}", "") and english([reason, reason]) == f"{reason}; {reason}"
    for language in languages():
        text = told((reason,), None, language)
        assert text and "{" not in text
        assert language == "en" or SENTENCE.search(text) is None


@pytest.mark.parametrize(
    ("reason", "operator", "reader", "japanese"),
    [
        (
            compute_issues.data_age(NOW, NOW - timedelta(hours=25))[1],
            "the catalogue is 25 hours old",
            "data are 25 hours old",
            "25時間前のもの",
        ),
        (
            usual_rate_if_stale(Blend("kind", {}, "", "x"), 16_717, NOW - timedelta(hours=16_717)).problem,
            "has not been read since 2025-01-01 00:00Z, models need it to be 7 days old at most: run `quakecast pull`",
            "the earthquake data end on 1 Jan 2025, 00:00 UTC",
            "地震データは2025年1月1日 09:00(日本時間)まで",
        ),
        (
            Reason(ReasonKey.CLOCK, {"off_minutes": -360.0}),
            "this machine's clock is 6.0 hours behind that of USGS",
            "clock of the machine",
            "時計がずれて",
        ),
        (
            problems_of(Blend("kind", {"etas": 1.0}, "", "x"), {"etas": NO_MEMBER}, {})[0],
            "without etas: there is no such model for this day",
            "without the aftershock model ETAS",
            "余震モデルETASを使っていません",
        ),
        (PullResult(quarantined={"magnitude 11": 2}).problems()[0], "{'magnitude 11': 2}", "left out", "除外しました"),
        (Reason(ReasonKey.STARTS, {"magnitude": 4.0}), "catalogue starts at M 4.0", "begin at M 4.0", "地震データはM4.0から"),
        (other("something new"), "something new", "something new", "実行の記録に示された不具合"),
    ],
)
def test_a_reason_has_a_text_for_operators_and_one_for_readers(reason: Reason, operator: str, reader: str, japanese: str) -> None:
    assert operator in str(reason) and reader in told((reason,), None, "en") and japanese in told((reason,), None, "ja")


def test_an_error_gives_the_reason_that_it_was_raised_with() -> None:
    reason = Reason(ReasonKey.STARTS, {"magnitude": 3.5})
    assert of_error(NotScoreable(reason)) is reason and str(NotScoreable(reason)) == str(reason)
    assert of_error(ModelError("its file is spoilt")) == other("its file is spoilt")


@pytest.mark.parametrize(
    "stored", ['[{"key": "of a newer version"}]', '[{"key": "old", "values": {"hours": 3}}]', '["no object"]', '[{"values": {}}]']
)
def test_a_reason_that_cannot_be_read_leaves_the_english_text(stored: str) -> None:
    assert of_json(stored) == () and of_json(None) == ()
    assert told(of_json(stored), "the catalogue is 25 hours old", "ja") == "地震データが25時間前のものです"


@pytest.mark.parametrize(
    ("text", "reader", "japanese"),
    [
        ("USGS could not be read; the forecast is made from what was stored before", "could not be read", "USGSの地震データを読み取れず"),
        ("the catalogue is 23 months old", "the earthquake data are 23 months old", "地震データが23か月前のものです"),
        ("the catalogue is 16717 hours old", "the earthquake data are 23 months old", "地震データが23か月前のものです"),
        (
            "the catalogue has not been read since 2025-01-01 00:00Z, models need it to be 7 days old at most: run `quakecast pull`; "
            "the usual rate is published",
            "the earthquake data end on 1 Jan 2025, 00:00 UTC",
            "地震データは2025年1月1日 09:00(日本時間)まで",
        ),
        ("the catalogue has never been read, models need it", "have never been read", "まだ読み込まれておらず"),
        (
            "the service's answer looks incomplete: 3 events changed since 2024-01-01 00:00 did not come back (a, b); 0 events of M >= 4.5",
            "looks incomplete",
            "完全でない",
        ),
        ("rows of the catalogue failed validation: {'magnitude 11': 2}", "left out", "除外しました"),
        ("so this is no official forecast", "not the official forecast", "正式な予測ではありません"),
        ("without etas: no; such fit", "without the aftershock model ETAS", "余震モデルETASを使っていません"),
        (
            "etas without its fit: its file is spoilt",
            "aftershock model ETAS: the general model",
            "余震モデルETAS：この場所に合わせたものの代わりに",
        ),
        ("this machine's clock is 6.0 hours behind that of USGS: set it right (NTP)", "clock of the machine", "時計がずれて"),
        ("in-sample: a has seen this day, it forecasts from 2020-01-01 on; never scored", "learnt from this very day", "この日を学習に"),
        ("not scoreable: catalogue starts at M 3.5", "the earthquake data begin at M 3.5", "地震データはM3.5からです"),
        ("not scoreable: no catalogue has been read for this place; run `quakecast pull`", "no earthquake data", "地震データがまだ"),
        ("no forecast has been issued yet; run `quakecast predict`", "no forecast has been made yet", "まだ予測を作成していません"),
        ("no reference rate at 2020-01-01 00:00Z: 3 outcomes", "are too short", "期間が足りません"),
        ("something new", "something new", "実行の記録に示された不具合"),
    ],
)
def test_the_text_of_an_older_row_is_told_in_both_languages(text: str, reader: str, japanese: str) -> None:
    assert reader in told((), text, "en") and japanese in told((), text, "ja")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "M 4.5: 1,234 cells, the catalogue has not been read there down to it",
            Reason(ReasonKey.CELLS_UNREAD, {"magnitude": 4.5, "cells": 1234}),
        ),
        ("M 5: 3 cells, no catalogue", other("M 5: 3 cells, no catalogue")),
    ],
)
def test_cells_left_out_by_an_older_map_are_told(text: str, reason: Reason) -> None:
    assert older_reasons.of_world(text) == reason


def test_what_is_said_twice_is_told_once() -> None:
    doubts = [Reason(ReasonKey.TOO_FEW_EVENTS), Reason(ReasonKey.LOST_CHANGES)]
    problem = PullResult(doubts=doubts).problems()
    assert len(reason_phrases(problem + problem, None, day_writer("ja"))) == 1


def shown(page: str) -> str:
    """The text of a page, without its scripts, styles and data."""
    return re.sub(r"<[^>]+>", "\n", re.sub(r"<(style|script)\b.*?</\1>|data:text/csv[^\"]*", "", page, flags=re.S))


def test_a_japanese_page_and_mail_have_no_english_sentence() -> None:
    data = sample_report("prospective")
    rows = [replace(row, degraded_reason=english(EVERY), degraded_reasons=EVERY) for row in data.recipes]
    rows += [
        replace(data.recipes[0], recipe_id=f"none-{reason.key}", probability=None, not_scoreable_reason=str(reason), not_scoreable=reason)
        for reason in EVERY
    ]
    rows += [
        replace(data.recipes[0], recipe_id=f"flat-{reason.key}", ladder=None, no_ladder=str(reason), no_ladder_reason=reason)
        for reason in EVERY
    ]
    data = replace(data, recipes=tuple(rows), degraded=(str(english(EVERY)),), quarantined={"latitude outside -90..90 by far": 2})
    world = sample_world()
    unnamed = {view: [replace(place, name=None) for place in places] for view, places in world.top.items()}
    world_page = render.render_world(replace(world, top=unnamed, left_out=EVERY, problems=EVERY), "ja", {})
    for made in (*map(shown, (render.render_report(data, "ja"), world_page)), *mails.render_email(data, "ja")[:2]):
        assert [one for one in SENTENCE.findall(made) if "of a place" not in one] == []
    assert json.loads(as_json(EVERY) or "")[0]["key"] == "unread"
