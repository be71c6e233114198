"""What `make docs` does beyond mkdocs: pages from outside docs/, links made of file names, and a look at each page for foreign hosts."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {
    "index.md": "README.md",
    "deployments/RUNBOOK.md": "deployments/RUNBOOK.md",
    **{name: name for name in ("CONTRIBUTING.md", "DECISIONS.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")},
}
"""Pages whose source lies outside docs/, by their name on the site."""
NAMED = re.compile(r"(?<!\[)`((?:docs/|deployments/)?[\w/-]+\.md)`(?!\])")
LINKED = re.compile(r"(\[[^\]]*\])\(((?!https?:|mailto:|#)[^)#\s]+\.\w+)((?:#[^)]*)?)\)")
CODE = re.compile(r"(^```[^\n]*\n.*?^```$|^    [^\n]*$)", re.M | re.S)
FOREIGN = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>", re.I)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/."""
    for name, source in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Make links of file names in code style, and lead links to files of the repository to their pages."""
    here = page.file.src_uri
    folder = posixpath.dirname(OUTSIDE.get(here, f"docs/{here}"))

    def address(path: str) -> str | None:
        """The page of a file of the repository, relative to this one; None: it has none here, or is this one."""
        name = next((page for page, source in OUTSIDE.items() if source == path), path.removeprefix("docs/"))
        there = name != here and files.get_file_from_path(name)
        return posixpath.relpath(name, posixpath.dirname(here) or ".") if there else None

    def named(found: re.Match[str]) -> str:
        to = address(found[1]) or address(posixpath.normpath(posixpath.join(folder, found[1])))
        return f"[{found[0]}]({to})" if to else found[0]

    def linked(found: re.Match[str]) -> str:
        to = address(posixpath.normpath(posixpath.join(folder, found[2])))
        return f"{found[1]}({to}{found[3]})" if to else found[0]

    parts = CODE.split(markdown)  # code is at the odd places, and stays as it is
    return "".join(part if at % 2 else NAMED.sub(named, LINKED.sub(linked, part)) for at, part in enumerate(parts))


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Refuse a page that loads something from another host: the site is read offline, too.

    Raises:
        PluginError: with the page and what it loads.
    """
    if found := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {found[0][:200]}")
    return output
