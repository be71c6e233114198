"""The channel webhook: a signed JSON document to one address."""

import json
from datetime import datetime
from typing import Any

from forecaster.notify.addresses import recipient_label
from forecaster.notify.channels.channel import Batch, Channel, Shown, kilobytes
from forecaster.notify.outbox import Recipient
from forecaster.notify.webhook import WebhookSettings, can_sign, send_webhook
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings


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
