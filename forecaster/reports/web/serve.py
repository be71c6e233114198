"""A small web server for the output folder: it serves reports, their index and the JSON files, and nothing else.

It accepts GET and HEAD only. It serves no file outside the folder, no dotfile, no link that leads out, no listing, and only the types in
TYPES. Only scripts that a report page itself names in its head may run. They are identified by their SHA-256; the shared script is served
only while its content matches its name. With `?download` a page is sent as one file that needs no other. The server is meant for one's own
machine. On an address other than loopback it logs a warning, and it is no substitute for a real web server there.
"""

import ipaddress
import logging
import re
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from forecaster.errors import BadInput
from forecaster.reports.render import render_index
from forecaster.reports.texts import FALLBACK
from forecaster.reports.web import assets
from forecaster.reports.web.index import list_reports, read_head, world_page

logger = logging.getLogger(__name__)

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".geojson": "application/geo+json",
    ".png": "image/png",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",  # only those of reports/assets/
}
POLICY = (
    "default-src 'none'; {scripts}style-src 'unsafe-inline' 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Cache-Control": "no-cache",
}


def content_policy(script_hashes: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy of a response: only the scripts of a report page may run, identified by their SHA-256."""
    return POLICY.format(scripts=f"script-src {' '.join(script_hashes)}; " if script_hashes else "")


class ReportServer(ThreadingHTTPServer):
    """The server of one folder; `folder` is resolved once. `serve_forever()` and `shutdown()` are as in http.server."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path, language: str, user_folder: Path | None) -> None:
        self.folder = folder.resolve()
        self.language, self.user_folder = language, user_folder
        self.loopback = is_loopback(address[0])
        super().__init__(address, _Requests)


def make_server(
    folder: Path, host: str = "127.0.0.1", port: int = 8000, language: str = FALLBACK, user_folder: Path | None = None
) -> ReportServer:
    """Return a server of `folder` that is already listening; call `serve_forever()`. Port 0 picks any free port, see `server_port`.

    Args:
        language: of the index page.
        user_folder: folder of the user's own templates and i18n files.

    Raises:
        BadInput: the folder does not exist, or the address cannot be listened on.
    """
    if not folder.is_dir():
        raise BadInput(f"nothing to serve: {folder} is not a folder; run `quakecast run` first")
    try:
        server = ReportServer((host, port), folder, language, user_folder)
    except (OSError, OverflowError) as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error}; choose another --host or --port") from None
    if not server.loopback:
        logger.warning("listening on %s: everyone who reaches this machine can read the reports; --host 127.0.0.1 keeps them here", host)
    return server


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def find_file(folder: Path, target: str) -> Path | None:
    """Return the file that a request's target names, or None where it must not be served (the response is then "not found").

    Args:
        folder: resolved.
        target: as in the request line: percent-encoded path, perhaps with a query.
    """
    path = unquote(_path_of(target), errors="replace")
    parts = [part for part in path.split("/") if part]
    if any(part.startswith(".") or re.search(r"[\x00-\x1f\\:]", part) for part in parts):
        return None
    if PurePosixPath(path).suffix.lower() not in TYPES:
        return None
    try:
        found = folder.joinpath(*parts).resolve()
        hidden = any(part.startswith(".") for part in found.relative_to(folder).parts)
        wrong_script = found.suffix.lower() == ".js" and not assets.NAME.fullmatch(found.name)
        return found if not hidden and not wrong_script and found.suffix.lower() in TYPES and found.is_file() else None
    except (OSError, ValueError):
        return None


def _path_of(target: str) -> str:
    """Return the path of a request's target; "." where the target is not an address, since "." names nothing that is served."""
    try:
        return urlsplit(target).path
    except ValueError:
        return "."


def _host_of(header: str) -> str:
    """Return the host of a Host header, without its port; "" where the header is invalid."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


class _Requests(BaseHTTPRequestHandler):
    server: ReportServer
    server_version = "quakecast"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if self.server.loopback and not is_loopback(_host_of(self.headers.get("Host", ""))):
            return self._send(HTTPStatus.FORBIDDEN, "text/plain; charset=utf-8", b"this server answers to localhost only\n", with_body)
        if _path_of(self.path) in ("", "/"):
            page = self._index().encode()
            return self._send(HTTPStatus.OK, TYPES[".html"], page, with_body)
        file = find_file(self.server.folder, self.path)
        if file is None:
            return self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n", with_body)
        try:
            body, changed = file.read_bytes(), file.stat().st_mtime
            if file.suffix.lower() == ".js" and not assets.is_whole(file.name, body):
                raise FileNotFoundError(f"{file.name} was changed")
            if file.suffix.lower() == ".html" and urlsplit(self.path).query == "download":
                body = assets.in_one_file(body.decode("utf-8"), file.parent).encode("utf-8")
                return self._send(HTTPStatus.OK, TYPES[".html"], body, with_body, changed, saved_as=file.name)
        except (OSError, UnicodeDecodeError):
            return self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n", with_body)
        scripts = read_head(file).script_hashes if file.suffix.lower() == ".html" else ()
        self._send(HTTPStatus.OK, TYPES[file.suffix.lower()], body, with_body, changed, scripts)

    def _index(self) -> str:
        return render_index(
            list_reports(self.server.folder),
            self.server.language,
            self.server.user_folder,
            served=True,
            world=world_page(self.server.folder, self.server.language),
        )

    def _send(
        self,
        status: HTTPStatus,
        kind: str,
        body: bytes,
        with_body: bool,
        changed: float | None = None,
        scripts: Sequence[str] = (),
        saved_as: str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Security-Policy", content_policy(scripts))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if saved_as is not None:
            self.send_header("Content-Disposition", f'attachment; filename="{quote(saved_as)}"')
        if changed is not None:
            self.send_header("Last-Modified", formatdate(changed, usegmt=True))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in SAFE_HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        logger.debug("%s %s", self.address_string(), re.sub(r"[\x00-\x1f\x7f]", "?", format % args))
