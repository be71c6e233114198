"""TCP connections that always end: the address is checked before anything is sent, and all are cut when an attempt takes too long.

A socket time-out limits a single pause only. A server that sends a byte now and then could hold an attempt for ever.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from forecaster.errors import DeliveryRefused
from forecaster.notify.addresses import PERMIT

MAX_ADDRESSES = 4  # addresses of a name that are tried; each may wait for a time-out
PATIENCE = 4  # an attempt as a whole takes this many time-outs at most


class Connections:
    """The open connections of one sender. `is_refused` returns whether an IP address must not be reached."""

    def __init__(self, is_refused: Callable[[str], bool] = lambda address: False) -> None:
        self._is_refused = is_refused
        self._open: list[socket.socket] = []
        self.were_cut = False

    def open(self, host: str, port: int, timeout_s: float | None, *, trusted: bool = False) -> socket.socket:
        """Open a connection to the first address of `host` that answers. `trusted`: the operator's own proxy, wherever it is.

        Raises:
            DeliveryRefused: the name leads where messages must not go; nothing has been connected to.
            OSError: nothing answers.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:MAX_ADDRESSES]
        if not trusted and any(self._is_refused(str(place[0])) for *_, place in found):
            raise DeliveryRefused(f"a receiver's name led to an address that messages must not reach; see {PERMIT}")
        last: OSError = OSError("the name has no address")
        for *_, place in found:
            try:
                connected = socket.create_connection((str(place[0]), int(place[1])), timeout_s)
            except OSError as error:
                last = error
                continue
            self._open.append(connected.dup())  # shutting down one object also shuts down the other, whether wrapped in TLS or not
            if self.were_cut:
                self._cut()
            return connected
        raise last

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut every connection after `seconds`, if the block has not ended by then. The code inside sees a broken connection."""
        self.were_cut = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self.were_cut = True
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Forget the connections that were opened; the code that opened them closes them."""
        for connection in self._open:
            connection.close()
        self._open.clear()
