"""The charts' library is bundled once a folder, and a kept file is read only while it is whole."""

from pathlib import Path

import pytest

from forecaster.reports.drawing import chart_library

TEXT = "window.quakecastEmbed = vegaEmbed;"


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each call of the bundler, which takes a second, adds to this list."""
    calls: list[str] = []

    def bundle() -> str:
        calls.append(TEXT)
        return TEXT

    monkeypatch.setattr(chart_library, "_bundle", bundle)
    return calls


def fresh(folder: Path | None) -> str:
    """The library as another process gets it."""
    return chart_library.library.__wrapped__(folder)


def test_it_is_bundled_once_for_a_folder(tmp_path: Path, bundled: list[str]) -> None:
    assert [fresh(tmp_path / "assets") for _ in range(3)] == [TEXT] * 3
    assert len(bundled) == 1
    (kept,) = (tmp_path / "assets").iterdir()
    assert kept.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("content", [b"evil()", b"", b"\xff\xfe"])
def test_a_file_that_was_changed_is_replaced(tmp_path: Path, bundled: list[str], content: bytes) -> None:
    fresh(tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)
    assert fresh(tmp_path) == TEXT
    assert len(bundled) == 2
    assert kept.read_text(encoding="utf-8") == TEXT


def test_that_of_another_version_is_replaced(tmp_path: Path, bundled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(tmp_path)
    monkeypatch.setattr(chart_library, "version", lambda name: "99.0")
    assert fresh(tmp_path) == TEXT
    assert len(bundled) == 2
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("charts-99.0-")


def test_without_a_folder_it_is_bundled_anew(bundled: list[str]) -> None:
    assert [fresh(None), fresh(None)] == [TEXT] * 2
    assert len(bundled) == 2


def test_the_real_one_can_be_kept(tmp_path: Path) -> None:
    made = fresh(tmp_path)
    assert "quakecastEmbed" in made
    assert fresh(tmp_path) == made
