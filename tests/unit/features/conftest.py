"""Builders that the tests of features share."""

from collections.abc import Callable

import pytest

from forecaster.features.events import Events
from forecaster.recipe import Recipe
from tests.support.feature_inputs import make_events, make_recipe


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return make_recipe


@pytest.fixture(scope="session")
def events() -> Callable[..., Events]:
    return make_events
