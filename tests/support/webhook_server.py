"""A real HTTP server on a free port of this machine that receives webhooks and verifies their signatures.

`statuses` are answered in turn, the last one for ever; a 3xx carries `Location: /elsewhere`.
"""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(b"of these tests only, 32 bytes...").decode()


@dataclass
class WebhookServer:
    secret: str
    statuses: list[int] = field(default_factory=lambda: [204])
    silence_s: float = 0.0
    received: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    rejected: int = 0
    paths: list[str] = field(default_factory=list)

    def __enter__(self) -> "WebhookServer":
        book = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                book.paths.append(self.path)
                try:
                    Webhook(book.secret).verify(body, dict(self.headers))
                    book.received.append(json.loads(body))
                    book.ids.append(self.headers["webhook-id"])
                    status = book.statuses.pop(0) if len(book.statuses) > 1 else book.statuses[0]
                except WebhookVerificationError:
                    book.rejected += 1
                    status = 401
                time.sleep(book.silence_s)
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # the client did not wait: that is what the test is about
                    return

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
