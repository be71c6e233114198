"""The charts' library is bundled once a folder and once for a user, and a kept file is read only while it is whole."""

from pathlib import Path

import pytest

from forecaster.reports.drawing import chart_library

USERS_CACHE = chart_library._users_cache
TEXT = "window.quakecastEmbed = vegaEmbed;"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache of the user's, but where a test gives one."""
    monkeypatch.setattr(chart_library, "_users_cache", lambda: None)


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


def test_another_folder_takes_it_from_the_users_cache(tmp_path: Path, bundled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A first report in a new home; the folder keeps the first one, for a service whose cache does not last."""
    monkeypatch.setattr(chart_library, "_users_cache", USERS_CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert [fresh(tmp_path / name) for name in ("one", "two")] == [TEXT] * 2 and fresh(None) == TEXT
    assert len(bundled) == 1 and not (tmp_path / "two").exists()
    (kept,) = (tmp_path / "cache" / "quakecast").iterdir()
    kept.write_bytes(b"evil()")
    assert fresh(tmp_path / "one") == TEXT and len(bundled) == 1
    assert fresh(tmp_path / "two") == TEXT and len(bundled) == 2


def test_a_relative_cache_folder_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", "/home/reader")
    assert USERS_CACHE() == Path("/home/reader/.cache/quakecast")


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path, bundled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(chart_library, "_users_cache", lambda: tmp_path / "file" / "quakecast")
    assert [fresh(tmp_path / "assets"), fresh(tmp_path / "assets"), fresh(None)] == [TEXT] * 3
    assert len(bundled) == 2


def test_without_a_folder_it_is_bundled_anew(bundled: list[str]) -> None:
    assert [fresh(None), fresh(None)] == [TEXT] * 2
    assert len(bundled) == 2


def test_the_real_one_can_be_kept(tmp_path: Path) -> None:
    made = fresh(tmp_path)
    assert "quakecastEmbed" in made
    assert fresh(tmp_path) == made
