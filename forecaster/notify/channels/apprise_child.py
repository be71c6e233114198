"""Send one message by apprise, in a process of its own that can be ended: the run time of a service's plugin is unknown.

    python -m forecaster.notify.channels.apprise_child < {"url", "title", "text", "allow_private"} > {"done", "statuses", "error"}

The process has none of quakecast's settings in its environment. Its memory is limited. It reaches no address that messages must not reach.
"""

import contextlib
import json
import re
import resource
import socket
import sys
from typing import Any

from forecaster.notify import http_post
from forecaster.notify.addresses import is_forbidden
from forecaster.notify.channels.apprise_addresses import find_service

MAX_MEMORY = 2 << 30  # bytes of address space: an answer without an end breaks off
_STATUS = re.compile(r"error=(\d{3})\b")


def send(url: str, title: str, text: str) -> dict[str, Any]:
    """Return the result: whether the service accepted it, the HTTP statuses that apprise reported, and the type of the error that it
    raised."""
    service = find_service(url)
    if service is None:
        return {"done": False, "statuses": [], "error": "address"}
    with http_post.unlogged("apprise", "urllib3", "requests") as lines:
        try:
            done, error = bool(service.notify(title=title, body=text, body_format="text")), None
        except Exception as raised:  # noqa: BLE001  whatever a service's plugin does
            done, error = False, type(raised).__name__
    return {"done": done, "statuses": [int(status) for line in lines for status in _STATUS.findall(line)], "error": error}


def guard_addresses(allow_private: bool) -> None:
    """Make sure that from now on no name resolves to an address that messages must not reach."""
    resolve = socket.getaddrinfo

    def checked(*args: Any, **kwargs: Any) -> Any:
        found = resolve(*args, **kwargs)
        if any(is_forbidden(str(item[4][0]), allow_private) for item in found):
            raise socket.gaierror(socket.EAI_FAIL, "an address that messages must not reach")
        return found

    socket.getaddrinfo = checked


def main() -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    asked = json.load(sys.stdin)
    guard_addresses(asked["allow_private"])
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        answer = send(asked["url"], asked["title"], asked["text"])
    json.dump(answer, output)


if __name__ == "__main__":
    main()
