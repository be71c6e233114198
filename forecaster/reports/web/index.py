"""List all past reports from their pages. The head of each page holds when it was made, its mode and its headline.

The heads are cached in one hidden file, so that only new or changed pages are opened.
"""

import functools
import html
import json
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from forecaster.reports.map_files import write_atomic
from forecaster.reports.web.page_names import is_group_page

HEAD_BYTES = 16_384
FACT = re.compile(r'<meta name="quakecast:(made|mode|period|headline)" content="([^"]*)">')
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
SCRIPT_HASH = re.compile(r"'sha256-[A-Za-z0-9+/]{43}='")
OWN_SCRIPT = re.compile(r"script-src 'self'[ ;]")
HEADS_FILE = ".heads.json"
WORLD_FOLDER = "world"
MODES = ("prospective", "late", "hindcast", "replay")


@dataclass(frozen=True)
class Head:
    """The facts in the head of one page.

    script_hashes: the scripts that the page's own policy allows, as CSP sources; 'self' stands for the script of assets/.
    """

    facts: dict[str, str] = field(default_factory=dict)
    script_hashes: tuple[str, ...] = ()


@dataclass
class PastReport:
    """A report with its pages: language -> address below the folder, headline and period.

    `made` is ISO 8601; it is empty for pages that are not reports.
    """

    name: str
    made: str = ""
    mode: str = ""
    hrefs: dict[str, str] = field(default_factory=dict)
    headlines: dict[str, str] = field(default_factory=dict)
    periods: dict[str, str] = field(default_factory=dict)


Heads = dict[str, tuple[int, int, dict[str, str]]]
"""By address below the folder: when the page was changed (ns), its bytes, the facts of its head."""


def world_page(folder: Path, language: str) -> str | None:
    """Return the address of the world map page below `folder`, in this language or else in another; None where there is none."""
    pages = sorted((folder / WORLD_FOLDER).glob("world.*.html"), key=lambda page: (page.name != f"world.{language}.html", page.name))
    return f"{WORLD_FOLDER}/{pages[0].name}" if pages else None


def list_reports(folder: Path, *, remember: bool = False) -> list[PastReport]:
    """Return every report below `folder` and its reports/ folder, newest first; pages that are not reports come last, by name.

    `remember`: store the heads for the next call, if they have changed.

    Raises:
        NotWritable: the heads are to be stored, and the folder cannot be written.
    """
    kept = _kept(folder)
    heads = _heads(folder, kept)
    if remember and heads != kept:
        write_atomic(folder / HEADS_FILE, json.dumps(heads, ensure_ascii=False, separators=(",", ":")))
    found: dict[str, PastReport] = {}
    for href, (_, _, facts) in heads.items():
        stem, _, language = href.removesuffix(".html").rpartition(".")
        name = stem if facts else href.removesuffix(".html")
        report = found.setdefault(name, PastReport(name))
        language = language if facts else ""
        report.hrefs[language] = href
        report.made = report.made or facts.get("made", "")
        report.mode = report.mode or (mode if (mode := facts.get("mode", "")) in MODES else "")
        for by_language, key in ((report.headlines, "headline"), (report.periods, "period")):
            if facts.get(key):
                by_language[language] = facts[key]
    return sorted(found.values(), key=lambda report: (report.made, report.name), reverse=True)


def _heads(folder: Path, kept: Heads) -> Heads:
    """Return the current head of every page; unchanged pages are not opened."""
    heads: Heads = {}
    for page in [*folder.glob("*.html"), *folder.glob("reports/*.html"), *folder.glob("reports/*/*.html")]:
        href = page.relative_to(folder).as_posix()
        if href == "index.html" or "/." in f"/{href}" or is_group_page(page.name):
            continue
        try:
            state = page.stat()
        except OSError:
            continue
        if stat.S_ISREG(state.st_mode):
            now = (state.st_mtime_ns, state.st_size)
            before = kept.get(href)
            heads[href] = before if before is not None and before[:2] == now else (*now, read_head(page).facts)
    return heads


def _kept(folder: Path) -> Heads:
    """Return the stored heads; nothing where the file is missing or damaged."""
    try:
        content = json.loads((folder / HEADS_FILE).read_text(encoding="utf-8"))
        return {
            str(href): (int(changed), int(size), {str(key): str(value) for key, value in facts.items()})
            for href, (changed, size, facts) in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def read_head(page: Path) -> Head:
    """Return the facts in the first bytes of a page, empty where it cannot be read; cached until the file changes."""
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
    policy = POLICY.search(text.split("<title>")[0])  # the page's own policy, which precedes all text from outside
    allowed = html.unescape(policy[1]) if policy else ""
    own = ["'self'"] if OWN_SCRIPT.search(allowed) else []
    return Head(facts, (*own, *SCRIPT_HASH.findall(allowed)))
