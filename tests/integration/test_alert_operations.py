"""Alerts of the operation, told once and mended once; and one alert all the way over real SMTP and HTTP."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.pipeline.alerting import system_alerts
from forecaster.pipeline.alerting.apply_rules import Changes
from forecaster.pipeline.alerting.raise_alerts import raise_alerts
from forecaster.pipeline.alerting.system_alerts import CHECKS
from forecaster.pipeline.messaging.deliver import notify
from forecaster.pipeline.run_context import Job
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.reports.outgoing.alert_text import AlertTexts
from forecaster.settings import load_settings
from forecaster.store import ledger, publications
from forecaster.timewindow import next_local_day
from tests.support import alert_world as world
from tests.support.channels import channels_to
from tests.support.smtp_server import SmtpServer
from tests.support.toys import cover, dump, table
from tests.support.webhook_server import SECRET, WebhookServer

DAY = date(2024, 1, 10)
SENTENCE = re.compile(r"(?:[A-Za-z][a-z']+ ){3,}[a-z']+")  # four English words in a row
HOUR = timedelta(hours=1)
NOW = datetime(2024, 1, 10, 9, tzinfo=UTC)  # 11:00 in Athens


@pytest.fixture
def settings(settings):
    return load_settings(home=settings.home, smtp_host="127.0.0.1", mail_to="a@example.org")


@pytest.fixture
def athens():
    return world.athens()


def told(store) -> list[tuple[str, str]]:
    """(title, all paragraphs) of the messages, oldest first."""
    rows = table(store, "message").sort_values(["created_at", "title"]).to_dict("records")
    assert {row["kind"] for row in rows} <= {"operations"}
    return [(row["title"], " ".join(json.loads(row["lines"]))) for row in rows]


def twice(store, raise_at, recipe, now, **more):
    """What the first of two runs did; the second must do nothing."""
    first = raise_at(recipe, now, **more)
    before = dump(store)
    second = raise_at(recipe, now + timedelta(minutes=3), **more)
    assert dump(store) == before and not second.messages
    return first


def test_a_stale_catalogue_is_told_once_and_mended_once(store, athens, raise_at):
    cover(store, NOW - 25 * HOUR)
    assert twice(store, raise_at, athens, NOW).operations_raised == ["stale_catalogue"]
    assert not raise_at(athens, NOW + 12 * HOUR).messages, "it is older now, and was told"
    cover(store, NOW + 13 * HOUR)
    assert twice(store, raise_at, athens, NOW + 13 * HOUR).operations_resolved == ["stale_catalogue"]
    (stale, _), (mended, text) = told(store)
    assert (stale, mended) == ("the catalogue is 25 hours old", "Resolved: the catalogue is 25 hours old")
    assert "reported at 10 Jan 2024, 09:00 UTC" in text
    assert raise_at(athens, NOW + 38 * HOUR).operations_raised == ["stale_catalogue"], "a second time is another alert"
    assert len(set(table(store, "alert")["alert_id"])) == 2


def test_a_feed_that_cannot_be_true_is_told_once_and_mended_by_a_good_reading_alone(store, settings, athens):
    """A run that could not read, or a look by hand, knows nothing of it and mends nothing."""
    cover(store, NOW)

    def raise_at(hours: int, doubts: list[Reason] | None):
        return raise_alerts(world.job(store, settings, athens, NOW + hours * HOUR), doubts)

    values = {"magnitude": 4.5, "at": "2024-01-08T09:00:00+00:00", "stream": "world", "expected": 9.1}
    none, one = (Reason(ReasonKey.TOO_FEW_EVENTS, {"count": count, **values}) for count in (0, 1))
    assert raise_at(0, [none]).operations_raised == ["doubted_feed"]
    assert not raise_at(1, [one]).messages and not raise_at(2, None).messages
    assert raise_at(3, []).operations_resolved == ["doubted_feed"] and not raise_at(4, []).messages
    (raised, text), (mended, _) = told(store)
    assert mended == f"Resolved: {raised}" and "were recorded since 8 Jan 2024, 09:00 UTC, where 9 would be few. It proves nothing" in text


def test_a_catalogue_of_a_day_is_not_stale_and_an_empty_store_tells_nothing(store, athens, raise_at):
    assert not raise_at(athens, NOW).messages
    cover(store, NOW - 24 * HOUR)
    assert not raise_at(athens, NOW).messages


def test_a_forecast_that_is_missing_an_hour_after_its_time_is_told(store, athens, raise_at):
    """Athens issues at 23:30 for the next day: 21:30 UTC. The day before was forecast, DAY was not."""
    due = datetime(2024, 1, 9, 21, 30, tzinfo=UTC)
    world.say(store, athens, DAY - timedelta(days=1), 0.01)
    assert not raise_at(athens, due + timedelta(minutes=59)).messages
    assert twice(store, raise_at, athens, due + HOUR).operations_raised == ["no_forecast"]
    ((title, text),) = told(store)
    assert title == "athens: no forecast for Wed 10 Jan 2024" and "due at 9 Jan 2024, 23:30 (Eastern European Time)" in text
    assert "quakecast predict --recipe athens" in text
    world.say(store, athens, DAY, 0.01, mode="late", issue_time=due + 3 * HOUR)
    assert raise_at(athens, due + 4 * HOUR).operations_resolved == ["no_forecast"]


def test_a_recipe_that_was_never_forecast_misses_nothing(store, athens, raise_at):
    assert not raise_at(athens, NOW).messages
    world.say(store, athens, DAY + timedelta(days=1), 0.01, issue_time=NOW)
    assert not raise_at(athens, NOW).messages, "its first forecast is that of tomorrow; today's was not due"


def a_run(store, run_id: str, state: str, started: datetime, problem: str | None = None) -> None:
    with store.transaction() as connection:
        ledger.start_run(connection, {"run_id": run_id, "kind": "daily", "started_at": started, "code_version": "0"})
        if state != "running":
            ledger.finish_run(connection, run_id, started + HOUR, state, {"problems": ["pull: slow"] + ([problem] if problem else [])})


def test_a_failed_run_is_told_outside_of_a_run_and_mended_by_the_next(store, athens, raise_at):
    a_run(store, "one", "failed", NOW - 3 * HOUR, "the disk is full")
    assert twice(store, raise_at, athens, NOW).operations_raised == ["run_failed:daily"]
    assert told(store)[0][1].startswith("The daily run that began at 10 Jan 2024, 06:00 UTC ended as failed: the disk is full")
    a_run(store, "two", "partial", NOW)
    assert raise_at(athens, NOW + 2 * HOUR).operations_resolved == ["run_failed:daily"]


@pytest.mark.parametrize(
    ("problem", "abandoned", "told_of"),
    [
        ("the disk is full", False, 0),
        ("the run ended without a word: its process was killed", False, 1),  # as older versions noted it
        ("its process was killed", True, 1),
    ],
)
def test_inside_of_a_run_only_those_that_could_not_tell_themselves(store, athens, raise_at, problem, abandoned, told_of):
    a_run(store, "one", "failed", NOW - 3 * HOUR, problem)
    if abandoned:
        a_run(store, "one", "running", NOW - 3 * HOUR)
        with store.transaction() as connection:
            ledger.close_abandoned(connection, ["one"], NOW - 2 * HOUR)
            connection.execute("UPDATE run SET details = replace(details::VARCHAR, 'without reporting', 'unseen')::JSON")
    a_run(store, "run", "running", NOW - HOUR)  # "run" is the id of the job that looks
    assert len(raise_at(athens, NOW).operations_raised) == told_of


def test_messages_that_were_given_up_are_told_by_channel(store, athens, raise_at):
    row = {"subject_kind": "report", "recipient": "hook", "attempts": 10, "last_error": "it answered 410", "created_at": NOW - HOUR}
    rows = [{**row, "delivery_id": str(n), "subject_id": str(n), "channel": "webhook", "state": "dead"} for n in range(3)]
    rows += [{**row, "delivery_id": "old", "subject_id": "old", "channel": "slack", "state": "dead", "created_at": NOW - timedelta(days=8)}]
    rows += [{**row, "delivery_id": "closed", "subject_id": "closed", "channel": "slack", "state": "closed"}]
    with store.transaction() as connection:
        ledger.insert(connection, "delivery", rows)
    assert twice(store, raise_at, athens, NOW).operations_raised == ["dead_letters:webhook"]
    ((title, text),) = told(store)
    assert title == "messages by webhook that could not be delivered: 3" and "it answered 410" in text and "notify --resend" in text
    with store.transaction() as connection:
        connection.execute("UPDATE delivery SET state = 'sent' WHERE state = 'dead'")
    assert raise_at(athens, NOW + HOUR).operations_resolved == ["dead_letters:webhook"]


def test_a_drifting_calibration_is_told(store, athens, raise_at):
    """60 official days at 30 % of which none had the target: expected 18, came 0."""
    world.judge(store, athens)
    official = {"mode": "prospective", "official": True, "method": "daily", "model_kind": "published"}
    world.walked(store, athens, DAY - timedelta(days=110), [(0.3, False)] * 60, **official)
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO score SELECT forecast_id, recipe_id, target_start, mode, false, 'final', ln(0.7), ln(0.99), 0.09, $now "
            "FROM forecast",
            {"now": NOW},
        )
    world.say(store, athens, DAY, 0.01)
    assert twice(store, raise_at, athens, NOW).operations_raised == ["calibration_drift"]
    ((title, text),) = told(store)
    assert title == "athens: the forecasts do not fit what happens" and "expected 18.0 target days" in text and "0 were observed" in text


def test_a_japanese_operator_reads_no_english_sentence(store, settings, athens):
    """A failed run, forecasts that drift, dead letters, an old catalogue, a doubted feed: each as it begins and as it is resolved."""
    cover(store, NOW - 25 * HOUR)
    a_run(store, "one", "failed", NOW - 3 * HOUR, "the disk of this machine is full")
    a_run(store, "two", "running", NOW - 9 * HOUR)
    with store.transaction() as connection:
        connection.execute("UPDATE run SET kind = 'send' WHERE run_id = 'two'")
        ledger.close_abandoned(connection, ["two"], NOW - 2 * HOUR)
        row = {"delivery_id": "1", "subject_id": "1", "subject_kind": "report", "recipient": "hook", "channel": "webhook", "state": "dead"}
        row |= {"attempts": 10, "created_at": NOW - HOUR, "last_error": "the server has closed the line"}
        ledger.insert(connection, "delivery", [row])
    texts = AlertTexts("ja")
    doubts = [Reason(ReasonKey.LOST_CHANGES, {"count": 3, "at": "2024-01-08T09:00:00+00:00", "events": ["a"]})]
    values = {"expected_days": "18.0", "observed_days": "0", "days": 90, "ratio": "0.00", "low": "0.00", "high": "0.20"}
    drift = Reason(ReasonKey.DRIFT, values)
    with store.transaction() as connection:
        job = world.job(store, settings, athens, NOW)
        found = [*system_alerts.find(connection, job, NOW, texts, doubts)]
    found.append(system_alerts.Finding("calibration_drift", "athens", "warning", {"recipe": "athens", "drift": texts.reasons([drift])}))
    due = {"recipe": "athens", "day": texts.day(DAY), "due": texts.writer.moment(NOW) or ""}
    found.append(system_alerts.Finding("no_forecast", "athens", "critical", due))
    assert {finding.check for finding in found} == set(CHECKS)
    changes = Changes()
    system_alerts.apply_findings(found, [], {"athens"}, texts, NOW, changes)
    system_alerts.apply_findings([], list(changes.alerts.values()), {"athens"}, texts, NOW + HOUR, changes)
    assert len(changes.messages) == 2 * len(found) == 14
    for message in changes.messages:
        assert SENTENCE.findall(" ".join([message.title, *message.lines])) == []
        assert re.search("[ぁ-ん]", message.title), message.title


def test_a_replay_looks_at_no_operation(store, athens, raise_at):
    cover(store, NOW - 100 * HOUR)
    assert not raise_at(athens, NOW, simulated=True).messages


def test_recipes_that_were_not_looked_at_are_left_alone(store, athens, raise_at, settings, recipes):
    world.say(store, athens, DAY - timedelta(days=1), 0.01)
    assert raise_at(athens, NOW).operations_raised == ["no_forecast"]
    assert not raise_at(recipes["lima"], NOW + HOUR).operations_resolved
    assert table(store, "alert")["state"].tolist() == ["raised"]


def test_every_check_has_its_texts():
    from forecaster.reports.texts import read_texts

    for language in ("en", "ja"):
        texts = read_texts(language)
        for check in CHECKS:
            assert {f"alert.ops_{check}", f"alert.ops_{check}_title", f"alert.ops_do_{check}"} <= set(texts)


def test_one_alert_over_smtp_and_http(store, settings, now):
    """Raised, delivered once by mail and webhook, ended, and the end delivered in the same thread."""
    athens = world.athens()
    world.judge(store, athens)
    day = next_local_day(now, athens.zone)
    with SmtpServer() as smtp, WebhookServer(SECRET) as hook:
        both = load_settings(home=settings.home, **channels_to(smtp, hook, mail_from="Quakecast <quake@example.org>"))

        def job(moment: datetime) -> Job:
            return world.job(store, both, athens, moment)

        world.say(store, athens, day, 0.08, issue_time=now)
        (alert_id,) = raise_alerts(job(now)).raised
        assert [row["state"] for row in notify(job(now), report=False).rows] == ["sent", "sent"]
        assert not raise_alerts(job(now)).messages and not notify(job(now), report=False).rows
        later = now + timedelta(minutes=1)
        world.say(store, athens, day + timedelta(days=1), 0.01, issue_time=later)
        assert raise_alerts(job(later)).cleared == [alert_id]
        notify(job(later), report=False)
        opening, closing = smtp.messages
        first, second = hook.received
    assert opening["Subject"].startswith("Athens, ") and "8.0 times the usual 1 %" in opening["Subject"]
    assert closing["In-Reply-To"] == opening["Message-ID"]
    body = " ".join(opening.get_body(("plain",)).get_content().split())
    for said in ("How often such an alert is false is not known", "no official warning", "(Eastern European Time, UTC+"):
        assert said in body, said
    assert (first["message_id"], first["kind"], first["thread_id"]) == (alert_id, "alert", None) and second["thread_id"] == alert_id
    assert first["facts"]["probability"] == 0.08 and first["facts"]["expected"]["alert_days"] == 0
    assert hook.rejected == 0


@pytest.fixture
def quakecast(store, settings, tmp_path, monkeypatch):
    """Runs `quakecast ARGUMENTS` in the home of the store, with athens and, without a rule, lima as its recipes; no snapshot is loaded."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    lima = world.RECIPE_FILE.with_name("lima.toml").read_text(encoding="utf-8")
    (folder / "lima.toml").write_text(lima.partition("[[alerts]]")[0], encoding="utf-8")
    (folder / "athens.toml").write_text(world.text(world.RULE), encoding="utf-8")
    monkeypatch.setattr("forecaster.pipeline.as_of.bundled_catalogue.load_snapshot", lambda *_: 0)
    environment = {"QUAKECAST_HOME": str(settings.home), "QUAKECAST_RECIPES": str(folder)}
    return lambda *arguments: CliRunner().invoke(main, list(arguments), env=environment)


