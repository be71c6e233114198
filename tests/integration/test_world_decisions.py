"""Going back from a set, by command and by itself, bringing one back, and what `quakecast models list` and `pretrain` show."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.models.pretrained import newest_before
from forecaster.pipeline.pretraining import pretrain as step
from forecaster.pipeline.pretraining import roll_back, trained_sets
from forecaster.pipeline.pretraining.set_decisions import list_sets
from forecaster.pipeline.run_context import Job, publish_copy
from forecaster.store import world_set_rows as stored
from tests.support import small_globe as world
from tests.support.steps import machine
from tests.support.world_sets import decision, etas_set, own_periods

pytestmark = pytest.mark.usefixtures("own_periods")
assert own_periods

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST, SECOND = etas_set(date(2026, 8, 31), 0.4), etas_set(date(2026, 9, 30), 0.3)


@pytest.fixture
def job(store, settings) -> Job:
    """Two sets of ETAS serve, the second since the 15th of November."""
    numbers = {"difference": {"information_gain": 0.004, "low": -0.002, "high": 0.01}, "compared_with": FIRST.name}
    with store.transaction() as connection:
        stored.add_decision(connection, decision(FIRST, "serves", datetime(2026, 10, 15, tzinfo=UTC)))
        row = decision(SECOND, "serves", datetime(2026, 11, 14, tzinfo=UTC), numbers=numbers, reason="not worse: +0.004 nats")
        stored.add_decision(connection, row)
    for one in (FIRST, SECOND):
        trained_sets.place(settings, one, None)
    trained_sets.use(store, settings)
    job = Job(settings, store, [], machine(NOW), "0123456789abcdef")
    publish_copy(job)
    return job


@pytest.fixture
def command(job, monkeypatch):
    """`quakecast ...` on the job's home at its moment."""
    monkeypatch.setattr("forecaster.cli.common.machine_clock", lambda: job.clock)
    monkeypatch.setattr("forecaster.pipeline.as_of.bundled_catalogue.load_snapshot", lambda *_: 0)

    def run(*words: str):
        return CliRunner().invoke(main, ["--home", str(job.settings.home), *words])

    return run


def _serves(day: date = date(2026, 11, 21)) -> str | None:
    found = newest_before("etas", day)
    return None if found is None else found.folder.name


def test_a_person_goes_back_to_the_set_before_and_brings_it_back(command):
    assert _serves() == SECOND.name
    gone = command("models", "retire", "--set", SECOND.name, "--reason", "too sure after the swarm")
    assert gone.exit_code == 0 and f"{FIRST.name} serves from tomorrow (UTC) on: too sure after the swarm" in gone.output
    assert (_serves(), _serves(NOW.date())) == (FIRST.name, SECOND.name)
    again = command("models", "promote", "--set", SECOND.name, "--reason", "it was the swarm")
    assert again.exit_code == 0 and _serves() == SECOND.name
    shown = json.loads(command("models", "list", "--history", "--json").stdout)["world"][0]["sets"]
    assert [row["decision"] for row in shown] == ["serves", "retired", "serves", "serves"]
    assert shown[0]["numbers"]["difference"]["low"] == -0.002, "the figures of its training stay with it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retire", "--set", "etas-2026-01-01", "--reason", "no such"], "has trained no set 'etas-2026-01-01'; its sets: etas-2026-08-31"),
        (["retire", "--set", SECOND.name, "--reason", "x"], "--reason has 1 characters"),
        (["retire", "--reason", "which"], "name either a --recipe or a --set"),
        (["promote", "--set", SECOND.name, "--reason", "again"], f"{SECOND.name} was not retired: the last decision about it is 'serves'"),
        (["promote", "--set", SECOND.name, "--kind", "etas", "--reason", "again"], "--set is of no recipe"),
    ],
)
def test_a_decision_that_cannot_be_taken_is_refused_in_one_line(command, words, said):
    done = command("models", *words)
    assert done.exit_code == 2 and said in done.output and len(done.output.splitlines()) == 1
    assert _serves() == SECOND.name


