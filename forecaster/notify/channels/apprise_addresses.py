"""Messages by apprise: Teams, Discord, Telegram, ntfy and some hundred more services, each by an address that holds its secrets."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused, ReceiverSilent
from forecaster.notify import http_post
from forecaster.notify.addresses import check_address, host_and_port

if TYPE_CHECKING:
    from apprise import NotifyBase
else:
    NotifyBase = object

WHOLE_S = 60.0  # of an attempt, the start of its process included
SEPARATOR = 2  # apprise puts \r\n between title and text where a service has no place for a title


@dataclass(frozen=True)
class Limits:
    """The length limits of a service: of the title, of the text, of both `together` (None: separate limits), counted in `unit`."""

    title: int
    text: int
    together: bool
    unit: Literal["utf16", "bytes"] = "utf16"


# Where apprise's own figures count otherwise than the service: ntfy, Server configuration, message-size-limit (4K, in bytes);
# Firebase Cloud Messaging, payload (4,096 bytes, of which names and punctuation take some).
_CORRECTED = {"ntfy": Limits(200, 4096, True, "bytes"), "ntfys": Limits(200, 4096, True, "bytes"), "fcm": Limits(250, 3500, True, "bytes")}


def split_addresses(urls: str) -> list[str]:
    """Split a list of addresses with commas or blanks between them. A comma inside an address is kept."""
    return [url for part in re.split(r"[\s,]+(?=[A-Za-z0-9]+://)", urls.strip()) if (url := part.strip(" ,\n\t"))]


def service_label(url: str) -> str:
    """Return the service's name, and its host where that is no secret: "Discord", "ntfy ntfy.example.org"."""
    service = find_service(url)
    if service is None:
        return "an address that apprise does not understand"
    return f"{service.service_name} {_host(service)}".strip()


def limits_of(url: str) -> Limits:
    """Return the length limits of the service of an address. Services that count UTF-16 units (Discord, Telegram) or characters are both
    counted in UTF-16 units, which are never fewer."""
    scheme = url.partition("://")[0].lower()
    if scheme in _CORRECTED:
        return _CORRECTED[scheme]
    service: Any = find_service(url)
    if service is None:
        return Limits(0, 0, True)
    together = service.title_maxlen <= 0 or service.overflow_amalgamate_title
    return Limits(max(service.title_maxlen, 0) or service.body_maxlen, service.body_maxlen, together)


def send_apprise(title: str, text: str, url: SecretStr, *, allow_private: bool = False, whole_s: float = WHOLE_S) -> None:
    """Send a title and a plain text, in a process of its own that is ended after `whole_s`. Nothing that apprise logs is logged: its
    records name addresses.

    apprise reports success or failure only. The HTTP status of a failure is known where apprise reports one. Most services have no
    idempotency key: a message that is sent again arrives twice.

    Raises:
        DeliveryRefused: an address that apprise does not understand, or that leads where messages must not go; 4xx.
        DeliveryFailed: anything else that went wrong.
    """
    service = find_service(url.get_secret_value())
    if service is None:
        raise DeliveryRefused("apprise does not understand one of apprise_urls; see its list of services for how to write it")
    label = f"apprise to {service.service_name}"
    host = _host(service)
    if host:
        check_address(*host_and_port(f"http://{host}", "apprise_urls"), f"{label} {host}", allow_private)
    # a service with an address of its own may be reached through a proxy of this net
    asked = {"url": url.get_secret_value(), "title": title, "text": text, "allow_private": allow_private or not host}
    answer = _in_child(asked, label, whole_s)
    if answer["done"]:
        return
    if answer["error"]:
        raise ReceiverSilent(f"{label} broke off ({answer['error']}); will be tried again")
    if not (statuses := answer["statuses"]):
        raise ReceiverSilent(f"{label} could not deliver; will be tried again")
    if 400 <= statuses[-1] < 500 and statuses[-1] not in http_post.RETRYABLE:
        raise DeliveryRefused(f"{label} answered {statuses[-1]}; check apprise_urls")
    raise DeliveryFailed(f"{label} answered {statuses[-1]}; will be tried again")


def _in_child(asked: dict[str, Any], label: str, whole_s: float) -> dict[str, Any]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("QUAKECAST_")}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "forecaster.notify.channels.apprise_child"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=whole_s,
            env=own,
            check=True,
        )
        return dict(json.loads(child.stdout))
    except subprocess.TimeoutExpired:
        raise ReceiverSilent(f"{label} was not done within {whole_s:g} s; will be tried again") from None
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise DeliveryFailed(f"{label}: its process ended without an answer ({type(error).__name__}); will be tried again") from None


def find_service(url: str) -> "NotifyBase | None":
    """Return apprise's service for an address; None where apprise does not understand it."""
    import apprise

    asset = apprise.AppriseAsset(
        app_id="quakecast", app_desc="quakecast", async_mode=False, secure_logging=True, http_redirects=False, storage_mode="memory"
    )
    with http_post.unlogged("apprise"):
        return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def scheme_state(scheme: str) -> Literal["known", "disabled", "unknown"]:
    """Return whether apprise has a service of this scheme; disabled: what it needs is not installed."""
    from apprise.manager_plugins import NotificationManager

    services = NotificationManager()
    if scheme not in services:
        return "unknown"
    return "known" if services[scheme].enabled else "disabled"


def _host(service: Any) -> str:
    """Return host[:port] where the address names a server; the parts of other addresses may be secrets."""
    if not any("{host}" in template for template in service.templates) or not service.host:
        return ""
    return f"{service.host}:{service.port}" if service.port else str(service.host)
