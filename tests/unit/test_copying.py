"""Copies of open files: whole whatever the system can do, and an error where the disk is full."""

import errno
import os
from pathlib import Path

import pytest

from forecaster.files import copy_whole

CONTENT = bytes(range(256)) * 5000 + b"end"


def copied(folder: Path, content: bytes = CONTENT) -> bytes:
    (folder / "source").write_bytes(content)
    with (folder / "source").open("rb") as source, (folder / "copy").open("wb") as target:
        copy_whole(source, target)
    return (folder / "copy").read_bytes()


def fails_after(number: int, error: int):
    """A system that copies so many bytes and then fails."""
    inner, left = os.copy_file_range, number

    def some(source: int, target: int, count: int, *at: int) -> int:
        nonlocal left
        if left == 0:
            raise OSError(error, os.strerror(error))
        count = inner(source, target, min(left, count), *at)
        left -= count
        return count

    return some


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_a_copy_is_whole(tmp_path, content):
    assert copied(tmp_path, content) == content


@pytest.mark.parametrize("first", [0, 1, 70_000])
def test_what_the_system_cannot_copy_is_copied_here(tmp_path, monkeypatch, first):
    monkeypatch.setattr(os, "copy_file_range", fails_after(first, errno.EXDEV))
    assert copied(tmp_path) == CONTENT


def test_a_system_that_copies_nothing_and_one_without_the_call(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    assert copied(tmp_path) == CONTENT
    monkeypatch.delattr(os, "copy_file_range")
    assert copied(tmp_path) == CONTENT


def test_a_full_disk_is_an_error(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    with (tmp_path / "source").open("rb") as source, Path("/dev/full").open("wb") as target, pytest.raises(OSError, match="No space"):
        copy_whole(source, target)
