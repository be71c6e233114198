"""A real TCP server that takes its time: silent, or with an answer that drips or never ends, whatever it is asked.

with SlowServer(drip=b"HTTP/1.1 200 OK") as server: ...  server.port, server.connections
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class SlowServer:
    """Each connection gets `first` at once; then a byte of `drip` every `pause_s`, over and over; else `flood` without an end, or silence.

    `accepted` is set at the first connection. All ends when the server is closed.
    """

    first: bytes = b""
    drip: bytes = b""
    flood: bytes = b""
    pause_s: float = 0.05
    connections: int = 0
    sent: int = 0
    accepted: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __enter__(self) -> "SlowServer":
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._closed.is_set():
                connection, _ = self._listener.accept()
                self.connections += 1
                self.accepted.set()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(self.first)
            place = 0
            while not self._closed.wait(0.0 if self.flood else self.pause_s):
                if self.flood:
                    connection.sendall(self.flood)
                    self.sent += len(self.flood)
                elif self.drip:
                    connection.sendall(self.drip[place : place + 1])
                    place = (place + 1) % len(self.drip)