def test_a_rule_is_tried_before_it_is_switched_on(store, quakecast):
    """Three alerts of 3, 1 and 1 days; the target on the first and third day of the first and on no other."""
    athens = world.athens()
    quiet = [(0.005, False)] * 40
    line = [*quiet, (0.08, True), (0.04, False), (0.04, True), *quiet, (0.3, False), *quiet, (0.08, None)]
    world.walked(store, athens, date(2022, 1, 1), line)
    before = dump(store)
    result = quakecast("alerts", "test", "--recipe", "athens", "--model", "etas", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.output)["rules"]
    assert [(a["day"], a["last_day"], a["days_with_target"], a["unverified_days"]) for a in found["alerts"]] == [
        ("2022-02-10", "2022-02-12", 2, 0),
        ("2022-03-25", "2022-03-25", 0, 0),
        ("2022-05-05", "2022-05-05", 0, 1),
    ]
    assert (found["days"], found["missing"], found["official"], found["rates"]["alerts"]) == (125, 0, 0, 2)
    assert (found["rates"]["false_alarm_days"], found["rates"]["alert_days"], found["rates"]["false_alarm_share"]) == (2, 4, None)
    lines = quakecast(
        "alerts", "test", "--model", "published", "--recipe", "athens", "--probability", "0.2", "--ratio", "3"
    ).output.splitlines()
    assert lines[2].split() == ["2022-03-25", "2022-03-25", "30", "%", "1", "%", "30.0", "none"]
    assert any("is not known: it was active on only 1 past days" in line for line in lines)
    assert "by what was or would have been published" in lines[3] and not any("would send nothing" in line for line in lines)
    present = quakecast("alerts", "test", "--recipe", "athens").output
    assert "published, probability" in present and "no out-of-sample forecast" in present
    assert dump(store) == before
    with store.transaction() as connection:
        row = {"recipe_id": "athens", "target_hash": athens.target_hash, "how": "rate", "kind": None, "model_id": None, "reason": "a test"}
        publications.add_decision(connection, row | {"since": NOW - HOUR, "code_version": "0"})
    assert (
        "the usual rate is what is published now"
        in quakecast("alerts", "test", "--model", "etas", "--recipe", "athens").output.splitlines()[-1]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "nowhere"], "unknown recipe 'nowhere'"),
        (["--recipe", "lima"], "no alert rule in lima; there are none"),
        (["--recipe", "athens", "--rule", "other"], "no alert rule 'other' in athens; there are: raised"),
        (["--probability", "5", "--ratio", "0.5"], "--probability 5.0: Input should be less than 1\nquakecast: --ratio 0.5"),
        (["--probability", "0.1"], "--ratio is missing"),
        (["--probability", "0.1", "--ratio", "2", "--ratio-off", "3"], "ratio_off = 3: must not lie above ratio = 2"),
        (["--rule", "raised", "--ratio", "2"], "give one or the other"),
        (["--years", "0"], "0.0 is not in the range"),
        (["--model", "oracle"], "'oracle' is not one of 'present', 'published'"),
    ],
)
def test_bad_trials_are_one_line_each(quakecast, arguments, said):
    result = quakecast("alerts", "test", *arguments)
    assert result.exit_code == 2 and said in result.output, result.output


