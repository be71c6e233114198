"""docs/EXTENDING.md keeps its word: each of its examples is one new file and at most one line, and works in the day's steps."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from forecaster.reports.texts import languages
from tests.support.extended import ROOT, extend


@pytest.fixture(scope="module")
def touched(tmp_path_factory) -> tuple[Any, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("extended")
    return folder, extend(folder)


@pytest.fixture(scope="module")
def done(touched, tmp_path_factory) -> dict[str, Any]:
    """What the steps made of all examples together; `python -m tests.support.extended` in the copy."""
    home = tmp_path_factory.mktemp("home")
    (home / "messages").mkdir()
    own = {"QUAKECAST_HOME": str(home), "QUAKECAST_RECIPES": str(home / "recipes"), "QUAKECAST_MESSAGE_FOLDER": str(home / "messages")}
    environment = {**os.environ, **own, "PYTHONPATH": f"{touched[0]}{os.pathsep}{ROOT}", "PREFECT_LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "tests.support.extended", str(home)]
    ran = subprocess.run(command, cwd=home, env=environment, text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])


def test_each_example_is_a_new_file_and_at_most_one_line(touched):
    sections = touched[1]
    assert len(sections) == 9 and {len(files) for files in sections.values()} == {1, 2}
    assert [name for name, files in sections.items() if len(files) == 1] == ["A language", "A reforecast at noon"]


def test_a_kind_of_model_is_trained_and_forecasts_and_is_called_by_its_title(done):
    assert done["trained"] == ["share"]
    assert done["kinds"] == ["climatology", "published", "recent_rate", "share"]
    assert "share of target days" in done["pages"][".en"] and "share of target days" in done["pages"][".fr"]


def test_a_channel_gets_the_report(done):
    assert ["folder", "sent"] in done["sent"]
    assert any("Athens" in text for text in done["messages"])


def test_a_source_is_read_and_named_in_what_is_stored(done):
    assert done["events"] == [["own1", "bulletin"]] and done["coverage"] == ["bulletin full read"]


def test_a_type_of_rule_decides(done):
    """The probability reaches its bound and the ratio does not: the type `both` would stay quiet."""
    assert len(done["rule"]) == 1


def test_a_publishing_rule_learns_and_publishes_the_better_member_alone(done):
    """On 100 days with the target on every tenth, recent_rate said 50 % and 6 %, share 2 % and 25 %."""
    details, published, best = done["published"]
    assert details["rule"] == "best_member" and details["weights"] == {"recent_rate": 1.0}
    assert published == pytest.approx(best, rel=1e-12)


def test_a_column_is_in_the_page_and_in_the_mail(done):
    assert '<th role="columnheader" scope="col">Radius</th>' in done["pages"][".en"] and "300 km around</td>" in done["pages"][".en"]
    assert "Radius</th>" in done["mail"]


def test_a_language_has_a_page_of_its_own(done):
    assert sorted(done["pages"]) == sorted(f".{language}" for language in {*languages(), "fr"})
    assert '<html lang="fr"' in done["pages"][".fr"] and ">Lieu</th>" in done["pages"][".fr"]


def test_a_deployment_has_its_next_run_and_does_its_work(done):
    assert done["next"]["fresh-copy"] == "2024-01-28T12:00:00+00:00" and done["copied"]


def test_a_reforecast_has_its_next_run(done):
    """12:00 in Japan is 03:00 UTC; what the flow does: tests/flows/test_reforecast.py."""
    assert done["next"]["reforecast"] == "2024-01-29T03:00:00+00:00"
