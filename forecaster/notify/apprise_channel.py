"""Everything that apprise knows: Teams, Discord, Telegram, ntfy and some hundred more, each by an address that holds its secrets."""

import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify import web
from forecaster.notify.addresses import check_address

if TYPE_CHECKING:
    from apprise import NotifyBase
else:
    NotifyBase = object

_STATUS = re.compile(r"error=(\d{3})\b")


def split_addresses(urls: str) -> list[str]:
    """The addresses of a list with commas or blanks between; a comma inside of one is kept."""
    return [url for part in re.split(r"[\s,]+(?=[A-Za-z0-9]+://)", urls.strip()) if (url := part.strip(" ,\n\t"))]


def service_label(url: str) -> str:
    """The service's name, and its host where that is no secret: "Discord", "ntfy ntfy.example.org"."""
    service = _service(url)
    if service is None:
        return "an address that apprise does not understand"
    return f"{service.service_name} {_host(service)}".strip()


def send_apprise(title: str, text: str, url: SecretStr, *, allow_private: bool = False) -> None:
    """Send a title and a plain text. Nothing that apprise logs is logged: it names addresses.

    apprise tells success or failure only; of a failure the HTTP status is known where it reports one. Most services know no
    idempotency key: a message that is sent again comes twice.

    Raises:
        DeliveryRefused: an address that apprise does not understand, or that leads where messages must not go; 4xx.
        DeliveryFailed: anything else that went wrong.
    """
    service = _service(url.get_secret_value())
    if service is None:
        raise DeliveryRefused("apprise does not understand one of apprise_urls; see its list of services for how to write it")
    label = f"apprise to {service.service_name}"
    if host := _host(service):
        check_address(f"http://{host}", f"{label} {host}", "apprise_urls", allow_private)
    with web.unlogged("apprise", "urllib3", "requests") as said:
        try:
            done = service.notify(title=title, body=text, body_format="text")
        except Exception as error:  # noqa: BLE001  whatever a service's plugin does
            raise DeliveryFailed(f"{label} broke off ({type(error).__name__}); will be tried again") from None
    if done:
        return
    statuses = [int(status) for line in said for status in _STATUS.findall(line)]
    if statuses and 400 <= statuses[-1] < 500 and statuses[-1] not in web.RETRYABLE:
        raise DeliveryRefused(f"{label} answered {statuses[-1]}; check apprise_urls")
    answered = f"answered {statuses[-1]}" if statuses else "could not deliver"
    raise DeliveryFailed(f"{label} {answered}; will be tried again")


def _service(url: str) -> "NotifyBase | None":
    import apprise

    asset = apprise.AppriseAsset(
        app_id="quakecast", app_desc="quakecast", async_mode=False, secure_logging=True, http_redirects=False, storage_mode="memory"
    )
    with web.unlogged("apprise"):
        return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _host(service: Any) -> str:
    """host[:port] where the address names a server; the parts of other addresses may be secrets."""
    if not any("{host}" in template for template in service.templates) or not service.host:
        return ""
    return f"{service.host}:{service.port}" if service.port else str(service.host)
