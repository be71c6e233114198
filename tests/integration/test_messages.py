"""The outbox over real SMTP and HTTP: each message once, refusals final, failures tried again later, under the same id."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.notify.channels.mail_building import message_id
from forecaster.notify.outbox import LEASE, Recipient, delivery_id
from forecaster.pipeline.daily.publish_report import write_report
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.messaging.deliver import notify
from forecaster.pipeline.run_context import Job
from forecaster.registry.reasons import other
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from tests.support.channels import channels_to
from tests.support.steps import machine, predict
from tests.support.toys import cover, dump, quake, table, write
from tests.support.webhook_server import WebhookServer

FIRST_WAIT = timedelta(minutes=5)
MAIL_FROM = "Quakecast <quake@example.org>"


@pytest.fixture(scope="module")
def reported(tmp_path_factory, recipes, now) -> tuple[Path, str]:
    """A database with a toy catalogue read until `now`, a forecast and its report; and the report's id."""
    settings = load_settings(home=tmp_path_factory.mktemp("reported"))
    store = open_store(settings.database)
    write(store, quake("us1", now - timedelta(days=700)), quake("us2", now - timedelta(days=300)))
    cover(store, now)
    work = Job(settings, store, [recipes["tokyo-m45"]], machine(now), "run")
    predict(store, work.recipes, settings, work.clock)
    return store.path, write_report(work, ["en"]).report_id


@pytest.fixture
def job(store, settings, recipes, servers, now):
    """make(moment): the job as of a moment, with both channels set up."""
    smtp, hook = servers
    both = channels_to(smtp, hook, mail_from=MAIL_FROM)

    def make(moment=now, **changes) -> Job:
        made = load_settings(home=settings.home, **(both | changes))
        return Job(made, store, [recipes["tokyo-m45"]], machine(moment), "run")

    return make


@pytest.fixture
def report(reported, store) -> str:
    """The store is one with a report of `now`; its id."""
    shutil.copyfile(reported[0], store.path)
    return reported[1]


def outbox_row(store, channel):
    return table(store, "delivery").set_index("channel").loc[channel]


def webhook_id(subject_id: str, hook: WebhookServer, path: str = "hook") -> str:
    return delivery_id(subject_id, Recipient("webhook", "", SecretStr(f"http://127.0.0.1:{hook.port}/{path}")))


def test_each_channel_gets_the_report_once_under_an_id_that_follows_from_it(job, report, store, servers, now):
    smtp, hook = servers
    assert [row["state"] for row in notify(job()).rows] == ["sent", "sent"]
    assert notify(job()).rows == []
    again = notify(job(now + timedelta(days=3))).text
    assert again.startswith(
        f"nothing was due: the newest report, of {now:%Y-%m-%d %H:%M}Z, has been sent to all 2 recipients; no alert or "
    )
    (mail,), (document,) = smtp.messages, hook.received
    assert mail["Message-ID"] == message_id(report, MAIL_FROM)
    assert hook.ids == [webhook_id(report, hook)] and document["report_id"] == report
    assert set(table(store, "delivery")["attempts"]) == {1}


def test_each_row_goes_by_the_clock_of_its_own_attempt(job, report, store, servers, now, monkeypatch):
    """The first mail takes eleven minutes: the second one's claim and next try count from then, not from when the batch began."""
    smtp, _ = servers
    smtp.answers["b@example.org"] = "451 later"
    claimed, claim = [], deliver.outbox.claim
    monkeypatch.setattr(deliver.outbox, "claim", lambda row, at: claimed.append(claim(row, at)) or claimed[-1])
    begun = now - timedelta(minutes=11)
    two = job(mail_to="a@example.org,b@example.org", webhook_url="", webhook_secret="")
    notify(replace(two, clock=Clock(lambda: begun + timedelta(minutes=11) * len(smtp.messages), simulated=False)))
    assert [row.next_try_at for row in claimed] == [begun + LEASE, now + LEASE]
    rows = table(store, "delivery").set_index("state")
    assert rows.loc["sent", "sent_at"] == now and rows.loc["failed", "next_try_at"] == now + FIRST_WAIT


