"""Settings that lead to the local servers of a test."""

from tests.support.slack_server import SlackServer
from tests.support.smtp_server import SmtpServer
from tests.support.webhook_server import WebhookServer


def channels_to(
    smtp: SmtpServer | None = None, hook: WebhookServer | None = None, slack: SlackServer | None = None, **more: object
) -> dict:
    """Keywords of `load_settings`: mail to a@example.org, webhook and Slack, each where a server is given; `more` is added."""
    found: dict[str, object] = {}
    if smtp is not None:
        found |= {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_security": "none", "mail_to": "a@example.org"}
    if hook is not None:
        found |= {"webhook_url": f"http://127.0.0.1:{hook.port}/hook", "webhook_secret": hook.secret, "webhook_allow_private": True}
    if slack is not None:
        found |= {"slack_webhook_url": slack.url}
    return found | more
