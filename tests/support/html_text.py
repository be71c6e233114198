"""What a page says, and whether its tags are in order."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Balance(HTMLParser):
    """Collects tags that do not close in order, and addresses that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        loads = [values.get("src"), values.get("srcset"), values.get("data")] + (
            [values.get("href")] if tag in ("link", "use", "image") else []
        )
        self.loaded += [value for value in loads if value and not value.startswith(("data:", "#", "cid:"))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def parse(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    return parser


def bare(page: str) -> str:
    """The page without styles and scripts."""
    return re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)


def shown(page: str) -> str:
    """The page's text without styles, scripts and tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", bare(page)).replace("\u00a0", " ").split())
