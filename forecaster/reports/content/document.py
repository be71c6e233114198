"""Store a report as a document: everything that `ReportData` holds, as JSON, and back. All later messages are made from it.

Fields that a later version adds have a default, so that an older document stays readable. Unknown fields are ignored.
"""

import json
import zlib
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from pydantic import TypeAdapter, ValidationError

from forecaster.reports.content.contract import ReportData

VERSION = 1  # raised when an older program would misread a newer document


@dataclass(frozen=True)
class Document:
    """The compressed JSON, and the SHA-256 (hex) of the uncompressed JSON."""

    content: bytes
    sha256: str


def pack(data: ReportData) -> Document:
    """Return the document of a report; the same report gives the same bytes."""
    kept = {"version": VERSION, "report": _adapter().dump_python(data, mode="json")}
    text = json.dumps(kept, ensure_ascii=True, separators=(",", ":")).encode()
    return Document(zlib.compress(text, 9), sha256(text).hexdigest())


def unpack(content: bytes, digest: str) -> ReportData:
    """Return the report of a document.

    Raises:
        ValueError: the document is damaged, or its version is unknown; the message gives the reason.
    """
    try:
        text = zlib.decompress(content)
        if sha256(text).hexdigest() != digest:
            raise ValueError("the document is not the one that was written: its SHA-256 differs")
        kept = json.loads(text)
        if kept["version"] != VERSION:
            raise ValueError(f"the document has version {kept['version']}, this quakecast reads {VERSION}; upgrade quakecast")
        return _adapter().validate_python(kept["report"])
    except (zlib.error, KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"the document cannot be read ({type(error).__name__})") from None


@cache
def _adapter() -> TypeAdapter[ReportData]:
    return TypeAdapter(ReportData)
