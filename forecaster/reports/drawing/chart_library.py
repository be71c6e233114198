"""The JavaScript library of the interactive charts: Vega, Vega-Lite and Vega-Embed, as vl-convert ships them.

To bundle it takes more than a second of CPU time. So it is kept beside the pages that are written, and in the user's cache for other homes,
in a file whose name holds the version of vl-convert and a hash of the content: another version, or a file that was changed, is not read.
"""

import functools
import os
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from forecaster.errors import NotWritable
from forecaster.reports.map_files import write_atomic

_CALL = "window.quakecastEmbed = vegaEmbed;"


@functools.cache
def library(kept_in: Path | None = None) -> str:
    """Return JavaScript that defines `quakecastEmbed` (vegaEmbed) with all its dependencies; about 900 kB.

    kept_in: a folder that keeps the library from process to process, besides the user's cache.

    Raises:
        NotWritable: the folder cannot be written.
    """
    cache = _users_cache()
    prefix = f"charts-{version('vl-convert-python')}-"
    for folder in filter(None, (kept_in, cache)):
        for path in folder.glob(f"{prefix}*.js"):
            if (found := _whole(path)) is not None:
                return found
    bundle = _bundle()
    if cache is not None:
        with suppress(NotWritable, OSError):  # a service may have no home of its own
            _keep(bundle, cache, prefix)
    if kept_in is not None:
        _keep(bundle, kept_in, prefix)
    return bundle


def _users_cache() -> Path | None:
    """Return the folder for what the user's programs can make again; None where there is no home. A relative XDG_CACHE_HOME counts as none,
    as its specification says."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (named if named.is_absolute() else Path.home() / ".cache") / "quakecast"
    except RuntimeError:
        return None


def _keep(bundle: str, folder: Path, prefix: str) -> None:
    """Write the bundle into the folder in the place of any other.

    Raises:
        NotWritable: it cannot be written.
    """
    for other in folder.glob("charts-*.js"):
        other.unlink(missing_ok=True)
    write_atomic(folder / f"{prefix}{_hash(bundle.encode())}.js", bundle)


def _bundle() -> str:
    import vl_convert  # slow to load

    bundle = vl_convert.javascript_bundle(_CALL)
    if "</script" in bundle.lower():
        raise ValueError("the charts' library cannot stand in a page: it holds the end of a script element")
    return bundle


def _whole(path: Path) -> str | None:
    """Return the text of a file whose content has the hash in its name; None for another or an unreadable one."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content.decode("utf-8") if path.stem.rpartition("-")[2] == _hash(content) else None


def _hash(content: bytes) -> str:
    """Return what a kept file's name says of its content and of how it was called."""
    return sha256(_CALL.encode() + content).hexdigest()[:16]
