"""From settings to the channels that are set up: what they are called, and the functions that send a message over each."""

from collections.abc import Callable
from datetime import datetime

from forecaster.notify import email, outbox, webhook
from forecaster.notify.addresses import recipient_label
from forecaster.reports import export, mails
from forecaster.reports.message import Message, message_document
from forecaster.settings import Settings, code_version


def recipients(settings: Settings) -> dict[str, str]:
    """Channel -> label of those that are set up; labels hold no secret."""
    found = {}
    if settings.smtp_host and settings.mail_to:
        found["email"] = f"{len(settings.mail_to)} by {settings.smtp_host}"
    if settings.webhook_url.get_secret_value():
        found["webhook"] = recipient_label(settings.webhook_url.get_secret_value())
    return found


def mail_settings(settings: Settings) -> email.MailSettings:
    """Where mail goes out."""
    return email.MailSettings(
        smtp_host=settings.smtp_host,
        smtp_port=settings.smtp_port,
        smtp_security=settings.smtp_security,  # type: ignore[arg-type]
        smtp_username=settings.smtp_username,
        smtp_password=settings.smtp_password,
        mail_from=settings.mail_from or "quakecast@localhost",
        mail_to=settings.mail_to,
    )


def webhook_settings(settings: Settings) -> webhook.WebhookSettings:
    """Where the webhook goes."""
    return webhook.WebhookSettings(settings.webhook_url, settings.webhook_secret, settings.webhook_allow_private)


def message_senders(settings: Settings, now: datetime) -> dict[str, Callable[[Message], object]]:
    """Channel -> function that sends one short message, or raises DeliveryRefused or DeliveryFailed; only channels that are set up."""

    def send_mail(message: Message) -> object:
        mail = mail_settings(settings)
        subject, text, html = mails.render_message(message, settings.language, settings.templates)
        return email.send_email(email.build_message(message.subject_id, subject, text, html, {}, mail, now), mail)

    def send_hook(message: Message) -> object:
        document = message_document(message, code_version())
        export.check_document("webhook.json", document)
        return webhook.send_webhook(document, outbox.delivery_id(message.subject_id, "webhook"), webhook_settings(settings), now)

    every: dict[str, Callable[[Message], object]] = {"email": send_mail, "webhook": send_hook}
    return {channel: send for channel, send in every.items() if channel in recipients(settings)}