def test_a_dry_run_sends_and_stores_nothing(job, report, store, servers):
    smtp, hook = servers
    before = dump(store)
    told = notify(job(), dry_run=True)
    mail, webhook = told.text.splitlines()
    assert (
        mail.startswith("email to a...@example.org by 127.0.0.1: report, pending, due; '") and "is not clearly above its usual rate" in mail
    )
    assert webhook.startswith(f"webhook to http://127.0.0.1:{hook.port}: report, pending, due; quakecast.report/3, ")
    assert dump(store) == before and not smtp.messages and not hook.paths
    notify(job())
    assert "has been sent to all 2 recipients; no alert or other message waits" in notify(job(), dry_run=True).text


def test_a_mail_that_is_refused_for_good_is_not_tried_again(job, report, store, servers, now):
    smtp, hook = servers
    smtp.answers["a@example.org"] = "550 no such mailbox"
    result = notify(job())
    assert len(result.failed) == 1 and "refused the recipient (550)" in result.failed[0]
    assert len(hook.received) == 1
    smtp.answers.clear()
    notify(job(now + timedelta(days=2)))
    assert outbox_row(store, "email")["state"] == "dead" and not smtp.messages


def test_a_greylisted_mail_is_sent_later_once_as_it_was_first_meant(job, report, store, servers, now):
    smtp, _ = servers
    smtp.answers["a@example.org"] = "451 try again later"
    notify(job())
    row = outbox_row(store, "email")
    assert (row["state"], row["next_try_at"]) == ("failed", now + FIRST_WAIT) and "451" in row["last_error"]
    smtp.answers.clear()
    later = job(now + timedelta(minutes=2))
    predict(store, later.recipes, later.settings, later.clock, reissue=True, problems=(other("the sky fell"),))
    assert notify(job(now + FIRST_WAIT - timedelta(seconds=1))).rows == []
    for minutes in (5, 6, 600):
        notify(job(now + timedelta(minutes=minutes)))
    (mail,) = smtp.messages
    assert mail["Message-ID"] == message_id(report, MAIL_FROM)
    assert "the sky fell" not in mail.get_body(("plain",)).get_content()
    row = outbox_row(store, "email")
    assert (row["state"], row["attempts"], row["last_error"], row["sent_at"]) == ("sent", 2, None, now + FIRST_WAIT)


@pytest.mark.parametrize(("status", "state"), [(410, "dead"), (500, "failed")])
def test_a_webhook_is_given_up_or_tried_again_as_the_receiver_says(job, report, store, servers, now, status, state):
    _, hook = servers
    hook.statuses[:] = [status, 204]
    assert f"answered {status}" in notify(job()).failed[0]
    row = outbox_row(store, "webhook")
    assert row["state"] == state and (row["next_try_at"] == now + FIRST_WAIT) is (state == "failed")
    later = now + FIRST_WAIT - timedelta(seconds=30)
    assert notify(job(later)).rows == []
    notify(job(now + FIRST_WAIT), sent_at=now)
    told = [webhook_id(report, hook)]
    assert hook.ids == told * (2 if state == "failed" else 1)
    assert [document["report_id"] for document in hook.received] == [report] * len(hook.ids)
    assert outbox_row(store, "webhook")["state"] == ("sent" if state == "failed" else "dead")


def test_a_newer_report_takes_the_place_of_one_that_could_not_be_sent(job, report, store, servers, now):
    """After a day without a mail server people get today's mail, and not yesterday's beside it."""
    smtp, _ = servers
    smtp.answers["a@example.org"] = "451 try again later"
    notify(job())
    smtp.answers.clear()
    later = job(now + timedelta(minutes=30))
    predict(store, later.recipes, later.settings, later.clock, reissue=True, problems=(other("the sky fell"),))
    newer = write_report(later, ["en"]).report_id
    result = notify(later, sent_at=now)
    assert newer != report and not result.failed and "the sky fell" in smtp.messages[0].get_body(("plain",)).get_content()
    assert [mail["Message-ID"] for mail in smtp.messages] == [message_id(newer, MAIL_FROM)]
    row = table(store, "delivery").set_index(["subject_id", "channel"]).loc[(report, "email")]
    assert row["state"] == "closed" and row["last_error"].startswith("a newer report took its place; before that: SMTP server")


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest", "http://[fe80::1]/hook", "http://127.0.0.1:9/hook"])
def test_a_webhook_to_an_inner_address_is_refused_before_it_is_sent(job, report, store, address):
    result = notify(job(webhook_url=address, webhook_allow_private=not address.startswith("http://127")))
    assert "leads to an address that messages must not reach" in result.failed[0]
    assert outbox_row(store, "webhook")["state"] == "dead" and outbox_row(store, "email")["state"] == "sent"