def test_the_list_shows_what_serves_its_age_and_why(command, job):
    text = command("models", "list").output
    assert f"etas: {SECOND.name}, data to 2026-09-30, 51 days old (not worse: +0.004 nats)" in text
    assert f"serves {FIRST.name}" in text and "2026-10-15 by rule: a test" in text
    assert "hybrid: hybrid-2024-11-16, data to 2024-11-16, 2 years old (it comes with the package" in text
    (trained_sets.folder_of(job.settings) / SECOND.name / "parameters.json").write_text("{}")
    text = command("models", "list").output
    assert f"etas: {FIRST.name}" in text and "! " in text and "is not the file of the training" in text


def test_the_status_names_the_sets_and_calls_a_damaged_one_a_fault(command, job):
    shown = json.loads(command("status", "--json").stdout)
    assert shown["sets"]["etas"] == {"name": SECOND.name, "age_days": 51}
    assert "is not the file of the training" not in shown["state"]
    assert f"sets       {SECOND.name} (51 days old), pooled-2024-11-16 (2 years old), " in command("status").output
    (trained_sets.folder_of(job.settings) / SECOND.name / "parameters.json").write_text("{}")
    shown = json.loads(command("status", "--json").stdout)
    assert shown["sets"]["etas"]["name"] == FIRST.name and "is not the file of the training" in shown["state"]


def test_the_dry_run_says_whether_it_is_due_and_changes_nothing(command, job, monkeypatch):
    world.install(monkeypatch, {})
    monkeypatch.setattr(step, "due_reasons", lambda *_: ["31 days were settled"])
    done = command("pretrain", "--dry-run", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout) == {"due": True, "reasons": ["31 days were settled"], "problem": None}
    assert "31 days were settled (data to 2024-05-15, judged on 2022-05-17 to 2024-05-15)" in command("pretrain", "--dry-run").output
    monkeypatch.setattr(step, "due_reasons", lambda *_: [])
    assert "not due (data to 2024-05-15" in command("pretrain").output
    assert len(list_sets(job, everything=True)[0]["sets"]) == 2


def test_a_catalogue_that_is_too_young_is_one_line_and_a_partial_run(command, monkeypatch):
    world.install(monkeypatch, {}, world.globe(start=datetime(2000, 1, 1, tzinfo=UTC)))
    monkeypatch.setattr(
        "forecaster.pipeline.as_of.as_known_by_day.known_at", lambda *_: world.globe(start=datetime(2000, 1, 1, tzinfo=UTC))
    )
    done = command("pretrain", "--force")
    told = [line for line in done.output.splitlines() if line]
    assert done.exit_code == 3 and len(told) == 1 and "the longest span that was read is 2000-01-16 to 2024-05-15" in told[0]


@pytest.fixture
def line_of_sets(store, settings, monkeypatch, recipes):
    """A home on the small globe whose own set of ETAS has served for a year, and shifts the usual rate by so much."""

    def made(shift: float) -> Job:
        since = datetime(2023, 5, 1, tzinfo=UTC)
        own = world.toy_set("etas", date(2023, 3, 15), shift)
        trained_sets.place(settings, own, None)
        with store.transaction() as connection:
            stored.add_decision(connection, decision(own, "serves", since))
        trained_sets.use(store, settings)
        place = world.PLACES[0]
        here = {"predict_center_lat": place[0], "predict_center_lng": place[1], "radius_km": 200.0, "threshold_mag": 5.0}
        recipe = recipes["lima"].model_copy(update=here)
        monkeypatch.setattr(roll_back, "model_of_set", world.toy_model)
        return Job(settings, store, [recipe], machine(world.NOW), "0123456789abcdef")

    return made


def test_a_record_that_turned_takes_the_set_back_by_itself(line_of_sets):
    job = line_of_sets(-1.0)
    told = roll_back.roll_back(job, world.globe())
    assert "the record has turned: -0." in told["etas-2023-03-15"] and "against the package's on 1 recipes since 2023-07" in str(told)
    tomorrow = world.NOW.date() + timedelta(days=1)
    assert newest_before("etas", tomorrow) is None and newest_before("etas", world.NOW.date()) is not None
    row = list_sets(job)[0]["sets"][0]
    assert (row["decision"], row["decided_by"]) == ("retired", "record") and row["numbers"]["record"]["high"] < 0
    assert roll_back.roll_back(job, world.globe()) == {}, "there is nothing left to take back"


def test_a_record_that_is_as_good_or_better_takes_nothing_back(line_of_sets):
    assert roll_back.roll_back(line_of_sets(0.4), world.globe()) == {}
    assert newest_before("etas", world.NOW.date() + timedelta(days=1)) is not None
