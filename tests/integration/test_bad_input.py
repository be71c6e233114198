"""The command line on a small database: what each kind of bad input says, returns and leaves; and what good input prints."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.store import fits
from forecaster.store.database import Store, open_store
from forecaster.store.sharing.publish import publish
from tests.support.steps import machine
from tests.support.toys import dump, quiet_years, table
from tests.support.usgs_history import history_of
from tests.support.usgs_server import Fault, serve

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def home(store, settings, monkeypatch) -> Store:
    """A small database that was read a minute ago by the clock of the command line, and published."""
    quiet_years(store, NOW - timedelta(minutes=1), depth_km=None)
    publish(store, settings.published)
    monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW))
    return store


@pytest.fixture
def run(settings):
    def invoke(*arguments: str, **environment: str):
        return CliRunner().invoke(cli.main, list(arguments), env={"QUAKECAST_HOME": str(settings.home)} | environment)

    return invoke


def strict(text: str):
    return json.loads(text, parse_constant=pytest.fail)


def one_line(result, exit_code: int, *said: str) -> None:
    assert result.exit_code == exit_code, result.output
    assert result.stdout == "" and result.stderr.count("\n") == 1 and result.stderr.startswith("quakecast: ")
    assert all(word in result.stderr for word in said), result.stderr


def test_predict_prints_a_line_and_valid_json_and_returns_success(home, run):
    text = run("predict", "--recipe_id", "tokyo-m45", "--target_date", "2024-01-03")
    assert text.exit_code == 0 and text.stdout.startswith("tokyo-m45") and "2024-01-02 15:00Z to 2024-01-03 15:00Z" in text.stdout
    assert "prospective" in text.stdout and text.stderr == ""
    document = strict(run("predict", "--recipe", "tokyo-m45", "--json").stdout)
    (row,) = [row for row in document["forecasts"] if row["published"]]
    assert (row["recipe_id"], row["mode"], row["official"], row["published"]) == ("tokyo-m45", "prospective", True, True)
    assert (row["target_start"], row["issue_time"]) == ("2024-01-02T15:00:00+00:00", "2024-01-02T12:00:00+00:00")
    assert (row["supersedes"], row["degraded_reason"]) == (None, None)
    assert document["targets"] == {"tokyo-m45": "2024-01-03"} and row["forecast_id"] in document["forecast_ids"]
    rows = table(home, "forecast")
    assert sorted(rows["model_kind"]) == ["cells", "climatology", "etas", "hybrid", "pooled", "published", "recent_rate", "regional"]
    assert rows["official"].all() and sorted(document["forecast_ids"]) == sorted(rows["forecast_id"])


@pytest.mark.parametrize(
    ("options", "start"), [([], "2024-01-03T08:00:00+00:00"), (["--tz", "Pacific/Kiritimati"], "2024-01-04T08:00:00+00:00")]
)
def test_the_next_day_is_the_recipes_own_unless_a_zone_is_named(home, run, options, start):
    """At 12:00Z it is 2024-01-03 02:00 on Kiritimati (UTC+14): the next day there is 01-04. In Los Angeles it is 01-02 04:00."""
    rows = strict(run("predict", "--recipe", "los-angeles", "--json", *options).stdout)["forecasts"]
    assert {row["target_start"] for row in rows} == {start}


@pytest.mark.parametrize(
    ("day", "said"),
    [("1969-07-20", "before the data"), ("2024-01-10", "at most 7 days"), ("2999-01-01", "too far ahead"), ("soon", "YYYY-MM-DD")],
)
def test_a_bad_target_date_leaves_the_store_as_it_was(home, run, day, said):
    before = dump(home)
    one_line(run("predict", "--all", "--target-date", day), 2, day, said)
    assert dump(home) == before


def test_partial_success_is_exit_code_3(home, run, monkeypatch):
    monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW + timedelta(hours=30)))
    old = run("predict", "--recipe", "tokyo-m45")
    assert old.exit_code == 3 and "tokyo-m45" in old.stdout and "the catalogue is 30 hours old" in old.stderr
    nothing = run("predict", "--recipe", "niigata")
    assert nothing.exit_code == 3 and nothing.stdout.strip() == "" and "catalogue starts at M 3.5" in nothing.stderr


def test_a_corrupted_model_is_flagged_and_what_needs_no_fit_stands_in(home, run, recipes):
    recipe = recipes["tokyo-m45"]
    model = {"model_id": "tokyo-m45-broken", "recipe_id": recipe.id, "kind": "etas", "recipe_hash": recipe.recipe_hash}
    model |= {"directory": "tokyo-m45/tokyo-m45-broken", "data_as_of": NOW, "decision": "", "details": {}}
    with home.transaction() as connection:
        fits.add_model(connection, model | {"created_at": NOW, "code_version": "0"})
    result = run("predict", "--recipe", recipe.id)
    assert result.exit_code == 3 and result.stderr.count("\n") == 1 and "etas without its fit: " in result.stderr
    rows = table(home, "forecast").set_index("model_kind")
    assert rows.loc["etas", "model_id"].startswith("tokyo-m45-etas-generic-") and rows["degraded"].all()
    assert rows.index[rows["published"]].tolist() == ["published"] and "tokyo-m45-broken" in rows.loc["published", "degraded_reason"]


def test_verify_and_status(home, run, settings):
    assert run("predict", "--recipe", "tokyo-m45").exit_code == 0
    assert run("verify").stdout == "0 outcomes written, 0 revised, 0 waiting, 0 scored\n"
    assert strict(run("verify", "--json").stdout) == {
        "verified": [],
        "revised": [],
        "settled": [],
        "turned": [],
        "waiting": 0,
        "scored": 0,
        "rungs": 0,
        "failed": {},
        "learnt": {},
    }
    status = run("status", "--json")
    document = strict(status.stdout)
    assert status.exit_code == 0 and (document["state"], document["forecasts"], document["last_run"]) == ("ok", 1, None)
    assert document["read_until"] == "2024-01-02T11:59:00+00:00" and document["data_age_hours"] == 0.02
    assert document["published"] == {"combination": 1}
    assert "last run   none yet" in run("status").stdout and "published  combination for 1" in run("status").stdout


def test_status_of_old_data_is_exit_code_3(home, run, monkeypatch):
    monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW + timedelta(days=3)))
    result = run("status")
    assert result.exit_code == 3 and "the catalogue is 3 days old" in result.stdout


def test_sql_reads_the_published_copy(home, run):
    text = run("sql", "SELECT event_id, magnitude FROM event ORDER BY 1")
    assert text.exit_code == 0 and text.stdout.split() == ["event_id", "magnitude", "us1", "5.0", "us2", "5.0"]
    rows = strict(run("sql", "SELECT event_id, depth_km, origin_time FROM event ORDER BY 1", "--json").stdout)
    assert [row["depth_km"] for row in rows] == [30.0, None]
    assert rows[0]["origin_time"].startswith("2022-03-05T00:00:00")
    assert strict(run("sql", "SELECT 1 AS a WHERE false", "--json").stdout) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELEC 1", "Parser Error"),
        ("SELECT * FROM earthquakes", "earthquakes"),
        ("DELETE FROM event_revision", "read-only"),
        ("INSERT INTO migration VALUES (9, 'x')", "read-only"),
        ("DROP TABLE forecast", "read-only"),
        ("", "empty"),
        ("/* nothing */", "empty"),
    ],
)
def test_bad_sql_is_one_line_and_nothing_is_written(home, run, settings, statement, said):
    before = settings.published.read_bytes()
    one_line(run("sql", statement), 2, said)
    assert settings.published.read_bytes() == before


def test_sql_works_while_a_run_writes(home, run):
    with home.transaction() as connection:
        connection.execute("DELETE FROM event_revision")
        assert run("sql", "SELECT count(*) AS n FROM event", "--json").stdout.strip() == '[{"n":2}]'


def test_a_data_folder_that_cannot_be_written(tmp_path, run):
    (tmp_path / "file").write_text("a regular file")
    one_line(run("predict", QUAKECAST_HOME=str(tmp_path / "file" / "home")), 2, "cannot write to the data folder", "QUAKECAST_HOME")


@pytest.mark.closed_files
def test_a_database_of_a_newer_schema_is_left_as_it_is(home, run, settings):
    with home.transaction() as connection:
        connection.execute("INSERT INTO migration VALUES (999, 'later')")
    before = settings.database.read_bytes()
    for command in (["predict"], ["verify"], ["recipes", "check"], ["pull"]):
        one_line(run(*command), 1, "schema 999", "upgrade quakecast")
    assert settings.database.read_bytes() == before


def test_a_failed_pull_is_one_line_and_exit_code_1(home, run):
    before = dump(home, "fetch_log")
    with serve(history_of([{"id": "us9", "time": NOW - timedelta(hours=2), "known_at": NOW, "mag": 5.0}]), NOW) as server:
        server.faults.append(Fault("html", times=9))
        failed = run("pull", QUAKECAST_USGS_URL=server.url, QUAKECAST_RECIPE_STREAMS="false")
        assert failed.exit_code == 1 and failed.stderr.splitlines()[-1].startswith("quakecast: ") and failed.stdout == ""
        assert dump(home, "fetch_log") == before
        server.faults.clear()
        good = run("pull", "--json", QUAKECAST_USGS_URL=server.url, QUAKECAST_RECIPE_STREAMS="false")
    assert good.exit_code == 0 and strict(good.stdout)["new_revisions"] == 1


def test_rows_that_cannot_be_believed_are_exit_code_3(home, run):
    with serve(history_of([{"id": "us9", "time": NOW - timedelta(hours=2), "known_at": NOW, "mag": 5.0}]), NOW) as server:
        server.faults.append(Fault("epoch_1970", times=9))
        result = run("pull", QUAKECAST_USGS_URL=server.url, QUAKECAST_RECIPE_STREAMS="false")
    assert result.exit_code == 3 and "failed validation: {'origin time is 1970-01-01'" in result.stderr


def test_recipes_check_tells_what_the_catalogue_can_and_cannot_say(home, run):
    result = run("recipes", "check", "--recipe", "tokyo-m45", "--recipe", "niigata", "--json")
    assert result.exit_code == 0
    tokyo, niigata = strict(result.stdout)["recipes"]
    assert (tokyo["recipe_id"], tokyo["target_days"], tokyo["warnings"]) == ("tokyo-m45", 2, [])
    assert any("catalogue starts at M 3.5" in warning for warning in niigata["warnings"])
    assert any(warning.startswith("comparison only: ") for warning in niigata["warnings"])


def test_opening_twice_changes_nothing(home, settings):
    before = dump(home)
    open_store(settings.database)
    assert dump(home) == before
