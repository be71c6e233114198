"""The reason why nothing answers at an address (name, network, proxy or certificate), and advice to the operator.

The proxy is the one that requests takes from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.
"""

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError

STILL_WORKS = "what is stored still serves: predict, report, status and sql need no network"
HOW_TO = "docs/how-to/network.md"


def host_of(url: str) -> str:
    """Return scheme, host and port of an address, without a login."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return url[:60]
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else url[:60]


def proxy_of(url: str) -> str | None:
    """Return the proxy for this address, without a login; None where the address is contacted directly."""
    proxy = select_proxy(url, get_environ_proxies(url))
    return None if not proxy else host_of(proxy if "://" in proxy else f"http://{proxy}")


def is_no_connection(error: BaseException) -> bool:
    """Return whether nothing was received from the address: the request never reached it."""
    kinds = (NameResolutionError, NewConnectionError, ConnectTimeoutError, ProxyError, requests.exceptions.ConnectTimeout)
    return any(isinstance(cause, kinds) for cause in _causes(error))


def bad_certificate(error: BaseException) -> str | None:
    """Return what is wrong with the certificate that was shown; None where the certificate is not the cause."""
    return next(
        (cause.verify_message or "not trusted" for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None
    )


def reason(error: BaseException, url: str) -> str:
    """Return why the connection failed, in plain words."""
    causes = list(_causes(error))
    through = next((cause for cause in causes if isinstance(cause, ProxyError)), None)
    plain = _plainly(causes)
    return f"the proxy {proxy_of(url) or 'on the way'} does not let us through: {plain}" if through is not None else plain


def advice(url: str) -> str:
    """Return what to check, with the present proxy setting for this address."""
    name = "HTTPS_PROXY" if urlsplit(url).scheme == "https" else "HTTP_PROXY"
    proxy = proxy_of(url)
    now = f"check {name} (now {proxy})" if proxy else f"behind a proxy set {name} (not set now)"
    return f"check the network; {now}; {HOW_TO} says more; {STILL_WORKS}"


def _plainly(causes: list[BaseException]) -> str:
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return "the name does not resolve"
    last = causes[-1]
    if isinstance(last, OSError) and last.strerror:
        return last.strerror.lower()
    if any(isinstance(cause, (ConnectTimeoutError, requests.exceptions.ConnectTimeout)) for cause in causes):
        return "nothing answers there"
    text = str(last.args[0]) if last.args and isinstance(last.args[0], str) else type(last).__name__
    return text.removeprefix("Tunnel connection failed: ")[:100]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, from the outside in: libraries wrap the reason in three or four layers."""
    seen: list[BaseException] = []
    found: object = error
    while isinstance(found, BaseException) and found not in seen:
        seen.append(found)
        yield found
        inside = [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]
        found = next((each for each in inside if isinstance(each, BaseException)), None)
