"""The channel Slack: Block Kit to an incoming webhook, an address that is itself the secret."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from forecaster.errors import DeliveryRefused
from forecaster.notify import http_post
from forecaster.notify.addresses import recipient_label
from forecaster.notify.channels.channel import Batch, Channel, Shown
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings

logger = logging.getLogger(__name__)

# Answers of the webhook after which it never accepts a message again (api.slack.com, Sending messages using incoming webhooks)
GONE = frozenset({"no_service", "no_service_id", "no_team", "team_disabled", "channel_is_archived", "channel_not_found", "invalid_token"})


@dataclass(frozen=True)
class SlackSettings:
    """The address that messages are posted to."""

    slack_webhook_url: SecretStr
    allow_private: bool = False
    timeout_s: float = http_post.TIMEOUT_S


def send_slack(payload: Mapping[str, Any], settings: SlackSettings, now: datetime, session: http_post.Session | None = None) -> int:
    """POST the payload, and return the status (200). Where Slack refuses the blocks, the text alone is sent.

    An incoming webhook has no idempotency key and returns no message id: a message that is sent again arrives twice, and there are no
    threads.

    Raises:
        DeliveryRefused: 404, 410 and other 4xx: the webhook, its channel or its team is gone, or the payload is invalid.
        DeliveryFailed: 429 (with the wait that Slack asks for), 5xx, time-out, no connection.
    """
    address = http_post.WebAddress(settings.slack_webhook_url, "Slack", "slack_webhook_url", settings.allow_private, settings.timeout_s)
    answer = _post(payload, address, session)
    if answer.status == 400 and answer.text.startswith("invalid_blocks") and "blocks" in payload:
        logger.error("%s refused the blocks of a message (%s); its text is sent alone", address.where, _code(answer))
        answer = _post({name: value for name, value in payload.items() if name != "blocks"}, address, session)
    if 400 <= answer.status < 500 and answer.status not in http_post.RETRYABLE:
        todo = "make a new webhook and set slack_webhook_url" if _code(answer) in GONE else "check slack_webhook_url"
        raise DeliveryRefused(f"{address.where} answered {answer.status} {_code(answer)}; {todo}")
    return http_post.expect_success(answer, address, now)


def _post(payload: Mapping[str, Any], address: http_post.WebAddress, session: http_post.Session | None) -> http_post.Answer:
    body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    return http_post.request("POST", address, body, {"Content-Type": "application/json; charset=utf-8"}, session)


def _code(answer: http_post.Answer) -> str:
    """Return Slack's error code, which is one word; anything else is not repeated."""
    word = answer.text.strip()
    return word if word.replace("_", "").isalnum() and word.isascii() and len(word) < 60 else "(no reason that can be told)"


class SlackChannel(Channel[dict[str, Any]]):
    name = "slack"
    ending = "json"

    def recipients(self, settings: Settings) -> list[Recipient]:
        url = settings.slack_webhook_url.get_secret_value()
        return [Recipient(self.name, recipient_label(url), settings.slack_webhook_url)] if url else []

    def render(self, letter: Letter, to: Recipient | None, *, repeat: bool = False) -> dict[str, Any]:
        return letter.slack(repeat)

    def send(self, rendered: dict[str, Any], to: Recipient, batch: Batch, *, delivery_id: str, now: datetime) -> None:
        send_slack(rendered, SlackSettings(to.address, batch.settings.webhook_allow_private), now, batch.web)

    def preview(self, rendered: dict[str, Any]) -> Shown:
        line = f"{rendered['text']!r}, {len(rendered.get('blocks', []))} blocks"
        return Shown(line, rendered["text"], json.dumps(rendered, ensure_ascii=False, indent=2))


CHANNEL = SlackChannel()
