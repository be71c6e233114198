"""`quakecast notify`: what it prints, returns and leaves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.pipeline.daily.publish_report import write_report
from forecaster.pipeline.messaging.deliver import Message, enqueue
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from tests.support.smtp_server import SmtpServer
from tests.support.steps import machine, predict
from tests.support.toys import cover, dump, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)


def test_try_send_list_and_send_again(store, settings, monkeypatch):
    """A mailbox that is gone makes a dead letter; a person mends the address's server and asks for it."""
    write(store, quake("us1", NOW - timedelta(days=400)))  # so that the bundled catalogue is not loaded
    cover(store, NOW)
    monkeypatch.setattr(cli.common, "machine_clock", lambda: machine(NOW))
    with SmtpServer(answers={"b@example.org": "550 gone"}) as smtp:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(smtp.port), "smtp_security": "none", "mail_to": "a@example.org,b@example.org"}
        environment = {f"QUAKECAST_{name.upper()}": value for name, value in mail.items()} | {"QUAKECAST_HOME": str(settings.home)}
        job = Job(load_settings(home=settings.home, **mail), store, [], machine(NOW), "run")
        enqueue(job, [Message("alert-1", "alert", "Niigata: 21 %", ("line",), NOW)])

        def run(*options: str):
            return CliRunner().invoke(cli.main, ["notify", *options], env=environment)

        before = dump(store)
        dry = run("--dry-run")
        assert dry.exit_code == 0 and dry.stdout.splitlines()[0].startswith(
            "email to a...@example.org by 127.0.0.1: alert, pending, due; 'Niigata: 21 %', text "
        )
        assert dump(store) == before and not smtp.messages
        sent = run()
        assert sent.exit_code == 3 and sent.stdout.splitlines() == [
            "email to a...@example.org by 127.0.0.1: alert, sent",
            "email to b...@example.org by 127.0.0.1: alert, dead",
        ]
        assert (
            sent.stderr.splitlines()[-1].startswith("quakecast: email to b...@example.org by 127.0.0.1: SMTP server")
            and "550" in sent.stderr
        )
        listed = run("--list").stdout.splitlines()
        assert [line.split()[1] for line in listed] == ["sent", "dead"] and listed[1].endswith("refused the recipient (550)")
        rows = json.loads(run("--list", "--json").stdout)["deliveries"]
        assert [row["state"] for row in rows] == ["sent", "dead"]
        smtp.answers.clear()
        again = run("--resend")
        assert again.exit_code == 0 and again.stdout == "email to b...@example.org by 127.0.0.1: alert, sent\n"
        assert run("--resend", rows[0]["delivery_id"][:12]).exit_code == 0
    assert [message["To"] for message in smtp.messages] == ["a@example.org", "b@example.org", "a@example.org"]
    assert "b@example.org" not in table(store, "delivery").to_string()


