"""Reports and short messages for Slack's incoming webhooks, as Block Kit from the templates. They stay within Slack's limits by design.

Text from outside (place names, reasons, an alert's lines) goes only into plain_text objects, where Slack interprets nothing. mrkdwn holds
the project's own words and figures, escaped.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from forecaster.reports import templates
from forecaster.reports.content.contract import ReportData
from forecaster.reports.outgoing.mails import message_context
from forecaster.reports.outgoing.message import Message
from forecaster.reports.plain_text import Unit, cut, for_messages, size
from forecaster.reports.render import environment, translated

Block = dict[str, Any]

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELDS, MAX_FIELD = 10, 2000
ROWS = 10
ROWS_A_BLOCK = MAX_FIELDS // 2
MAX_LINES = 20
MAX_FIGURES = MAX_FIELD // 5 - 3  # every character may be escaped to five, and the bold needs its stars
UNIT: Unit = "utf16"  # never fewer than the characters, whichever of the two Slack counts


def render_slack(
    data: ReportData,
    language: str,
    report_url: str | None = None,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    *,
    repeat: bool = False,
) -> dict[str, Any]:
    """Return the payload of the day's report.

    It has the headline, what it means, cautions, the first ROWS of the rows that stand out, one line for the others, and a link to the
    page.
    """
    context = translated(for_messages(data), language, user_templates)
    listed = context["leading_rows"][:ROWS]
    context |= {
        "groups": [listed[i : i + ROWS_A_BLOCK] for i in range(0, len(listed), ROWS_A_BLOCK)],
        "unlisted": len(context["leading_rows"]) - len(listed),
        "report_url": report_url,
        "repeat": repeat,
    }
    return _payload("slack.json.j2", context, language, user_templates, problems)


def render_slack_message(
    message: Message,
    language: str,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    answered: Message | None = None,
    *,
    repeat: bool = False,
) -> dict[str, Any]:
    """Return the payload of a short message."""
    context = message_context(message, language, answered, user_templates) | {"repeat": repeat}
    context |= {"lines": context["lines"][:MAX_LINES], "unlisted": len(context["lines"][MAX_LINES:])}
    return _payload("slack_message.json.j2", context, language, user_templates, problems)


def check_limits(payload: Any) -> None:
    """Raise ValueError with the first of Slack's limits that `payload` breaks."""
    if not isinstance(payload, Mapping) or not isinstance(payload.get("text"), str):
        raise ValueError("a Slack message is a JSON object with a text")
    blocks = payload.get("blocks", [])
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        raise ValueError(f"Slack takes a list of at most {MAX_BLOCKS} blocks")
    for number, block in enumerate(blocks, 1):
        if not isinstance(block, Mapping) or "type" not in block:
            raise ValueError(f"block {number} has no type")
        most = MAX_HEADER if block["type"] == "header" else MAX_TEXT
        content = block.get("text")
        if content is not None and not 0 < size(content["text"], UNIT) <= most:
            raise ValueError(f"the text of block {number} ({block['type']}) has {len(content['text'])} characters; Slack takes 1 to {most}")
        fields = block.get("fields", [])
        if len(fields) > MAX_FIELDS or any(not 0 < size(field["text"], UNIT) <= MAX_FIELD for field in fields):
            raise ValueError(f"block {number} has more than {MAX_FIELDS} fields, or one without text or longer than {MAX_FIELD}")


def header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, MAX_HEADER)}


def paragraph(text: str) -> Block:
    """Return a section of text from outside; Slack interprets nothing in it."""
    return {"type": "section", "text": _plain(text, MAX_TEXT)}


def note(text: str) -> Block:
    return {"type": "context", "elements": [_plain(text, MAX_TEXT)]}


def linked(url: str, label: str) -> Block:
    address = escaped(url).replace("|", "%7C").replace(" ", "%20")
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"<{address}|{escaped(label)}>"}}


def table(rows: Sequence[Any], left: Callable[[Any], str], right: Callable[[Any], str]) -> Block:
    """Return two columns: text from outside on the left; the project's own words and figures on the right, the first line in bold."""
    fields = []
    for row in rows[:ROWS_A_BLOCK]:
        first, _, rest = escaped(cut(right(row).strip(), MAX_FIGURES, UNIT)).partition("\n")
        fields += [_plain(left(row), MAX_FIELD), {"type": "mrkdwn", "text": f"*{first}*\n{rest}".rstrip()}]
    return {"type": "section", "fields": fields}


def escaped(text: str) -> str:
    """Escape text for mrkdwn: the three characters that Slack interprets (api.slack.com, Formatting text: escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int) -> Block:
    """Return a plain_text object.

    Angle brackets are replaced, since Slack does not promise to ignore them there. The sign in "> 99 %" stays.
    """
    plain = re.sub(r">(?! \d)", "›", text.replace("<", "‹")).strip() or "–"
    return {"type": "plain_text", "text": cut(plain, most, UNIT), "emoji": False}


def _payload(
    name: str, context: Mapping[str, Any], language: str, user_templates: Path | None, problems: list[str] | None
) -> dict[str, Any]:
    tools = {"header": header, "paragraph": paragraph, "note": note, "linked": linked, "table": table, "escaped": escaped}

    def check(text: str) -> None:
        check_limits(json.loads(text))

    text = templates.fill(environment(language, user_templates), name, {**context, **tools}, user_templates, problems, check)
    payload: dict[str, Any] = json.loads(text)
    return payload
