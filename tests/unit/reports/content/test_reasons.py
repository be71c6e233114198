"""The pipeline's reasons in the reader's language: every one that it can give, and none in English on a Japanese page."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flows.support.steps import UNREAD
from forecaster.pipeline.daily import predict, publishing
from forecaster.pipeline.daily.pull import PullResult
from forecaster.reports import render
from forecaster.reports.content.reasons import reasons
from forecaster.reports.outgoing import mails
from forecaster.reports.texts import day_writer, speaker
from forecaster.reports.words import Phrase
from tests.support.sample_report import sample_report

NOW = datetime(2026, 11, 28, 13, tzinfo=UTC)
OLD = NOW - timedelta(hours=16_717)
RATE = publishing.unless_too_old(publishing.Standing("combination", {"etas": 1.0}, "", "x"), 16_717, OLD).problem
NEVER = publishing.unless_too_old(publishing.Standing("combination", {"etas": 1.0}, "", "x"), 1e6, None).problem
LACKING = publishing.problems_of(
    publishing.Standing("kind", {"etas": 1.0}, "", "x"), {"etas": "no; such fit"}, {"etas": "its file is spoilt"}
)


def told(text: str, language: str) -> str:
    return speaker(language)(Phrase("reason.several", {"reasons": reasons(text, language, day_writer(language))}))


@pytest.mark.parametrize(
    ("text", "english", "japanese"),
    [
        (UNREAD, "the earthquake service (USGS) could not be read", "USGSの地震データを読み取れず"),
        (str(predict.data_age(NOW, OLD)[1]), "the earthquake data are 23 months old", "地震データが23か月前のものです"),
        ("the catalogue is 16717 hours old", "the earthquake data are 23 months old", "地震データが23か月前のものです"),
        (str(RATE), "the earthquake data end on 1 Jan 2025, 00:00 UTC", "地震データは2025年1月1日 09:00(日本時間)まで"),
        (str(NEVER), "have never been read", "まだ読み込まれておらず"),
        (
            str(PullResult(doubts=["3 events changed since 2024-01-01 00:00 did not come back (a, b)"]).problem()),
            "looks incomplete",
            "完全でない",
        ),
        (str(PullResult(quarantined={"magnitude 11": 2}).problem()), "left out", "除外しました"),
        (predict.NOT_OFFICIAL, "not the official forecast", "正式な予測ではありません"),
        (LACKING[0], "without the aftershock model ETAS", "余震モデルETASを使っていません"),
        (LACKING[1], "aftershock model ETAS: the general model", "余震モデルETAS：この場所に合わせたものの代わりに"),
        ("this machine's clock is 6.0 hours behind that of USGS: set it right (NTP)", "clock of the machine", "時計がずれて"),
        ("in-sample: a has seen this day, it forecasts from 2020-01-01 on; never scored", "learnt from this very day", "この日を学習に"),
        ("not scoreable: catalogue starts at M 3.5", "the earthquake data begin at M 3.5", "地震データはM3.5からです"),
        ("not scoreable: no catalogue has been read for this place; run `quakecast pull`", "no earthquake data", "地震データがまだ"),
        ("no forecast has been issued yet; run `quakecast predict`", "no forecast has been made yet", "まだ予測を作成していません"),
        ("something new", "something new", "実行の記録に示された不具合"),
    ],
)
def test_a_reason_is_said_in_both_languages(text: str, english: str, japanese: str) -> None:
    assert english in told(text, "en") and japanese in told(text, "ja")


def test_every_doubt_about_an_answer_is_one_reason() -> None:
    problem = PullResult(doubts=["3 events changed since 2024-01-01 00:00 did not come back (a)", "0 events of M >= 4.5 since x"]).problem()
    assert reasons(str(problem), "ja", day_writer("ja")) == (Phrase("reason.doubted"),)


def test_what_is_said_twice_is_told_once() -> None:
    assert reasons(UNREAD, "ja", day_writer("ja")) == (Phrase("reason.unread"),)


def test_a_japanese_page_and_mail_have_no_english_sentence() -> None:
    """Four English words in a row are a sentence; names, units and addresses are not."""
    sample = sample_report("prospective")
    bad = "; ".join([UNREAD, "the catalogue is 16717 hours old", str(RATE), predict.NOT_OFFICIAL, "a wholly new kind of fault"])
    rows = tuple(replace(row, degraded_reason=bad, not_scoreable_reason=row.not_scoreable_reason) for row in sample.recipes)
    data = replace(sample, recipes=rows, degraded=(bad,), quarantined={"latitude outside -90..90 by far": 2})
    page = render.render_report(data, "ja")
    page = re.sub(r"<(style|script)\b.*?</\1>|data:text/csv[^\"]*", "", page, flags=re.S)
    for made in (re.sub(r"<[^>]+>", "\n", page), *mails.render_email(data, "ja")[:2]):
        sentences = re.findall(r"(?:[A-Za-z][a-z']+ ){3,}[a-z']+", made)
        assert [one for one in sentences if "of a place" not in one] == []
