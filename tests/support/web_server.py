"""A real HTTP server on a free port of this machine that notes what it was asked and answers as it is told.

with WebServer([(429, {"Retry-After": "7"}, b""), 200]) as server: ...  server.port, server.asked
"""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Reply = int | tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class WebServer:
    """`replies` are given in turn, the last one for ever, each after `silence_s`; a subclass may `judge` what it is asked instead."""

    replies: list[Reply] = field(default_factory=lambda: [200])
    silence_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    connections: int = 0

    def judge(self, asked: Asked) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def __enter__(self):
        book = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # a connection may carry more than one request

            def setup(self) -> None:
                book.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                book.asked.append(asked)
                reply = book.judge(asked)
                status, headers, said = (reply, {}, b"") if isinstance(reply, int) else reply
                time.sleep(book.silence_s)
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(said))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(said)
                except OSError:  # the client did not wait: that is what the test is about
                    return

            do_GET = do_POST
            do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Requests)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