def test_without_past_forecasts_it_says_how_to_make_them(store, quakecast):
    """Days that the catalogue holds: it was read to 12:00 UTC on 1 March 2024, and its first year gives the usual rate."""
    trial = ("alerts", "test", "--recipe", "lima", "--probability", "0.2", "--ratio", "2", "--years", "3")
    result = quakecast(*trial)
    assert result.exit_code == 0 and "Its false alarms are not known." in result.output and "run `quakecast pull`" in result.output
    cover(store, datetime(2024, 3, 1, 12, tzinfo=UTC), start=datetime(2010, 1, 1, tzinfo=UTC))
    made = "`quakecast backfill --mode walk-forward --recipe lima --from 2021-02-27 --to 2024-02-28`"
    assert made in quakecast(*trial).output
    assert "--from 2011-01-01 --to 2024-02-28`" in quakecast(*trial[:-1], "50").output


def test_check_list_and_run(store, quakecast):
    athens = world.athens()
    world.judge(store, athens)
    assert "no alert has been raised" in quakecast("alerts", "list").output
    checked = quakecast("alerts", "check").output
    assert "athens, rule raised: no forecast of past days is stored" in checked and "! no channel is set up" in checked
    assert "! its false alarms are not known" in checked, "the rule is not the one that athens ships with"
    day = next_local_day(datetime.now(UTC), athens.zone)
    world.say(store, athens, day, 0.08, issue_time=datetime.now(UTC) - timedelta(minutes=1))
    assert quakecast("alerts", "run", "--recipe", "athens").output.startswith("1 raised, 0 held")
    assert quakecast("alerts", "run", "--recipe", "athens").output.startswith("0 raised, 0 held")
    listed = json.loads(quakecast("alerts", "list", "--json").output)["alerts"]
    assert [(row["recipe_id"], row["state"], row["rule"]) for row in listed] == [("athens", "raised", "raised")]
    assert "raised     raised" in quakecast("alerts", "list").output
