"""The version of quakecast."""

from importlib import metadata


def code_version() -> str:
    """Return the version of quakecast that runs."""
    try:
        return metadata.version("quakecast")
    except metadata.PackageNotFoundError:
        return "uninstalled"
