"""Text for places without markup: mails' text parts, chats, subjects. Foreign text (names, reasons) cannot break out of its place."""

import re
import unicodedata
from dataclasses import replace
from typing import Literal

from forecaster.reports.content.contract import RecipeForecast, ReportData

# line breaks and other controls, marks and embeddings that turn the direction of what follows, invisible characters
_CONTROLS = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_BLANKS = re.compile("[ \t\n\r\f\v]+")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _POP = "\u2068", "\u2069"
MAX_NAME = 60
MAX_REASON = 200
MAX_REASONS = 5
COLUMNS = 76
MAX_WORD = 40  # what is longer may be cut inside

Unit = Literal["characters", "utf16", "bytes"]


def single_spaced(text: str) -> str:
    """Runs of blanks and line breaks as one blank; a blank of another kind (no break, ideographic) stays what it is."""
    return _BLANKS.sub(" ", text).strip()


def one_line(text: str, longest: int) -> str:
    """Without controls and line breaks, cut to `longest` characters with "..." at the end."""
    line = single_spaced(_CONTROLS.sub(" ", text))
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def size(text: str, unit: Unit = "characters") -> int:
    """How long a text is, as a service counts: a letter beyond U+FFFF has two UTF-16 units, one beyond ASCII two to four bytes."""
    if unit == "bytes":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) if unit == "characters" else len(text) + sum(letter > "\uffff" for letter in text)


def cut(text: str, most: int, unit: Unit = "characters") -> str:
    """The text, or its beginning with "…", `most` long at most: cut at a word, never inside an address or between a letter and a mark."""
    if size(text, unit) <= most:
        return text
    room = most - size("…", unit)
    if room < 0:
        return ""
    end, longest = 0, len(text)
    while end < longest:  # the longest beginning that fits
        middle = (end + longest + 1) // 2
        end, longest = (middle, longest) if size(text[:middle], unit) <= room else (end, middle - 1)
    if not text[end].isspace():
        word = max((found.end() for found in re.finditer(r"\s", text[:end])), default=0)
        rest = re.match(r"\S*", text[word:])
        if end - word <= MAX_WORD or "://" in (rest.group() if rest else ""):
            end = word
    while end > 0 and (_joins(text[end]) or _joins(text[end - 1], after=True)):
        end -= 1
    return f"{text[:end].rstrip()}…"


def _joins(letter: str, *, after: bool = False) -> bool:
    """Whether a letter belongs to the one before it, or (`after`) the next one to it: marks, variations, joined emoji."""
    return (
        letter in "\u200d"
        if after
        else unicodedata.combining(letter) > 0 or letter in "\u200d\ufe0e\ufe0f" or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def isolated(text: str) -> str:
    """Text that holds right-to-left letters between isolates, so that the figures beside it keep their order."""
    return f"{_ISOLATE}{text}{_POP}" if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text) else text


def for_messages(data: ReportData) -> ReportData:
    """The report with names and reasons that keep to one line and their own direction, and are not endless."""
    reasons = tuple(one_line(reason, MAX_REASON) for reason in data.degraded)
    more = (f"… (+{len(reasons) - MAX_REASONS})",) if len(reasons) > MAX_REASONS else ()
    return replace(data, recipes=tuple(map(_tame, data.recipes)), degraded=reasons[:MAX_REASONS] + more)


def _tame(recipe: RecipeForecast) -> RecipeForecast:
    return replace(
        recipe,
        display_name={language: isolated(one_line(name, MAX_NAME)) for language, name in recipe.display_name.items()},
        degraded_reason=_reason(recipe.degraded_reason),
        not_scoreable_reason=_reason(recipe.not_scoreable_reason),
        comparison_only=_reason(recipe.comparison_only),
    )


def _reason(text: str | None) -> str | None:
    return None if text is None else one_line(text, MAX_REASON)


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
