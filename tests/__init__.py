"""The tests. The library comes first, before numpy, so that linear algebra has one thread here as it has in a run."""

import forecaster  # noqa: F401
