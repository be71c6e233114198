"""Mail headers that every mail program decodes to the original text, folded alike by every version of Python.

The standard library's new folder lost blanks and left first lines empty in some versions; its older `Header` has not changed.
"""

from email.charset import SHORTEST, Charset
from email.header import Header
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.utils import parseaddr
from typing import Any

MAX_LINE = 76
_UTF8 = Charset("utf-8")
_UTF8.header_encoding = SHORTEST  # whatever a plugin of another library sets for the whole process


def encoded(text: str, name: str, linesep: str) -> str:
    """Return the value of header `name`: unchanged where it is short plain ASCII, else as encoded words (RFC 2047) on lines of their
    own."""
    fits = len(name) + 2 + len(text) <= MAX_LINE
    if fits and text.isascii() and "=?" not in text and text == " ".join(text.split()):
        return text
    return Header(text, _UTF8, header_name=name).encode(linesep=linesep)


class _Text(UnstructuredHeader):
    """A header that people read."""

    def fold(self, *, policy: Any) -> str:
        name: str = self.name  # type: ignore[attr-defined]
        return f"{name}: {encoded(str(self), name, policy.linesep)}{policy.linesep}"


class _Mailbox(UnstructuredHeader):
    """One address, with a name of any letters before it or without."""

    def fold(self, *, policy: Any) -> str:
        name: str = self.name  # type: ignore[attr-defined]
        display_name, address = parseaddr(str(self))
        if not display_name or not address or str(self).isascii():
            return f"{name}: {self}{policy.linesep}"
        return f"{name}: {encoded(display_name, name, policy.linesep)}{policy.linesep} <{address}>{policy.linesep}"


class _Verbatim(UnstructuredHeader):
    """A header whose long words stay unchanged: an address longer than a line must not be encoded."""

    def fold(self, *, policy: Any) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


def header_registry() -> HeaderRegistry:
    """Return the registry that writes the headers of our mails; other headers are written as the library does."""
    registry = HeaderRegistry()
    for name, kind in (("subject", _Text), ("from", _Mailbox), ("to", _Mailbox), ("list-unsubscribe", _Verbatim), ("list-id", _Verbatim)):
        registry.map_to_type(name, kind)  # type: ignore[arg-type]
    return registry
