"""Shelves of pre-trained sets for tests."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from forecaster.models import pretrained


@pytest.fixture(scope="session")
def new_shelf(trains: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """new_shelf(kind, until, (files, record)): a folder of artefacts that holds this one."""

    def make(kind: str, until: date, made: tuple[dict[str, bytes], dict]) -> Path:
        folder = tmp_path_factory.mktemp("shelf")
        files, record = made
        pretrained.write_pretrained(folder, kind, until, files, record | {"code": "0"})
        return folder

    return make


@pytest.fixture
def on_shelf(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package holds no artefact but that of the test module's fixture `shelf`."""
    monkeypatch.setattr(pretrained, "packaged", lambda: shelf)
    return shelf
