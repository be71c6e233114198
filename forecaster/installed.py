"""Which quakecast runs."""

from importlib import metadata


def code_version() -> str:
    """The version of quakecast that runs."""
    try:
        return metadata.version("quakecast")
    except metadata.PackageNotFoundError:
        return "uninstalled"
