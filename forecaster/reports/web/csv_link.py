"""Tables as files that a page carries along: a `data:` link that downloads a CSV without any network."""

import csv
import io
from collections.abc import Iterable, Sequence
from urllib.parse import quote

UNCHANGED = " ,:;+-_.()/'"
RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_link(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A data: URI of the table as CSV (RFC 4180, UTF-8). Numbers are written as they are, None as an empty field.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    return "data:text/csv;charset=utf-8," + quote(text.getvalue(), safe=UNCHANGED, errors="replace")


def _field(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value.startswith(RISKY_STARTS):
        return f"'{value}"
    return value
