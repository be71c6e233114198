"""Where messages may go: which IP addresses are refused, and how a URL is named without revealing its secret."""

import ipaddress
import socket
from urllib.parse import urlsplit

from forecaster.errors import DeliveryFailed, DeliveryRefused

PERMIT = "webhook_allow_private"
METADATA_ADDRESSES = frozenset({"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "192.0.0.192"})  # cloud services' own
# IANA's registry of special-purpose IPv6 addresses. Those that are sent on to the IPv4 address in their last 32 bits: mapped, NAT64.
CARRIERS = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
# Of 2000::/3, where a stranger's relay decides where a packet ends, or no host is: protocol assignments with Teredo, documentation, 6to4
NOWHERE_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
GLOBAL_V6, PRIVATE_V6 = ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7")


def recipient_label(url: str) -> str:
    """Return scheme, host and port of a URL. The rest may hold a secret and is never stored or logged."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "(not a URL)"


def is_forbidden(address: str, allow_private: bool) -> bool:
    """Return whether a message must not go to this IP address: link-local, metadata, multicast; unless allowed, loopback and private.

    An IPv6 address that carries an IPv4 one is treated as that one. Of the others only global unicast (2000::/3), private (fc00::/7) and
    loopback addresses can be reached at all. The rest (a net's own NAT64, IPv4-compatible and -translated, segment routing ...) is always
    refused.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in net for net in CARRIERS):
            return is_forbidden(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)), allow_private)
        if not (ip in GLOBAL_V6 or ip in PRIVATE_V6 or ip.is_loopback) or any(ip in net for net in NOWHERE_V6):
            return True
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or str(ip) in METADATA_ADDRESSES:
        return True
    return not (ip.is_global or allow_private)


def host_and_port(url: str, setting: str) -> tuple[str, int]:
    """Return host and port of a URL.

    Raises:
        DeliveryRefused: it is not an http(s) address; `setting` is the name of the setting that holds it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise DeliveryRefused(f"{setting} is not an http(s) address; write it as https://host/path")
    return host, port


def check_address(host: str, port: int, where: str, allow_private: bool, *, by_proxy: bool = False) -> None:
    """Check where a name leads before connecting. The address that it resolves to later is checked again on the open connection.

    Args:
        where: what messages call the receiver.
        by_proxy: a proxy will resolve the name; it is then no error if this machine cannot.

    Raises:
        DeliveryRefused: it leads where messages must not go. DeliveryFailed: the name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if by_proxy:
            return
        raise DeliveryFailed(f"{where}: the name does not resolve; will be tried again") from None
    if any(is_forbidden(str(item[4][0]), allow_private) for item in found):
        raise DeliveryRefused(
            f"{where} leads to an address that messages must not reach (link-local, metadata, or private without {PERMIT})"
        )


def is_loopback_name(host: str) -> bool:
    """Return whether `host` is this machine by its name or number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
