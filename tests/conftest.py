"""Fixtures that every test folder may use."""

import os
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
