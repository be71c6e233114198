"""The channel webhook: a JSON document to one address, signed by the Standard Webhooks scheme (standardwebhooks.com)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from forecaster.errors import DeliveryRefused
from forecaster.notify import http_post
from forecaster.notify.addresses import recipient_label
from forecaster.notify.channels.channel import Batch, Channel, Shown, kilobytes
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings


@dataclass(frozen=True)
class WebhookSettings:
    """Where the webhook goes and the secret (whsec_... or base64) that signs it. Loopback and private addresses need the permission."""

    webhook_url: SecretStr
    webhook_secret: SecretStr
    webhook_allow_private: bool = False
    timeout_s: float = http_post.TIMEOUT_S


def send_webhook(
    document: Mapping[str, Any], delivery_id: str, settings: WebhookSettings, now: datetime, session: http_post.Session | None = None
) -> int:
    """POST `document` as JSON, signed, and return the status (2xx).

    Headers: webhook-id (= `delivery_id`, by which the receiver may drop repeats), webhook-timestamp (`now`), webhook-signature.

    Raises:
        DeliveryRefused: 410 and other 4xx, a redirect, a forbidden address, a bad URL or secret.
        DeliveryFailed: 408, 425, 429, 5xx, time-out, no connection.
    """
    address = http_post.WebAddress(settings.webhook_url, "webhook", "webhook_url", settings.webhook_allow_private, settings.timeout_s)
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": _sign(body, delivery_id, settings, now, address.where),
    }
    return http_post.expect_success(http_post.request("POST", address, body.encode(), headers, session), address, now)


def can_sign(secret: SecretStr) -> bool:
    """Return whether this secret can make a signature."""
    try:
        Webhook(secret.get_secret_value())
    except (ValueError, EmptyWebhookSecretError):
        return False
    return True


def _sign(body: str, delivery_id: str, settings: WebhookSettings, now: datetime, where: str) -> str:
    try:
        return Webhook(settings.webhook_secret.get_secret_value()).sign(delivery_id, now.astimezone(UTC), body)
    except (ValueError, EmptyWebhookSecretError):
        raise DeliveryRefused(f"{where}: webhook_secret cannot sign; it must be whsec_ and base64, and not empty") from None


class WebhookChannel(Channel[dict[str, Any]]):
    name = "webhook"
    ending = "json"

    def recipients(self, settings: Settings) -> list[Recipient]:
        url = settings.webhook_url.get_secret_value()
        return [Recipient(self.name, recipient_label(url), settings.webhook_url)] if url else []

    def render(self, letter: Letter, to: Recipient | None, *, repeat: bool = False) -> dict[str, Any]:
        return letter.document()

    def send(self, rendered: dict[str, Any], to: Recipient, batch: Batch, *, delivery_id: str, now: datetime) -> None:
        settings = batch.settings
        hook = WebhookSettings(settings.webhook_url, settings.webhook_secret, settings.webhook_allow_private)
        send_webhook(rendered, delivery_id, hook, now, batch.web)

    def preview(self, rendered: dict[str, Any]) -> Shown:
        line = f"{rendered.get('version', 'a shape of your own')}, {kilobytes(json.dumps(rendered, ensure_ascii=False))}"
        return Shown(line, rendered.get("text", rendered.get("version", "")), json.dumps(rendered, ensure_ascii=False, indent=2))

    def problems(self, settings: Settings) -> list[str]:
        if not settings.webhook_url.get_secret_value() or can_sign(settings.webhook_secret):
            return []
        wrong = "cannot sign" if settings.webhook_secret.get_secret_value() else "is not set, and QUAKECAST_WEBHOOK_URL is"
        return [f"QUAKECAST_WEBHOOK_SECRET {wrong}; it must be whsec_ and base64, the same as the receiver's"]


CHANNEL = WebhookChannel()
