"""Tables as files inside a page: a `data:` link that downloads a CSV without any network."""

import csv
import io
from collections.abc import Iterable, Sequence
from urllib.parse import quote

UNCHANGED = " ,:;+-_.()/'"
RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_link(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the table as a data: URI of CSV (RFC 4180, UTF-8). None becomes an empty field.

    Text that a spreadsheet would read as a formula is prefixed with an apostrophe.
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
