"""The scripts of deployments/data as modules, for the tests of what they build."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def load_script() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a script by its name, with its folder on the path as when it is run."""
    folder = str(Path(__file__).resolve().parents[3] / "deployments" / "data")
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)
