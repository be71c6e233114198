"""All past reports, from the pages themselves: each says in its head when it was made, in which mode, and its headline."""

import functools
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

HEAD_BYTES = 16_384
FACT = re.compile(r'<meta name="quakecast:(made|mode|period|headline)" content="([^"]*)">')
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
SCRIPT_HASH = re.compile(r"'sha256-[A-Za-z0-9+/]{43}='")
MODES = ("prospective", "late", "hindcast", "replay")


@dataclass(frozen=True)
class Head:
    """What the head of one page says. script_hashes: of the scripts that its own policy lets run, as CSP sources."""

    facts: dict[str, str] = field(default_factory=dict)
    script_hashes: tuple[str, ...] = ()


@dataclass
class PastReport:
    """A report with its pages: language -> address below the folder, and what each says. `made` is ISO 8601, empty for other pages."""

    name: str
    made: str = ""
    mode: str = ""
    hrefs: dict[str, str] = field(default_factory=dict)
    headlines: dict[str, str] = field(default_factory=dict)
    periods: dict[str, str] = field(default_factory=dict)


def list_reports(folder: Path) -> list[PastReport]:
    """Every report below `folder` and its reports/ folder, newest first; pages that are none of ours come last, by name."""
    pages = [*folder.glob("*.html"), *folder.glob("reports/*.html"), *folder.glob("reports/*/*.html")]
    found: dict[str, PastReport] = {}
    for page in pages:
        href = page.relative_to(folder).as_posix()
        if href == "index.html" or "/." in f"/{href}" or not page.is_file():
            continue
        head = read_head(page)
        stem, _, language = page.stem.rpartition(".")
        name = href.removesuffix(".html") if not head.facts else (page.parent.relative_to(folder) / stem).as_posix()
        report = found.setdefault(name, PastReport(name))
        language = language if head.facts else ""
        report.hrefs[language] = href
        report.made = report.made or head.facts.get("made", "")
        report.mode = report.mode or (mode if (mode := head.facts.get("mode", "")) in MODES else "")
        for said, key in ((report.headlines, "headline"), (report.periods, "period")):
            if head.facts.get(key):
                said[language] = head.facts[key]
    return sorted(found.values(), key=lambda report: (report.made, report.name), reverse=True)


def read_head(page: Path) -> Head:
    """What the first bytes of a page say; nothing where it cannot be read. Kept as long as the file is not changed."""
    try:
        state = page.stat()
        return _read_head(page, state.st_mtime_ns, state.st_size)
    except OSError:
        return Head()


@functools.lru_cache(maxsize=8192)
def _read_head(page: Path, changed: int, size: int) -> Head:
    with page.open("rb") as file:
        text = file.read(HEAD_BYTES).decode("utf-8", errors="replace")
    facts: dict[str, str] = {}
    for key, value in FACT.findall(text):
        facts.setdefault(key, html.unescape(value))
    policy = POLICY.search(text.split("<title>")[0])  # the page's own, which stands before all that came from outside
    hashes = SCRIPT_HASH.findall(html.unescape(policy[1])) if policy else []
    return Head(facts, tuple(hashes))
