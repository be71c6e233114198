"""Text for places without markup: text parts of mails, chats, subjects.

Text from outside (names, reasons) is cleaned, so that it cannot affect the text around it.
"""

import re
import unicodedata
from dataclasses import replace
from typing import Literal

from forecaster.registry.reasons import Reason
from forecaster.reports.content.contract import RecipeForecast, ReportData

# line breaks and other controls, marks and embeddings that change the direction of the text after them, invisible characters
_CONTROLS = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_BLANKS = re.compile("[ \t\n\r\f\v]+")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_ISOLATE, _POP = "\u2068", "\u2069"
MAX_NAME = 60
MAX_REASON = 200
MAX_REASONS = 5
COLUMNS = 76
MAX_WORD = 40  # longer words may be cut inside

Unit = Literal["characters", "utf16", "bytes"]


def single_spaced(text: str) -> str:
    """Collapse runs of spaces and line breaks into one space; other kinds of space (no-break, ideographic) are kept."""
    return _BLANKS.sub(" ", text).strip()


def one_line(text: str, longest: int) -> str:
    """Return the text without control characters and line breaks, cut to `longest` characters with "..." at the end."""
    line = single_spaced(_CONTROLS.sub(" ", text))
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def size(text: str, unit: Unit = "characters") -> int:
    """Return the length of a text as a service counts it.

    A character beyond U+FFFF has two UTF-16 units; one beyond ASCII has two to four bytes.
    """
    if unit == "bytes":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) if unit == "characters" else len(text) + sum(letter > "\uffff" for letter in text)


def cut(text: str, most: int, unit: Unit = "characters") -> str:
    """Return the text, or its beginning followed by "…", at most `most` long.

    The cut falls between words, never inside an address or between a character and its combining mark.
    """
    if size(text, unit) <= most:
        return text
    room = most - size("…", unit)
    if room < 0:
        return ""
    end, longest = 0, len(text)
    while end < longest:  # bisect for the longest beginning that fits
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
    """Return whether a character belongs to the one before it, or (`after`) the next one to it: marks, variations, joined emoji."""
    return (
        letter in "\u200d"
        if after
        else unicodedata.combining(letter) > 0 or letter in "\u200d\ufe0e\ufe0f" or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def isolated(text: str) -> str:
    """Wrap text that holds right-to-left characters in isolates, so that the figures beside it keep their order."""
    return f"{_ISOLATE}{text}{_POP}" if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text) else text


def for_messages(data: ReportData) -> ReportData:
    """Return the report with names and reasons limited to one line, to their own text direction and in length."""
    reasons = tuple(one_line(reason, MAX_REASON) for reason in data.degraded)
    more = (f"… (+{len(reasons) - MAX_REASONS})",) if len(reasons) > MAX_REASONS else ()
    return replace(data, recipes=tuple(map(_tame, data.recipes)), degraded=reasons[:MAX_REASONS] + more)


def _tame(recipe: RecipeForecast) -> RecipeForecast:
    return replace(
        recipe,
        display_name={language: isolated(one_line(name, MAX_NAME)) for language, name in recipe.display_name.items()},
        degraded_reason=_reason(recipe.degraded_reason),
        degraded_reasons=tuple(map(_tame_reason, recipe.degraded_reasons)),
        not_scoreable_reason=_reason(recipe.not_scoreable_reason),
        not_scoreable=None if recipe.not_scoreable is None else _tame_reason(recipe.not_scoreable),
        comparison_only=_reason(recipe.comparison_only),
    )


def _tame_reason(reason: Reason) -> Reason:
    """Return a reason whose text values have one line each."""
    values = {name: one_line(value, MAX_REASON) if isinstance(value, str) else value for name, value in reason.values.items()}
    return replace(reason, values=values, because=tuple(map(_tame_reason, reason.because)))


def _reason(text: str | None) -> str | None:
    return None if text is None else one_line(text, MAX_REASON)


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Wrap text to lines of at most COLUMNS columns (an East Asian character has two), at spaces and between East Asian characters.

    A word that is longer than a line stays whole.

    Args:
        indent: put before the first line.
        hanging: put before the other lines; the same as `indent` where it is not given.
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
