"""The short form of the fuzzing; `make soak` has the long one. A finding names its seed and case."""

from pathlib import Path

import pytest

from forecaster.errors import BadRecipe
from tests.faults import fuzz


@pytest.fixture(autouse=True)
def _quiet():
    with fuzz.quiet():
        yield


def test_recipes_that_nobody_should_write(tmp_path: Path) -> None:
    found = fuzz.check_recipes(1_500, 1, tmp_path)
    assert found.wrong == [] and set(found.outcomes) == {"accepted", BadRecipe.__name__}, found


def test_command_lines_that_nobody_should_type(tmp_path: Path) -> None:
    found = fuzz.check_arguments(40, 1, fuzz.small_home(tmp_path / "home"))
    assert found.wrong == [] and found.outcomes["exit code 2"] > 5 and found.outcomes["exit code 0"] > 5, found


def test_templates_that_nobody_should_keep(tmp_path: Path) -> None:
    found = fuzz.check_templates(50, 1, tmp_path)
    assert found.wrong == [] and min(found.outcomes["told"], found.outcomes["used"]) > 5, found
