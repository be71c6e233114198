"""The JavaScript library of the interactive charts: Vega, Vega-Lite and Vega-Embed, as vl-convert ships them.

To bundle it takes a second of CPU time in each process. So pages that are written to a folder keep it there in a file whose name holds the
version of vl-convert and a hash of the content: another version, or a file that was changed, is not read.
"""

import functools
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from forecaster.reports.map_files import write_atomic

_CALL = "window.quakecastEmbed = vegaEmbed;"


@functools.cache
def library(kept_in: Path | None = None) -> str:
    """Return JavaScript that defines `quakecastEmbed` (vegaEmbed) with all its dependencies; about 900 kB.

    kept_in: a folder that keeps the library from process to process; None: it is bundled anew.

    Raises:
        NotWritable: the folder cannot be written.
    """
    if kept_in is None:
        return _bundle()
    prefix = f"charts-{version('vl-convert-python')}-"
    for path in kept_in.glob(f"{prefix}*.js"):
        if (found := _whole(path)) is not None:
            return found
    bundle = _bundle()
    for other in kept_in.glob("charts-*.js"):
        other.unlink(missing_ok=True)
    write_atomic(kept_in / f"{prefix}{_hash(bundle.encode())}.js", bundle)
    return bundle


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
