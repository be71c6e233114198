"""Fixtures that every test folder may use."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

CI = os.environ.get("QUAKECAST_CI") == "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded history beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the recorded history is not here ({folder.name}/ beside the checkout)")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (QUAKECAST_CI=1) a skipped test of what `make system-deps` installs is a failure, not a gap."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("system"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where deployments/apt.txt is installed: {report.longrepr[2]}"
    return report
