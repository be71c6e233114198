"""The channel Slack: Block Kit to an incoming webhook."""

import json
from datetime import datetime
from typing import Any

from forecaster.notify.addresses import recipient_label
from forecaster.notify.channels.channel import Batch, Channel, Shown
from forecaster.notify.outbox import Recipient
from forecaster.notify.slack import SlackSettings, send_slack
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings


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
