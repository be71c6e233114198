"""The weights that come with the package: which set may be used for a day, what is refused, and what counts before the first."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import CorruptModel
from forecaster.models.pretrained import write_pretrained
from forecaster.publishing_rule.combination import MEMBERS
from forecaster.publishing_rule.weights import SET, WEIGHTS_FILE, unlearnt, weights_for

RECORD = {"circles": 2, "seed": 1, "code": "0.1.0"}
CONTENT = {
    "belief": {"members": list(MEMBERS), "mean": [0.1, 0.4, 0.0, 0.3, 0.0, 0.0, 0.0], "precision": np.eye(7).tolist()},
    "day_share": 0.25,
    "own_sd": 0.12,
    "gain_mean": -0.05,
    "gain_sd": 0.07,
    "pooled_gain": [0.08, 0.05, 0.11, 4000],
}


def shelve(folder: Path, until: date, **changes: object) -> Path:
    files = {WEIGHTS_FILE: json.dumps(CONTENT | changes).encode()}
    return write_pretrained(folder, SET, until, files, RECORD).folder


def test_a_set_is_read_as_it_was_written(tmp_path):
    shelve(tmp_path, date(2020, 1, 1))
    found = weights_for(date(2024, 1, 1), tmp_path)
    assert (found.name, found.data_until) == ("combination-2020-01-01", date(2020, 1, 1))
    assert (found.day_share, found.own_sd, found.gain_mean, found.gain_sd) == (0.25, 0.12, -0.05, 0.07)
    assert found.pooled_gain == (0.08, 0.05, 0.11, 4000)
    assert found.belief.weights == {"recent_rate": 0.1, "etas": 0.4, "hybrid": 0.3}


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2015, 1, 16), "mean"),  # 1 to 15 January lie between: a day short of the purge of 16
        (date(2015, 1, 17), "combination-2014-12-31"),
        (date(2019, 1, 16), "combination-2014-12-31"),
        (date(2019, 1, 17), "combination-2018-12-31"),
    ],
)
def test_the_newest_set_that_has_not_seen_too_much(tmp_path, day, name):
    for until in (date(2014, 12, 31), date(2018, 12, 31)):
        shelve(tmp_path, until)
    assert weights_for(day, tmp_path).name == name


def test_before_the_first_set_the_mean_of_etas_and_the_hybrid_counts(tmp_path):
    for found in (weights_for(date(2024, 1, 1), tmp_path), unlearnt()):
        assert (found.name, found.data_until, found.pooled_gain) == ("mean", None, None)
        assert found.belief.weights == {"etas": 0.5, "hybrid": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"belief": CONTENT["belief"] | {"members": ["etas", "hybrid", "pooled", "recent_rate", "convlstm", "regional", "oracle"]}},
        {"belief": CONTENT["belief"] | {"mean": [0.1, 0.4, 0.0, 0.3, 0.0, 0.0, -0.1]}},
        {"belief": {}},
        {"day_share": 0.0},
        {"gain_sd": float("nan")},
        {"own_sd": None},
        {"pooled_gain": [0.1]},
    ],
    ids=["other members", "negative", "empty", "share 0", "not a number", "none", "short"],
)
def test_what_is_of_another_version_is_refused_in_one_line(tmp_path, changes):
    shelve(tmp_path, date(2020, 1, 1), **changes)
    with pytest.raises(CorruptModel, match="holds no weights of this version") as caught:
        weights_for(date(2024, 1, 1), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tamper", [lambda path: path.write_text(path.read_text() + " "), lambda path: path.unlink()])
def test_a_file_that_is_not_the_one_of_its_record_is_refused(tmp_path, tamper):
    """Also where the set has been read before."""
    folder = shelve(tmp_path, date(2020, 1, 1))
    assert weights_for(date(2024, 1, 1), tmp_path).name == folder.name
    tamper(folder / WEIGHTS_FILE)
    with pytest.raises(CorruptModel, match=r"weights\.json"):
        weights_for(date(2024, 1, 1), tmp_path)


def test_the_sets_of_this_package_can_be_read():
    assert weights_for(date(2035, 1, 1)).belief.weights
