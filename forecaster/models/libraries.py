"""The libraries that a model's numbers may depend on. The model's record names them with their versions."""

import platform
from importlib import metadata

NUMERIC = ("numpy", "scipy", "pandas", "h5py")
LEARNING = ("scikit-learn", "imbalanced-learn", "xgboost", "xgboost-cpu", "keras", "tensorflow", "tensorflow-cpu")


def library_versions() -> dict[str, str]:
    """The versions of Python and of every such library that is installed, by its name on the package index."""
    found = {"python": platform.python_version()}
    for name in (*NUMERIC, *LEARNING):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
