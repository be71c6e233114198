"""A sign of life after each run (healthchecks.io and its like): a watcher elsewhere notices when it does not come."""

from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from forecaster.errors import DeliveryFailed
from forecaster.notify import http_post

TIMEOUT_S = 10.0


def failure_url(url: str) -> str:
    """`url` with /fail after its path, where healthchecks.io takes a failed run's sign; a URL that is none stays as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def beat(url: SecretStr, *, failed: bool, allow_private: bool, timeout_s: float = TIMEOUT_S) -> int:
    """GET the address (that of a failed run, where `failed`); the status (2xx) is returned.

    Raises:
        DeliveryRefused: a forbidden address, or a URL that is none.
        DeliveryFailed: time-out, no connection, another status.
    """
    target = SecretStr(failure_url(url.get_secret_value())) if failed else url
    address = http_post.WebAddress(target, "heartbeat", "heartbeat_url", allow_private, timeout_s)
    answer = http_post.request("GET", address)
    if not 200 <= answer.status < 300:
        raise DeliveryFailed(f"{address.where} answered {answer.status}; check heartbeat_url")
    return answer.status
