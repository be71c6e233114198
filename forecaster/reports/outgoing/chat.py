"""Reports and short messages as a title and a short text, for every service that apprise supports (Teams, Discord, Telegram, ntfy ...)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecaster.reports import templates
from forecaster.reports.content.contract import ReportData
from forecaster.reports.outgoing.mails import message_context
from forecaster.reports.outgoing.message import Message
from forecaster.reports.plain_text import Unit, cut, for_messages, single_spaced, size
from forecaster.reports.render import environment, translated

ROWS = 5
MAX_TITLE = 140
MAX_TEXT = 1900


@dataclass(frozen=True)
class Room:
    """The text lengths that a service accepts, in `unit`: of the title, of the text, and of both together.

    `together` is given where the service counts them as one, with `separator` between. MAX_TITLE and MAX_TEXT characters are never
    exceeded.
    """

    title: int = MAX_TITLE
    text: int = MAX_TEXT
    together: int | None = None
    unit: Unit = "utf16"
    separator: int = 0

    def of_title(self) -> int:
        return self.title if self.together is None else min(self.title, self.together // 2)

    def of_text(self, title: str) -> int:
        left = self.text if self.together is None else self.together - size(title, self.unit) - self.separator
        return max(min(self.text, left), 0)


ROOMY = Room()


def render_chat(
    data: ReportData,
    language: str,
    report_url: str | None = None,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    *,
    repeat: bool = False,
    room: Room = ROOMY,
) -> tuple[str, str]:
    """Return (title, text) of the day's report.

    The text has what the headline means, cautions, the first ROWS rows that stand out, and one line for the others. Where it is too long,
    the longer windows are left out first, then rows.
    """
    context = translated(for_messages(data), language, user_templates)
    context |= {"report_url": report_url, "repeat": repeat}
    rows = context["leading_rows"]
    shorter = (
        {"listed": rows[:count], "unlisted": len(rows[count:]), "outlooks": outlooks}
        for count, outlooks in ((ROWS, ROWS), (ROWS, 1), *((count, 0) for count in range(ROWS, -1, -1)))
    )
    return _chat("email.subject.j2", "apprise.txt.j2", context, shorter, language, user_templates, problems, room)


def render_chat_message(
    message: Message,
    language: str,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    answered: Message | None = None,
    *,
    repeat: bool = False,
    room: Room = ROOMY,
) -> tuple[str, str]:
    """Return (title, text) of a short message."""
    context = message_context(message, language, answered, user_templates) | {"repeat": repeat}
    shorter = ({"lines": context["lines"][:count]} for count in range(len(context["lines"]), 0, -1))
    return _chat("message.subject.j2", "apprise_message.txt.j2", context, shorter, language, user_templates, problems, room)


def _chat(
    subject: str,
    body: str,
    context: Mapping[str, Any],
    shorter: Iterable[Mapping[str, Any]],
    language: str,
    user_templates: Path | None,
    problems: list[str] | None,
    room: Room,
) -> tuple[str, str]:
    """Return the first of the ever shorter texts that the service accepts; if none is short enough, the last one is cut."""
    builtin, text = environment(language, user_templates), ""
    title = single_spaced(_harmless(templates.fill(builtin, subject, context, user_templates, problems)))
    title = cut(cut(title, MAX_TITLE), room.of_title(), room.unit)
    most = room.of_text(title)
    for listed in shorter:
        text = _harmless(templates.fill(builtin, body, {**context, **listed}, user_templates, problems)).strip()
        if size(text) <= MAX_TEXT and size(text, room.unit) <= most:
            break
    return title, cut(cut(text, MAX_TEXT), most, room.unit)


def _harmless(text: str) -> str:
    """Replace the mention sign "@": a place name must not notify everybody in a chat."""
    return text.replace("@", "＠")
