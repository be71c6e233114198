"""Tables as files inside a page: a `data:` link that downloads a CSV without any network."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

UNCHANGED = " ,:;+-_.()/'"
_UNQUOTED = re.compile(rf"[A-Za-z0-9~{re.escape(UNCHANGED)}\n]*")  # a table of these needs no quoting but that of its line ends
RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_link(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the table as a data: URI of CSV (RFC 4180, UTF-8). None becomes an empty field.

    Text that a spreadsheet would read as a formula is prefixed with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    table = text.getvalue()
    plain = table.replace("\n", "%0A") if _UNQUOTED.fullmatch(table) else quote(table, safe=UNCHANGED, errors="replace")
    return f"data:text/csv;charset=utf-8,{plain}"


def _field(value: object) -> object:
    if value is None or value is True or value is False:
        return None if value is None else int(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value.startswith(RISKY_STARTS):
        return f"'{value}"
    return value
