"""`quakecast notify`: what it prints, returns and leaves."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.pipeline.job import Job
from forecaster.pipeline.messages import Message, enqueue
from forecaster.settings import load_settings
from tests.support.smtp_server import SmtpServer
from tests.support.toys import cover, dump, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)


def test_try_send_list_and_send_again(store, settings, monkeypatch):
    """A mailbox that is gone makes a dead letter; a person mends the address's server and asks for it."""
    write(store, quake("us1", NOW - timedelta(days=400)))  # so that the bundled catalogue is not loaded
    cover(store, NOW)
    monkeypatch.setattr(cli.common, "machine_clock", lambda: Clock(lambda: NOW, simulated=False))
    with SmtpServer(answers={"b@example.org": "550 gone"}) as smtp:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": str(smtp.port), "smtp_security": "none", "mail_to": "a@example.org,b@example.org"}
        environment = {f"QUAKECAST_{name.upper()}": value for name, value in mail.items()} | {"QUAKECAST_HOME": str(settings.home)}
        job = Job(load_settings(home=settings.home, **mail), store, [], Clock(lambda: NOW, simulated=False), "run")
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
        (["--list", "--dry-run"], "ask for one at a time"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(store, settings, options, said):
    write(store, quake("us1", NOW))
    result = CliRunner().invoke(cli.main, ["notify", *options], env={"QUAKECAST_HOME": str(settings.home), "QUAKECAST_SMTP_HOST": ""})
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1
