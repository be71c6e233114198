"""Query results as text: a table that fits the terminal, CSV, JSON."""

import csv
import io
import json
import shutil
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from rich.cells import cell_len, set_cell_size

from forecaster.cli.common import plain
from forecaster.store.database import described, query_rows

MAX_CELL = 60
MAX_LINES = 1000
_GAP = "  "


@dataclass(frozen=True)
class Answer:
    """Names of the columns, and rows of Python values; None is NULL."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def ask(database: Path, statement: str) -> Answer:
    """Return the result of one read-only query."""
    return Answer(*query_rows(database, statement))


def describe(database: Path, name: str | None = None) -> Answer:
    """Return the views and tables with their comments, or the columns of one of them.

    Raises:
        BadInput: there is none of this name; the message lists the names.
    """
    return Answer(*described(database, name))


def terminal_width(stream: TextIO) -> int | None:
    """Return how wide the terminal is; None where `stream` is not one."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def table_text(answer: Answer, width: int | None = None) -> tuple[str, int]:
    """Return (the table for a person, how many rows are left out of it).

    Each row is a line; where that is wider than `width`, each row is a block of lines. Long values are cut in a table and whole in a block.
    """
    shown = answer.rows[:MAX_LINES]
    cells = [[_cut(_cell(value)) for value in row] for row in shown]
    widths = [max(map(cell_len, [name, *column])) for name, column in zip(answer.columns, _columns(cells, answer), strict=True)]
    if width is not None and shown and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        return _blocks(answer)
    right = [any(_is_number(row[place]) for row in shown) for place in range(len(widths))]
    lines = [_line(row, widths, right) for row in [answer.columns, *cells]]
    return "\n".join(lines), len(answer.rows) - len(shown)


def listing_text(answer: Answer, width: int | None = None) -> str:
    """Format two short columns and a long one, which is wrapped at `width`."""
    first, second = (max(map(cell_len, [row[place] for row in answer.rows])) for place in (0, 1))
    indent = first + second + 2 * len(_GAP)
    room = None if width is None else max(30, width - indent)
    lines = []
    for name, kind, comment in answer.rows:
        text = _cell(comment or "")
        parts = textwrap.wrap(text, room) or [""] if room else [text]
        head = f"{set_cell_size(name, first)}{_GAP}{set_cell_size(kind, second)}{_GAP}"
        lines += [(head + parts[0]).rstrip(), *(" " * indent + part for part in parts[1:])]
    return "\n".join(lines)


def csv_text(answer: Answer) -> str:
    """Format RFC 4180 with a header. NULL is an empty field, times are ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_exact(value) for value in row] for row in answer.rows)
    return out.getvalue()


def json_text(answer: Answer) -> str:
    """Format a list of objects. NULL, NaN and infinities are null, times are ISO 8601."""
    rows = [plain(dict(zip(answer.columns, row, strict=True))) for row in answer.rows]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=_exact, allow_nan=False)


def _columns(cells: list[list[str]], answer: Answer) -> list[list[str]]:
    return [list(column) for column in zip(*cells, strict=True)] if cells else [[] for _ in answer.columns]


def _line(row: list[str], widths: list[int], right: list[bool]) -> str:
    padded = [
        " " * (width - cell_len(cell)) + cell if aligned else set_cell_size(cell, width)
        for cell, width, aligned in zip(row, widths, right, strict=True)
    ]
    return _GAP.join(padded).rstrip()


def _blocks(answer: Answer) -> tuple[str, int]:
    name_width = max(map(cell_len, answer.columns))
    shown = answer.rows[: max(1, MAX_LINES // (len(answer.columns) + 1))]
    blocks = [
        "\n".join(
            [
                f"row {number}",
                *(f"  {set_cell_size(name, name_width)}  {_cell(value)}" for name, value in zip(answer.columns, row, strict=True)),
            ]
        )
        for number, row in enumerate(shown, start=1)
    ]
    return "\n".join(blocks), len(answer.rows) - len(shown)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    """Return one line of text without control characters: a place's name comes from outside."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= 8 else f"{value:.6g}"
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
        return f"{value.replace(tzinfo=None).isoformat(' ', 'milliseconds' if value.microsecond else 'seconds')}Z"
    return "".join(character if character.isprintable() else " " for character in _exact(value))


def _cut(text: str) -> str:
    return text if cell_len(text) <= MAX_CELL else set_cell_size(text, MAX_CELL - 1) + "…"


def _exact(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(plain(value), ensure_ascii=False, default=str)
    return str(value)
