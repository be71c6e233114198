"""A replay cannot change what was known: it has a home of its own, and what it reads is stamped by the machine's clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.cli import main
from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.pipeline import run_context
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.daily.pull import pull_catalog
from forecaster.pipeline.messaging import deliver
from forecaster.settings import load_settings
from forecaster.store import ledger
from tests.support import tiny
from tests.support.steps import machine
from tests.support.toys import cover, dump, quake, table, write
from tests.support.usgs_history import history_of
from tests.support.usgs_server import Fault, serve
from tests.support.webhook_server import WebhookServer

NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = {
    "reading of the catalogue": "INSERT INTO coverage BY NAME SELECT * REPLACE ($at AS read_at) FROM coverage",
    "version of an event": "UPDATE event_revision SET known_at = $at",
    "events that turned out to be one": "INSERT INTO event_merge VALUES ('a', 'b', $at)",
    "an outcome": "INSERT INTO outcome BY NAME SELECT 'x' AS recipe_id, $at - INTERVAL 2 DAY AS target_start, "
    "$at - INTERVAL 1 DAY AS target_end, "
    "'h' AS target_hash, true AS happened, 1 AS event_count, 'final' AS status, $at AS as_of, false AS changed",
    "a run": "INSERT INTO run BY NAME SELECT 'r' AS run_id, 'daily' AS kind, $at AS started_at, 'failed' AS state, '0' AS code_version",
}


@pytest.fixture
def home(store, settings):
    """Settings of a home that was read until NOW and knows one earthquake."""
    write(store, quake("us1", NOW - DAY))
    cover(store, NOW)
    tiny.write_recipe(settings.home / "recipes", "tokyo-m45", models="[]")
    return load_settings(home=settings.home, recipes=settings.home / "recipes", recipe_streams=False)


@pytest.fixture
def service():
    """M 7.4 as the service tells it at NOW; it has been called M 6.1 since."""
    told = {"id": "us2", "time": NOW - HOUR, "latitude": 35.7, "longitude": 139.7}
    history = history_of([told | {"mag": 7.4, "known_at": NOW - HOUR / 2}, told | {"mag": 6.1, "known_at": NOW + 100 * DAY}])
    with serve(history, clock=NOW) as server:
        yield server


def pull(settings, clock, server):
    work = run_context.open_job(load_settings(**settings.model_dump() | {"usgs_url": server.url, "recipe_streams": False}), clock)
    pull_catalog(work, run_context.catalogue_source(work))
    return work


@pytest.mark.parametrize("what", LATER)
def test_a_replay_is_refused_where_anything_later_is_known_and_changes_nothing(home, store, what):
    with store.transaction() as connection:
        connection.execute(LATER[what], {"at": NOW + HOUR})
    before = dump(store)
    with pytest.raises(BadInput) as refused:
        run_context.open_job(home, Clock.standing_at(NOW + HOUR - timedelta(seconds=1)))
    told = str(refused.value)
    assert what in told and "2024-01-03 13:00Z" in told and "QUAKECAST_HOME" in told and str(store.path) in told and "\n" not in told
    assert dump(store) == before
    run_context.open_job(home, Clock.standing_at(NOW + HOUR))


def test_a_replay_of_yesterday_in_a_live_home_leaves_what_was_known_as_it_is(home, store, service):
    """The case: the service of the present says M 6.1, and a replay of the past hour would have known it then."""
    pull(home, machine(NOW), service)
    as_known = load_known(store, NOW).frame
    service.clock = NOW + 101 * DAY
    with pytest.raises(BadInput, match="a replay of 2024-01-03 11:00Z cannot run on "):
        pull(home, Clock.standing_at(NOW - HOUR), service)
    assert load_known(store, NOW).frame.equals(as_known) and as_known["magnitude"].max() == 7.4


def test_what_a_replay_reads_is_observed_now_and_known_from_its_moment(home, store, service):
    began = datetime.now(UTC)
    service.faults.append(Fault("epoch_1970", times=1))
    pull(home, Clock.standing_at(NOW), service)
    pull(home, Clock.standing_at(NOW), service)
    ended = datetime.now(UTC)
    row = table(store, "event_revision").set_index("event_id").loc["us2"]
    assert began <= row["observed_at"] <= ended
    assert (row["known_at"], row["known_at_source"]) == (NOW, "modelled")
    assert table(store, "fetch_log")["requested_at"].between(began, ended).all()
    assert len(table(store, "quarantine")) == 1 and table(store, "quarantine")["observed_at"].between(began, ended).all()
    assert sorted(load_known(store, NOW).frame["event_id"]) == ["us1", "us2"]
    assert load_known(store, NOW - timedelta(seconds=1)).frame["event_id"].tolist() == ["us1"]


def test_live_what_is_read_is_known_when_it_is_observed(home, store, service):
    pull(home, machine(NOW), service)
    row = table(store, "event_revision").set_index("event_id").loc["us2"]
    assert (row["observed_at"], row["known_at"], row["known_at_source"]) == (NOW, NOW, "observed")


def test_a_home_keeps_to_one_service(home, store, service, monkeypatch):
    """Ids of events are the service's own: the same earthquake of another one would be a second event."""
    work = pull(home, machine(NOW), service)
    assert run_context.catalogue_source(work).name == "usgs"
    monkeypatch.setattr(UsgsClient, "name", "another")
    with pytest.raises(BadInput, match=r"was read from usgs; .* set QUAKECAST_CATALOGUE_SOURCE to usgs"):
        run_context.catalogue_source(work)
    strange = replace(work, settings=work.settings.model_copy(update={"catalogue_source": "delphi"}))
    with pytest.raises(BadInput, match="QUAKECAST_CATALOGUE_SOURCE is 'delphi'; there are: usgs"):
        run_context.catalogue_source(strange)


