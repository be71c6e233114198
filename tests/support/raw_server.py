"""A server of raw bytes on 127.0.0.1, for answers that no HTTP library would send.

with serve_raw(lambda line, closing: line.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")) as server:
    ... server.url, server.asked, server.cut
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Talk = Callable[[socket.socket, threading.Event], None]
"""Gets the connection of one request, whose head has been read, and an event that is set when the server closes."""

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class RawServer:
    """`asked` holds the head of every request; `cut` is set once the other side has hung up in the middle of an answer."""

    url: str
    asked: list[bytes] = field(default_factory=list)
    cut: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serve_raw(talk: Talk, certificate: tuple[Path, Path] | None = None) -> Iterator[RawServer]:
    """One thread a connection, one request each; over TLS with a certificate and its key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = RawServer(f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}")

        def answer(plain: socket.socket) -> None:
            plain.settimeout(30)
            with contextlib.suppress(OSError), encrypted(plain, certificate) as line:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += line.recv(65_536)
                server.asked.append(head)
                try:
                    talk(line, server.closing)
                except OSError as error:
                    if not isinstance(error, TimeoutError):
                        server.cut.set()

        def accept() -> None:
            while not server.closing.is_set():
                with contextlib.suppress(TimeoutError):
                    line, _ = listener.accept()
                    threading.Thread(target=answer, args=(line,), daemon=True).start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            server.closing.set()
            acceptor.join(timeout=5)


def encrypted(plain: socket.socket, certificate: tuple[Path, Path] | None) -> socket.socket:
    if certificate is None:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context.wrap_socket(plain, server_side=True)


def say(*parts: bytes) -> Talk:
    """Sends the parts and closes."""

    def talk(line: socket.socket, closing: threading.Event) -> None:
        for part in parts:
            line.sendall(part)

    return talk


def drip(first: bytes, endless: bytes, pause_s: float = 0.01) -> Talk:
    """Sends `first`, then `endless` a byte at a time, over and over, until the other side hangs up or the server closes."""

    def talk(line: socket.socket, closing: threading.Event) -> None:
        line.sendall(first)
        while not closing.is_set():
            for byte in endless:
                line.sendall(bytes([byte]))
                closing.wait(pause_s)

    return talk


def flood(first: bytes, endless: bytes) -> Talk:
    """Sends `first`, then `endless` over and over, as fast as it is taken."""

    def talk(line: socket.socket, closing: threading.Event) -> None:
        line.sendall(first)
        while not closing.is_set():
            line.sendall(endless * (65_536 // len(endless) + 1))

    return talk


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP answer; Content-Length is given unless a header of that name is.

    It says that the line closes, as `serve_raw` does: a client that uses a closing line again loses its request.
    """
    length = b"" if any(header.lower().startswith(b"content-length") for header in headers) else b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + b"".join(header + b"\r\n" for header in headers) + length + b"\r\n" + body
