"""Text for places without markup: mails' text parts, chats, subjects. Foreign text (names, reasons) cannot break out of its place."""

import re
import unicodedata
from dataclasses import replace

from forecaster.reports.contract import RecipeForecast, ReportData

# line breaks and other controls, marks and embeddings that turn the direction of what follows, invisible characters
_CONTROLS = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _POP = "\u2068", "\u2069"
LONGEST_NAME = 60
LONGEST_REASON = 200
MOST_REASONS = 5
COLUMNS = 76


def one_line(text: str, longest: int) -> str:
    """Without controls and line breaks, cut to `longest` characters with "..." at the end."""
    line = " ".join(_CONTROLS.sub(" ", text).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def isolated(text: str) -> str:
    """Text that holds right-to-left letters between isolates, so that the figures beside it keep their order."""
    return f"{_ISOLATE}{text}{_POP}" if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text) else text


def for_messages(data: ReportData) -> ReportData:
    """The report with names and reasons that keep to one line and their own direction, and are not endless."""
    reasons = tuple(one_line(reason, LONGEST_REASON) for reason in data.degraded)
    more = (f"… (+{len(reasons) - MOST_REASONS})",) if len(reasons) > MOST_REASONS else ()
    return replace(data, recipes=tuple(map(_tame, data.recipes)), degraded=reasons[:MOST_REASONS] + more)


def _tame(recipe: RecipeForecast) -> RecipeForecast:
    return replace(
        recipe,
        display_name={language: isolated(one_line(name, LONGEST_NAME)) for language, name in recipe.display_name.items()},
        degraded_reason=_reason(recipe.degraded_reason),
        not_scoreable_reason=_reason(recipe.not_scoreable_reason),
        comparison_only=_reason(recipe.comparison_only),
    )


def _reason(text: str | None) -> str | None:
    return None if text is None else one_line(text, LONGEST_REASON)


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Lines of at most COLUMNS columns (an East Asian letter has two), broken at blanks and between East Asian letters.

    Args:
        indent: before the first line; `hanging` before the others, where it differs. A word that is longer than a line stays whole.
    """
    hanging = indent if hanging is None else hanging
    lines, line = [], indent
    for piece in re.findall(r"[^\s\u2e80-\u9fff\uff00-\uffef]+\s*|[\u2e80-\u9fff\uff00-\uffef]\s*|\s+", " ".join(text.split())):
        begun = line not in (indent, hanging)
        if begun and _columns(line + piece.rstrip()) > COLUMNS and piece.rstrip() not in _NEVER_FIRST:
            lines.append(line.rstrip())
            line = hanging
        line += piece
    return "\n".join([*lines, line.rstrip()])


_NEVER_FIRST = frozenset("、。，．・：；！？）」』】ー")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 0 if unicodedata.combining(letter) else 1 for letter in text)
