"""The version of quakecast."""

from functools import cache
from importlib import metadata


@cache
def code_version() -> str:
    """Return the version of quakecast that runs. It is looked up once a process: that takes a millisecond, and each stored row has it."""
    try:
        return metadata.version("quakecast")
    except metadata.PackageNotFoundError:
        return "uninstalled"
