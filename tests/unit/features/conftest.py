"""Builders that the tests of features share."""

from tests.support.feature_inputs import events as events
from tests.support.feature_inputs import recipe as recipe
