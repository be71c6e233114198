"""What lies in a folder, to see whether anything changed."""

from pathlib import Path


def content_of(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below the folder, by its path in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
