"""Artefacts of the package: which one may forecast a day, and what is not believed."""

import json
from datetime import date
from pathlib import Path

import pytest

from forecaster.errors import CorruptModel, NotWritable
from forecaster.models.pretrained import (
    Found,
    first_day_after,
    found_once,
    load_pretrained,
    newest_before,
    of_data_until,
    packaged,
    write_pretrained,
)

RECORD = {"circles": 2, "seed": 1, "code": "0.1.0"}


@pytest.fixture
def shelf(tmp_path) -> Path:
    """Two artefacts of one kind, one of another, and a stray folder."""
    for kind, until in (("trees", date(2014, 12, 31)), ("trees", date(2024, 11, 16)), ("net", date(2020, 1, 1))):
        write_pretrained(tmp_path, kind, until, {"weights.bin": f"{kind} {until}".encode()}, RECORD)
    (tmp_path / "trees-old").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("day", "until"),
    [
        (date(2015, 1, 16), None),  # 1 to 15 January lie between: a day short of a purge of 16
        (date(2015, 1, 17), date(2014, 12, 31)),
        (date(2024, 12, 2), date(2014, 12, 31)),  # 17 November to 1 December are 15 days
        (date(2024, 12, 3), date(2024, 11, 16)),
        (date(2030, 1, 1), date(2024, 11, 16)),
    ],
)
def test_the_newest_that_has_not_seen_too_much(shelf, day, until) -> None:
    found = newest_before("trees", day, shelf)
    assert (found and found.data_until) == until
    assert found is None or found.first_day <= day


def test_another_kind_is_not_taken_for_it(shelf) -> None:
    assert newest_before("net", date(2030, 1, 1), shelf).data_until == date(2020, 1, 1)
    assert newest_before("nothing", date(2030, 1, 1), shelf) is None
    assert newest_before("trees", date(2030, 1, 1), shelf / "absent") is None


def test_by_its_date(shelf) -> None:
    found = of_data_until("trees", date(2014, 12, 31), shelf)
    assert (found.folder / "weights.bin").read_bytes() == b"trees 2014-12-31" and found.record["seed"] == 1
    assert found.sha256 != of_data_until("trees", date(2024, 11, 16), shelf).sha256
    with pytest.raises(CorruptModel, match="cannot be read"):
        of_data_until("trees", date(2016, 1, 1), shelf)


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "weights.bin").write_bytes(b"other"), "SHA-256"),
        (lambda folder: (folder / "weights.bin").unlink(), "weights.bin cannot be read"),
        (lambda folder: (folder / "pretrained.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "pretrained.json").write_text("[]"), "lacks format"),
        (lambda folder: _edit(folder / "pretrained.json", data_until="2013-12-31"), "does not belong in"),
        (lambda folder: _edit(folder / "pretrained.json", format=2), "does not belong in"),
    ],
)
def test_what_is_not_the_artefact_of_its_record_is_refused(shelf, damage, message) -> None:
    """A record moved to a folder of a later or earlier date would let weights see the future."""
    damage(shelf / "trees-2014-12-31")
    with pytest.raises(CorruptModel, match=message):
        load_pretrained(shelf / "trees-2014-12-31")


def test_a_record_says_how_it_was_trained(tmp_path) -> None:
    with pytest.raises(ValueError, match="circles, code"):
        write_pretrained(tmp_path, "trees", date(2014, 12, 31), {}, {"seed": 1})


def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable):
        write_pretrained(tmp_path / "file", "trees", date(2014, 12, 31), {}, RECORD)


def test_what_the_package_ships() -> None:
    """Every artefact is whole, and all of them together are small (at most 5 MB); the older one serves 2018-2024, the newer one 2025."""
    folders = [path for path in packaged().iterdir() if path.is_dir()]
    assert {load_pretrained(path).kind for path in folders} >= {"pooled"}
    assert sum(file.stat().st_size for path in folders for file in path.iterdir()) <= 5_000_000
    assert newest_before("pooled", date(2018, 1, 1)).data_until == date(2014, 12, 31)
    assert newest_before("pooled", date(2025, 1, 1)).data_until == date(2024, 11, 16)


def test_the_first_day_leaves_sixteen_between() -> None:
    assert first_day_after(date(2014, 12, 31)) == date(2015, 1, 17)


def test_within_a_block_an_artefact_is_looked_up_once_a_day_and_checked_again_after_it(shelf) -> None:
    found: Found = {}
    with found_once(found):
        first = newest_before("trees", date(2030, 1, 1), shelf)
        (shelf / "trees-2024-11-16" / "weights.bin").write_bytes(b"other")
        assert newest_before("trees", date(2030, 1, 1), shelf) is first
        assert newest_before("trees", date(2016, 1, 1), shelf).data_until == date(2014, 12, 31)
        with pytest.raises(CorruptModel), found_once({}):
            newest_before("trees", date(2030, 1, 1), shelf)
    with pytest.raises(CorruptModel, match="SHA-256"):
        newest_before("trees", date(2030, 1, 1), shelf)