def test_a_webhook_that_died_at_one_address_gets_the_report_at_the_next(job, report, store, servers, now):
    """410 at the old address; a person sets the new one, and today's report goes there, once."""
    _, hook = servers
    hook.statuses[:] = [410, 204]
    assert "answered 410" in notify(job()).failed[0]
    new = {"webhook_url": f"http://127.0.0.1:{hook.port}/new"}
    assert [(row["channel"], row["state"]) for row in notify(job(now + timedelta(minutes=1), **new), sent_at=now).rows] == [
        ("webhook", "sent")
    ]
    assert notify(job(now + timedelta(minutes=2), **new)).rows == []
    assert hook.paths == ["/hook", "/new"] and hook.ids == [webhook_id(report, hook), webhook_id(report, hook, "new")]
    assert sorted(table(store, "delivery").query("channel == 'webhook'")["state"]) == ["dead", "sent"]


def test_one_reader_s_trouble_is_nobody_else_s_and_a_new_reader_gets_the_newest_report(job, report, store, servers, now):
    """Greylisted for a, gone for b, taken for c; d is added later and gets it, too, and nobody twice."""
    smtp, _ = servers
    smtp.answers |= {"a@example.org": "451 come back", "b@example.org": "550 gone"}
    three = "a@example.org, b@example.org, C <c@example.org>"
    notify(job(mail_to=three))
    smtp.answers.clear()
    notify(job(now + FIRST_WAIT, mail_to=f"{three}, d@example.org"), sent_at=now)
    notify(job(now + timedelta(hours=1), mail_to="c@example.org, a@example.org, d@example.org, b@example.org"))
    assert [mail["To"] for mail in smtp.messages] == ["c@example.org", "a@example.org", "d@example.org"]
    assert len({mail["Message-ID"] for mail in smtp.messages}) == 1


def test_a_report_that_could_not_be_sent_for_two_days_is_not_sent_any_more(job, report, store, servers, now):
    smtp, _ = servers
    smtp.answers["a@example.org"] = "451 come back"
    notify(job())
    smtp.answers.clear()
    assert notify(job(now + timedelta(hours=48, minutes=1))).rows == [] and not smtp.messages
    row = outbox_row(store, "email")
    assert row["state"] == "closed" and row["last_error"].startswith(
        "the report had become too old before it could be sent; before that: SMTP"
    )
    assert notify(job(now + timedelta(hours=49), mail_to="z@example.org")).rows == []


def test_a_broken_template_of_the_user_is_told_and_the_mail_goes_out(job, report, servers, tmp_path):
    (tmp_path / "email.txt.j2").write_text("fine so far\n{{ no_such_thing }}")
    dry = notify(job(templates=tmp_path), dry_run=True)
    assert [problem.partition(":")[0] for problem in dry.failed] == [f"template {tmp_path / 'email.txt.j2'}, line 2"]
    assert notify(job(templates=tmp_path)).failed == dry.failed
    assert "fine so far" not in servers[0].messages[0].get_body(("plain",)).get_content()


def test_a_replay_tells_the_receivers_the_machine_s_time(job, report, store, servers, now):
    """The webhook's receiver refuses a timestamp that is five minutes old; a replayed job's clock may be years behind."""
    smtp, hook = servers
    then = now - timedelta(days=200)
    write_report(job(then), ["en"])
    with store.transaction() as connection:
        connection.execute("DELETE FROM report WHERE report_id = $id", {"id": report})
    assert not notify(job(then), sent_at=now).failed
    assert hook.rejected == 0 and len(hook.received) == 1
    assert smtp.messages[0]["Date"].datetime == now
    assert set(table(store, "delivery")["sent_at"]) == {then}


def test_without_a_report_or_a_channel_there_is_nothing_to_send(job, store, settings):
    with pytest.raises(BadInput, match="no report to send yet"):
        notify(job())
    assert notify(job(smtp_host="", webhook_url="")).text.startswith("no channel is set up")
    assert table(store, "delivery").empty
