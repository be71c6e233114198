"""Settings of channels that cannot work are named at the start, with what to write instead and without their secrets."""

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.errors import BadInput
from forecaster.notify.channels.apprise_channel import RETIRED
from forecaster.pipeline.messaging.channel_check import check_channels
from forecaster.settings import load_settings
from tests.support.webhook_server import SECRET

GOOD = {
    "webhook_url": "https://hooks.example.org:8443/T0KEN?a=b",
    "webhook_secret": SECRET,
    "slack_webhook_url": "https://hooks.slack.com/services/T0/B0/T0KEN",
    "heartbeat_url": "https://hc-ping.com/T0KEN",
    "base_url": "http://127.0.0.1:8000/quakes",
    "apprise_urls": "discord://12345678901234567/T0KENabcdefgh, ntfys://ntfy.example.org/T0KEN, tgram://123456789:T0KENabcdefgh/12345, "
    "https://discord.com/api/webhooks/12345678901234567/T0KENabcdefgh",
    "smtp_host": "mail.example.org",
    "mail_to": "a@example.org, Zoë <zoe@example.org>",
    "mail_from": "Quakecast <q@example.org>",
}


def test_what_can_work_is_taken() -> None:
    check_channels(load_settings())
    check_channels(load_settings(**GOOD))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "msteams://T0KEN/a/b/",
            "msteams:// is retired: Microsoft has closed these connectors; make a workflow in Teams and write",
        ),
        ("https://outlook.office.com/webhook/T0KEN@x/IncomingWebhook/a/b", "msteams:// is retired"),
        *((f"{scheme}://T0KEN/x", f"{scheme}:// is retired") for scheme in RETIRED),
        ("discord.com/T0KEN", "it has no scheme"),
        ("nonsense://T0KEN", "apprise does not know nonsense://"),
        ("discord://T0KEN", "apprise does not understand what follows discord://"),
        ("https://example.org/T0KEN", "apprise does not know https://"),
    ],
)
def test_a_retired_or_unknown_service_is_named_with_what_to_write_instead(url: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_channels(load_settings(**{**GOOD, "apprise_urls": f"ntfys://ntfy.example.org/T0KEN {url}" if "://" in url else url}))
    assert said in str(caught.value) and "T0KEN" not in str(caught.value)
    assert str(caught.value).startswith(f"QUAKECAST_APPRISE_URLS, address {2 if '://' in url else 1} of")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mail_to": ""}, "QUAKECAST_SMTP_HOST is set and QUAKECAST_MAIL_TO is not"),
        ({"smtp_host": ""}, "QUAKECAST_MAIL_TO is set and QUAKECAST_SMTP_HOST is not"),
        ({"mail_to": "a@example.org, nobody"}, "QUAKECAST_MAIL_TO, address 2: it is no mail address"),
        ({"mail_from": "quakecast"}, "QUAKECAST_MAIL_FROM, address 1: it is no mail address"),
        ({"webhook_secret": ""}, "QUAKECAST_WEBHOOK_SECRET is not set, and QUAKECAST_WEBHOOK_URL is"),
        ({"webhook_secret": "whsec_!T0KEN"}, "QUAKECAST_WEBHOOK_SECRET cannot sign"),
    ],
)
def test_what_would_be_silence_is_named(changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_channels(load_settings(**{**GOOD, **changes}))
    assert said in str(caught.value) and "T0KEN" not in str(caught.value)


@pytest.mark.parametrize("command", [["run", "--no-send"], ["deploy"], ["worker"], ["notify"], ["notify", "--dry-run"]])
def test_each_command_that_sends_says_so_before_it_does_anything(command: list[str], tmp_path) -> None:
    home = tmp_path / "home"
    wrong = {
        "QUAKECAST_HOME": str(home),
        "QUAKECAST_APPRISE_URLS": "msteams://T0KEN/a/b/",
        "QUAKECAST_WEBHOOK_URL": "https://example.org/T0KEN",
    }
    done = CliRunner().invoke(cli.main, command, env=wrong)
    assert done.exit_code == 2 and "workflows://" in done.output and "T0KEN" not in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("quakecast: QUAKECAST_")]) == 2
    assert not home.exists()