@pytest.mark.usefixtures("thin_snapshot")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resend", "nonsense"], "no delivery, report or message 'nonsense'; see `quakecast notify --list`"),
        (["--resend"], "no dead letter of the newest report or a recent message"),
        (["--list", "--dry-run"], "--dry-run and --list are different things; ask for one at a time"),
        (["--preview", "--test"], "--preview and --test are different things"),
        (["--channel", "slack"], "--channel goes with --preview or --test"),
        (["--open"], "--open goes with --preview"),
        (["--preview"], "there is no report or message to show yet; write a report with `quakecast report`"),
        (["--test"], "no channel is set up: set QUAKECAST_SMTP_HOST and QUAKECAST_MAIL_TO"),
        (["--test", "--channel", "slack"], "no slack is set up"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(store, settings, options, said):
    write(store, quake("us1", NOW))
    result = CliRunner().invoke(cli.main, ["notify", *options], env={"QUAKECAST_HOME": str(settings.home), "QUAKECAST_SMTP_HOST": ""})
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1


@pytest.fixture
def replayed(store, settings, recipes) -> Path:
    """A home as the demo leaves it: a replay with a report and an alert, and nobody who is set up."""
    write(store, quake("us1", NOW - timedelta(days=700)), quake("us2", NOW - timedelta(days=300)))
    cover(store, NOW)
    work = Job(settings, store, [recipes["tokyo-m45"]], Clock.standing_at(NOW), "run")
    predict(store, work.recipes, settings, work.clock)
    write_report(work, ["en"])
    enqueue(work, [Message("alert-1", "alert", "Tokyo: 21 %", ("line",), NOW)])
    enqueue(work, [Message("alert-2", "alert", "Tokyo: the alert has ended", ("line",), NOW + timedelta(hours=1), thread_id="alert-1")])
    return settings.home


def in_home(home: Path, *options: str):
    return CliRunner().invoke(cli.main, ["notify", *options], env={"QUAKECAST_HOME": str(home), "QUAKECAST_SMTP_HOST": ""})


def test_a_preview_shows_each_channel_though_none_is_set_up_and_writes_nothing(replayed, store):
    before = dump(store)
    shown = in_home(replayed, "--preview")
    assert shown.exit_code == 0, shown.stderr
    heads = [line for line in shown.stdout.splitlines() if line.startswith("--- ")]
    assert [head.split(",")[0] for head in heads] == [
        f"--- {subject} by {channel}" for subject in ("report", "alert") for channel in ("email", "webhook", "slack", "apprise")
    ]
    assert all("not configured: nobody would get it" in head for head in heads) and heads[4].endswith("Tokyo: 21 %")
    only = json.loads(in_home(replayed, "--preview", "--channel", "slack", "--json").stdout)["previews"]
    assert [each["channel"] for each in only] == ["slack", "slack"] and json.loads(only[0]["text"])["blocks"]
    assert dump(store) == before


def test_a_preview_is_opened_as_files_with_the_mails_pictures_inside(replayed, monkeypatch, tmp_path):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown = in_home(replayed, "--preview", "--open")
    assert shown.exit_code == 0 and not shown.stderr
    files = [Path(line) for line in shown.stdout.splitlines()]
    assert opened == [file.as_uri() for file in files if file.suffix == ".html"] and len(files) == 10
    mail = next(file for file in files if file.name == "report-email.html").read_text(encoding="utf-8")
    assert "cid:" not in mail and "data:image/png;base64," in mail
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert f"no browser could be opened here: look at the files in {tmp_path}" in in_home(replayed, "--preview", "--open").stderr


def test_nothing_is_due_from_a_replay_of_another_day_and_it_says_why(replayed):
    environment = {"QUAKECAST_HOME": str(replayed), "QUAKECAST_SMTP_HOST": "127.0.0.1", "QUAKECAST_MAIL_TO": "a@example.org"}
    told = CliRunner().invoke(cli.main, ["notify", "--dry-run"], env=environment)
    assert told.exit_code == 0 and told.stdout == (
        "nothing was due: the newest report, of 2024-01-02 12:00Z, is older than 48 hours, and such a report is not sent; "
        "no alert or other message waits; `quakecast notify --preview` shows what the newest looks like\n"
    )


def test_a_test_message_reaches_everybody_without_a_home_and_names_who_refuses_it(tmp_path):
    with SmtpServer(answers={"b@example.org": "550 gone"}) as smtp:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(smtp.port), "smtp_security": "none", "mail_to": "a@example.org,b@example.org"}
        environment = {f"QUAKECAST_{name.upper()}": value for name, value in mail.items()} | {"QUAKECAST_HOME": str(tmp_path / "none")}
        sent = CliRunner().invoke(cli.main, ["notify", "--test"], env=environment)
    assert sent.exit_code == 3 and [message["To"] for message in smtp.messages] == ["a@example.org"]
    assert smtp.messages[0]["Subject"] == "quakecast operations: test message"
    first, second = sent.stdout.splitlines()
    assert first == "email to a...@example.org by 127.0.0.1: test message sent" and "550" in second
    assert not (tmp_path / "none").exists()