def test_a_replay_goes_forward_day_by_day_and_may_do_the_same_day_again(home, store, service):
    for moment in (NOW, NOW, NOW + DAY, NOW + 2 * DAY, NOW + 2 * DAY):
        service.clock = moment
        work = pull(home, Clock.standing_at(moment), service)
        with run_context.alive(work, "daily"):
            assert run_context.start_run(work, "daily") == []
            run_context.note_end(work, "success", {})
            run_context.publish_copy(work)
    assert table(store, "run")["replay"].tolist() == [True] * 3
    with pytest.raises(BadInput, match="a home of its own"):
        run_context.open_job(home, Clock.standing_at(NOW + DAY))


def test_the_home_of_a_replay_is_no_home_for_today(home, store, service):
    """What it knows of when things became known is made up, so nothing official may rest on it. Looking at it stays possible."""
    work = pull(home, Clock.standing_at(NOW), service)
    for mark in ("versions of events", "a run"):
        if mark == "a run":
            with store.transaction() as connection:
                connection.execute("DELETE FROM event_revision WHERE known_at_source = 'modelled'")
            with run_context.alive(work, "daily"):
                run_context.start_run(work, "daily")
        live = run_context.open_job(home, machine(NOW + DAY))
        for act in (lambda: run_context.catalogue_source(live), lambda: run_context.start_run(live, "daily")):  # noqa: B023
            with pytest.raises(BadInput, match=r"is the home of a replay.*QUAKECAST_HOME"):
                act()


@pytest.mark.parametrize("command", ["report", "verify", "predict", "notify --resend", "alerts run", "tidy"])
def test_no_command_of_today_ends_a_replay(home, store, service, command):
    """What it stored would be of a later time than the next day that is replayed."""
    pull(home, Clock.standing_at(NOW), service)
    before = dump(store)
    environment = {"QUAKECAST_HOME": str(home.home), "QUAKECAST_RECIPES": str(home.recipes)}
    done = CliRunner().invoke(main, command.split(), env=environment)
    assert done.exit_code == 2 and "is the home of a replay" in done.output and len(done.output.splitlines()) == 1
    assert dump(store) == before
    run_context.open_job(home, Clock.standing_at(NOW + DAY))


def test_a_live_home_in_which_an_earlier_version_replayed_goes_on(home, store, service):
    """That version left no mark but a run and forecasts, among those of the record."""
    with store.transaction() as connection:
        ledger.start_run(connection, {"run_id": "old", "kind": "daily", "started_at": NOW, "code_version": "0"})
        connection.execute("UPDATE run SET replay = NULL")
    work = pull(home, machine(NOW + HOUR), service)
    run_context.start_run(work, "daily")
    assert table(store, "run").set_index("run_id")["replay"].to_dict() == {"old": None, work.run_id: False}


@pytest.mark.slow
def test_a_fresh_home_holds_only_what_was_known_at_the_moment_that_is_replayed(settings):
    work = run_context.open_job(settings, Clock.standing_at(NOW))
    with work.store.transaction() as connection:
        assert connection.execute("SELECT max(known_at) <= $now FROM event_revision", {"now": NOW}).fetchone() == (True,)
    with pytest.raises(BadInput, match="it holds a reading of the catalogue of 2024-01-03 12:00Z"):
        run_context.open_job(settings, Clock.standing_at(NOW - DAY))


def test_what_lies_in_the_outbox_of_a_replay_is_not_sent_by_a_command_of_today(home, store):
    """`quakecast notify` there: a replay itself may send, where it is told to."""
    with WebhookServer("whsec_" + "A" * 44) as hook:
        told = {
            "webhook_url": f"http://127.0.0.1:{hook.port}/x",
            "webhook_secret": "whsec_" + "A" * 44,
            "webhook_allow_private": True,
        }
        settings = load_settings(**home.model_dump() | told)
        replay = run_context.open_job(settings, Clock.standing_at(NOW))
        with run_context.alive(replay, "daily"):
            run_context.start_run(replay, "daily")
            deliver.enqueue(replay, [deliver.Message("alert-1", "alert", "title", ("line",), NOW)])
        live = run_context.open_job(settings, machine(NOW + HOUR))
        with pytest.raises(BadInput, match="is the home of a replay"):
            deliver.notify(live)
        assert not hook.paths
        assert "due" in deliver.notify(live, dry_run=True).text
        assert [row["state"] for row in deliver.notify(replay, sent_at=datetime.now(UTC)).rows] == ["sent"]
