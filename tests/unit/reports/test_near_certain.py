"""A chance above 99 % reads "> 99 %" wherever people read it, and stands exactly in files and documents."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from forecaster.reports import render
from forecaster.reports.content.contract import ReportData
from forecaster.reports.map_files import check_document, predictions_document, webhook_document
from forecaster.reports.outgoing import chat, mails, slack_blocks
from tests.support.sample_report import sample_report

SAID = 0.99962


@pytest.fixture
def data() -> ReportData:
    """The sample with Niigata nearly certain."""
    sample = sample_report("prospective")
    rows = (replace(row, probability=SAID, reference_probability=0.2) if row.recipe_id == "niigata-m45" else row for row in sample.recipes)
    return replace(sample, recipes=tuple(rows))


@pytest.mark.parametrize(
    ("language", "headline"),
    [
        ("en", "Niigata, after the M 7.5 of 1 Jan: > 99 %, 5.0 times the usual 20 %"),
        ("ja", "新潟(1月1日のM7.5の後)：> 99 %、平常(20 %)の5.0倍"),
    ],
)
def test_people_read_more_than_99_percent(data: ReportData, language: str, headline: str) -> None:
    subject, text, mail = mails.render_email(data, language)
    title, chatted = chat.render_chat(data, language)
    blocks = slack_blocks.render_slack(data, language)["blocks"]
    page = html.unescape(render.render_report(data, language)).replace("\u00a0", " ")
    assert headline in subject and headline in title and headline in page and headline in html.unescape(mail).replace("\u00a0", " ")
    assert headline.replace("：", "： ") in text.replace("：", "： ") and "> 99 %" in chatted
    assert blocks[0]["text"]["text"] == headline
    assert any("&gt; 99 %" in field["text"] for block in blocks for field in block.get("fields", []))
    for told in (subject, text, chatted, json.dumps(blocks, ensure_ascii=False)):
        assert "100 %" not in told and "99.9" not in told


def test_files_and_documents_keep_the_figure(data: ReportData) -> None:
    document = webhook_document(data)
    check_document("webhook.json", document)
    (said,) = (row for row in document["forecasts"] if row["recipe_id"] == "niigata-m45")
    assert said["probability"] == SAID and said["weights"] == {"etas": 0.44, "hybrid": 0.56, "recent_rate": 0.12}
    assert (said["weights_source"], said["count_low"], said["count_high"]) == ("combination-2014-12-31", 0, 2)
    predictions = predictions_document((recipe, 1, None) for recipe in data.recipes)["predictions"]
    assert SAID in [row["probability"] for row in predictions]
    link = re.search(r'href="data:text/csv;charset=utf-8,([^"]*)" download="forecasts-', render.render_report(data, "en"))
    assert link is not None
    first = next(csv.DictReader(io.StringIO(unquote(html.unescape(link[1])))))
    assert (float(first["probability"]), first["weights"]) == (SAID, "etas=0.44 hybrid=0.56 recent_rate=0.12")
