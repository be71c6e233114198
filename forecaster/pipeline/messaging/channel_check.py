"""Whether the settings of channels can work together, told at the start and not by a dead letter. Each by itself is checked when settings
are loaded."""

import re
from email.utils import parseaddr

from forecaster.errors import BadInput
from forecaster.notify import apprise_channel, webhook
from forecaster.settings import Settings

# What apprise once knew, or knows and the service has closed: what to write instead
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


def check_channels(settings: Settings) -> None:
    """Look at every address to which messages are to go; nothing is connected.

    Raises:
        BadInput: addresses that cannot work, a line each, with the setting's name and what to write instead; no secret is repeated.
    """
    urls = apprise_channel.split_addresses(settings.apprise_urls.get_secret_value())
    problems = [f"QUAKECAST_APPRISE_URLS, address {i} of {len(urls)}: {said}" for i, url in enumerate(urls, 1) if (said := _apprise(url))]
    problems += _mail_problems(settings)
    if settings.webhook_url.get_secret_value() and not webhook.can_sign(settings.webhook_secret):
        wrong = "cannot sign" if settings.webhook_secret.get_secret_value() else "is not set, and QUAKECAST_WEBHOOK_URL is"
        problems.append(f"QUAKECAST_WEBHOOK_SECRET {wrong}; it must be whsec_ and base64, the same as the receiver's")
    if problems:
        raise BadInput("\n".join(problems))


def _apprise(url: str) -> str | None:
    """What is wrong with an address for apprise."""
    scheme, colon, rest = url.partition("://")
    scheme = scheme.lower()
    if not colon:
        return "it has no scheme; write it as apprise's list of services says, such as discord://... or ntfys://..."
    if re.match(r"[^/]*office(365)?\.com/", rest):
        scheme = "msteams" if scheme == "https" and "/workflows/" not in rest else scheme
    if reason := RETIRED.get(scheme):
        return f"{scheme}:// is retired: {reason}"
    if apprise_channel.find_service(url) is not None:
        return None
    state = apprise_channel.scheme_state(scheme)
    if state == "known":
        return f"apprise does not understand what follows {scheme}://; see its list of services for how to write it"
    if state == "disabled":
        return f"apprise can use {scheme}:// only with a package or a system that this machine does not have; see its list of services"
    return f"apprise does not know {scheme if scheme.isalnum() and len(scheme) < 20 else 'this scheme'}://; see its list of services"


def _mail_problems(settings: Settings) -> list[str]:
    if bool(settings.smtp_host) != bool(settings.mail_to):
        there, missing = ("SMTP_HOST", "MAIL_TO") if settings.smtp_host else ("MAIL_TO", "SMTP_HOST")
        return [f"QUAKECAST_{there} is set and QUAKECAST_{missing} is not: no mail would be sent; set both or neither"]
    listed = [("MAIL_TO", i, to) for i, to in enumerate(settings.mail_to, 1)]
    listed += [("MAIL_FROM", 1, settings.mail_from)] if settings.mail_from else []
    return [
        f"QUAKECAST_{name}, address {i}: it is no mail address; write name@example.org, or Name <name@example.org>"
        for name, i, to in listed
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(to)[1])
    ]
