"""While a receiver is silent, the place of the writer is free: in the morning's flow, at the end of a day's, and of a verification's."""

import threading
from dataclasses import replace

import pytest

from flows.daily import daily
from flows.send import send
from flows.verify import verify
from forecaster.notify.channels import email_channel
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, one_at_a_time
from tests.flows.conftest import NOW
from tests.support.slow_server import SlowServer
from tests.support.toys import table


def run_daily():
    return daily(train_mode="never", simulated_now=NOW, languages=("en",), send="everything", recipes=["athens"])


def run_verify():
    return verify(pull=False)  # the catalogue is old, which is told


@pytest.mark.parametrize("flow", [send, run_daily, run_verify], ids=["send", "daily", "verify"])
def test_a_silent_mail_server_does_not_keep_the_place_of_the_writer(world, monkeypatch, flow):
    patient = email_channel.mail_settings
    monkeypatch.setattr(email_channel, "mail_settings", lambda settings: replace(patient(settings), timeout_s=2.0))
    place, taken = world.settings.database.with_name(WRITER_LOCK), []
    with SlowServer() as silent:

        def look() -> None:
            if silent.accepted.wait(120):
                with one_at_a_time(place, "the test", None):  # StoreBusy where the flow holds it
                    taken.append(table(world.store, "delivery")["state"].tolist())

        monkeypatch.setenv("QUAKECAST_SMTP_PORT", str(silent.port))
        watcher = threading.Thread(target=look)
        watcher.start()
        done = flow()
        watcher.join(120)
    assert len(taken) == 1 and "sending" in taken[0]
    assert done["state"] == "partial" and any("SMTP server" in problem for problem in done["problems"])
