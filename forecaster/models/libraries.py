"""The libraries that a model's numbers may depend on, as its record names them."""

import platform
from importlib import metadata

NUMERIC = ("numpy", "scipy", "pandas", "h5py")
LEARNING = ("scikit-learn", "imbalanced-learn", "xgboost", "xgboost-cpu", "keras", "tensorflow", "tensorflow-cpu")


def library_versions() -> dict[str, str]:
    """Python's version, and of every library that is installed, by its name on the package index."""
    found = {"python": platform.python_version()}
    for name in (*NUMERIC, *LEARNING):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
