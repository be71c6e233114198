"""The files that all pages of the archive share: the style sheet, and the script with the chart library.

Each is stored once in reports/assets/. Its name contains a hash of its content, so that pages of earlier versions still find their own
files. A page that leaves the archive (a download, a file to be sent) carries them inside: `in_one_file`.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from forecaster.reports.drawing.vega import script_source
from forecaster.reports.map_files import write_atomic

FOLDER = "assets"
NAME = re.compile(r"report-[0-9a-f]{16}\.(?:css|js)")
HEAD_BYTES = 16_384  # the head, where a page links to both files, fits into this
_LINK = re.compile(r'<link rel="stylesheet" href="assets/(report-[0-9a-f]{16}\.css)">')
_SCRIPT = re.compile(r'<script defer src="assets/(report-[0-9a-f]{16}\.js)"></script>')
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy" content=")([^"]*)(">)')


@dataclass(frozen=True)
class Assets:
    """The texts of both files. The script has two parts: the charts' library, and our own."""

    stylesheet: str
    library: str
    own_script: str

    @property
    def script(self) -> str:
        """The text of the script."""
        return f"{self.library}\n{self.own_script}"

    @property
    def names(self) -> dict[str, str]:
        """The files' names and texts: name -> text."""
        return {name_of(self.stylesheet.encode(), "css"): self.stylesheet, name_of(self.script.encode(), "js"): self.script}

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of css and js, as a page in reports/ links to them."""
        css, js = self.names
        return {"css": f"{FOLDER}/{css}", "js": f"{FOLDER}/{js}"}


def name_of(content: bytes, kind: str) -> str:
    """Return the name of a file with this content."""
    return f"report-{sha256(content).hexdigest()[:16]}.{kind}"


def is_whole(name: str, content: bytes) -> bool:
    """Return whether the content matches the hash in the name, so that no foreign script is taken for the project's own."""
    return NAME.fullmatch(name) is not None and name == name_of(content, name.rpartition(".")[2])


def write_assets(reports: Path, assets: Assets) -> None:
    """Write both files below the pages' folder, where they are missing or damaged.

    Raises:
        NotWritable: the folder cannot be written.
    """
    for name, text in assets.names.items():
        path = reports / FOLDER / name
        try:
            there = is_whole(name, path.read_bytes())
        except OSError:
            there = False
        if not there:
            write_atomic(path, text)


def in_one_file(page: str, reports: Path) -> str:
    """Return the page with its style sheet and script inside, and a policy that allows only that script.

    A page that links to no shared script keeps its scripts and policy.

    Raises:
        FileNotFoundError: a file that the page links to is missing or damaged.
    """
    page = _LINK.sub(lambda found: f"<style>\n{_read(reports, found[1])}\n</style>", page, count=1)
    named = _SCRIPT.search(page)
    if named is None:
        return page
    script = _read(reports, named[1])
    page = page[: named.start()] + page[named.end() :]
    end = page.rindex("</body>")
    page = f"{page[:end]}<script>{script}</script>\n{page[end:]}"

    def strict(found: re.Match[str]) -> str:
        policy = re.sub(r"script-src [^;]*", f"script-src {script_source(script)}", html.unescape(found[2]))
        return found[1] + html.escape(policy.replace("style-src 'unsafe-inline' 'self'", "style-src 'unsafe-inline'")) + found[3]

    return _POLICY.sub(strict, page, count=1)


def unused(reports: Path, pages: Iterable[Path]) -> list[Path]:
    """Return the shared files that none of these pages links to."""
    there = {path.name: path for path in (reports / FOLDER).glob("report-*") if NAME.fullmatch(path.name)}
    for page in pages:
        try:
            with page.open("rb") as file:
                head = file.read(HEAD_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return []
        for name in NAME.findall(head):
            there.pop(name, None)
    return sorted(there.values())


def _read(reports: Path, name: str) -> str:
    content = (reports / FOLDER / name).read_bytes()
    if not is_whole(name, content):
        raise FileNotFoundError(f"{name} was changed")
    return content.decode("utf-8")
