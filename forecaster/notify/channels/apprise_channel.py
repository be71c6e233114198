"""The channel apprise: Teams, Discord, Telegram, ntfy and some hundred more, a title and a short text to each address."""

import re
from datetime import datetime

from pydantic import SecretStr

from forecaster.notify.channels import apprise_addresses
from forecaster.notify.channels.channel import Batch, Channel, Shown, kilobytes
from forecaster.notify.outbox import Recipient
from forecaster.reports.outgoing.chat import ROOMY, Room
from forecaster.reports.outgoing.letters import Letter
from forecaster.settings import Settings

# Services that apprise no longer knows, or that were closed: what to write instead
RETIRED = {
    "msteams": "Microsoft has closed these connectors; make a workflow in Teams and write workflows://",
    "boxcar": "the service is closed; choose another, such as ntfys:// or pover://",
    "faast": "the service is closed; choose another, such as ntfys:// or pover://",
    "gitter": "Gitter is a Matrix server now; write matrixs://",
    "guilded": "the service is closed; choose another, such as discord://",
    "nma": "the service is closed; choose another, such as ntfys:// or pover://",
    "popcorn": "the service is closed; choose another, such as twilio://",
    "spontit": "the service is closed; choose another, such as ntfys:// or pover://",
    "stride": "the service is closed; choose another, such as slack://",
    "toasty": "the service is closed; choose another, such as ntfys:// or pover://",
}


class AppriseChannel(Channel[tuple[str, str]]):
    name = "apprise"

    def recipients(self, settings: Settings) -> list[Recipient]:
        return [Recipient(self.name, apprise_addresses.service_label(url), SecretStr(url)) for url in _addresses(settings)]

    def render(self, letter: Letter, to: Recipient | None, *, repeat: bool = False) -> tuple[str, str]:
        return letter.chat(repeat, ROOMY if to is None else room_of(to))

    def send(self, rendered: tuple[str, str], to: Recipient, batch: Batch, *, delivery_id: str, now: datetime) -> None:
        apprise_addresses.send_apprise(*rendered, to.address, allow_private=batch.settings.webhook_allow_private)

    def preview(self, rendered: tuple[str, str]) -> Shown:
        title, text = rendered
        return Shown(f"{title!r}, text {kilobytes(text)}", title, f"{title}\n\n{text}")

    def problems(self, settings: Settings) -> list[str]:
        urls = _addresses(settings)
        wrong_addresses = [(number, wrong) for number, url in enumerate(urls, 1) if (wrong := _problem(url))]
        return [f"QUAKECAST_APPRISE_URLS, address {number} of {len(urls)}: {wrong}" for number, wrong in wrong_addresses]


CHANNEL = AppriseChannel()


def room_of(to: Recipient) -> Room:
    """Return the length limits of the service of an address that apprise knows."""
    limits = apprise_addresses.limits_of(to.address.get_secret_value())
    return Room(limits.title, limits.text, limits.text if limits.together else None, limits.unit, apprise_addresses.SEPARATOR)


def _addresses(settings: Settings) -> list[str]:
    return apprise_addresses.split_addresses(settings.apprise_urls.get_secret_value())


def _problem(url: str) -> str | None:
    """Return what is wrong with an address for apprise."""
    scheme, colon, rest = url.partition("://")
    scheme = scheme.lower()
    if not colon:
        return "it has no scheme; write it as apprise's list of services says, such as discord://... or ntfys://..."
    if re.match(r"[^/]*office(365)?\.com/", rest):
        scheme = "msteams" if scheme == "https" and "/workflows/" not in rest else scheme
    if reason := RETIRED.get(scheme):
        return f"{scheme}:// is retired: {reason}"
    if apprise_addresses.find_service(url) is not None:
        return None
    state = apprise_addresses.scheme_state(scheme)
    if state == "known":
        return f"apprise does not understand what follows {scheme}://; see its list of services for how to write it"
    if state == "disabled":
        return f"apprise can use {scheme}:// only with a package or a system that this machine does not have; see its list of services"
    return f"apprise does not know {scheme if scheme.isalnum() and len(scheme) < 20 else 'this scheme'}://; see its list of services"
