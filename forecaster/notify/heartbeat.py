"""The heartbeat after each run (healthchecks.io and similar services): an outside monitor notices when it is missing."""

from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed
from forecaster.notify import http_post

TIMEOUT_S = 10.0


def failure_url(url: str) -> str:
    """Return `url` with /fail after its path, where healthchecks.io accepts the heartbeat of a failed run. An invalid URL is returned
    unchanged."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def beat(url: SecretStr, *, failed: bool, allow_private: bool, timeout_s: float = TIMEOUT_S) -> int:
    """GET the address (that of a failed run, where `failed`), and return the status (2xx).

    Raises:
        DeliveryRefused: a forbidden address, or an invalid URL.
        DeliveryFailed: time-out, no connection, another status.
    """
    target = SecretStr(failure_url(url.get_secret_value())) if failed else url
    address = http_post.WebAddress(target, "heartbeat", "heartbeat_url", allow_private, timeout_s)
    answer = http_post.request("GET", address)
    if not 200 <= answer.status < 300:
        raise DeliveryFailed(f"{address.where} answered {answer.status}; check heartbeat_url")
    return answer.status
