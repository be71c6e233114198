"""The local server over real HTTP: methods, headers, hosts, raw paths that clients would tidy up."""

import http.client
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecaster.reports.web import assets
from forecaster.reports.web.serve import SAFE_HEADERS, ReportServer, content_policy, make_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReportServer]:
    folder = tmp_path / "out"
    (folder / "reports").mkdir(parents=True)
    (folder / "reports" / "2024-01-03.en.html").write_text("<!doctype html><title>r</title>", encoding="utf-8")
    (folder / "predictions.json").write_text('{"predictions": []}', encoding="utf-8")
    (folder / "model.keras").write_text("weights", encoding="utf-8")
    (tmp_path / "secret.json").write_text("outside", encoding="utf-8")
    server = make_server(folder, port=0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server: ReportServer, path: str, method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=host is not None)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return result


def test_reports_and_json_are_served_with_safe_headers(server: ReportServer) -> None:
    status, headers, body = ask(server, "/predictions.json")
    assert headers["Content-Security-Policy"] == content_policy() and "script-src" not in content_policy()
    assert (status, headers["Content-Type"], body) == (200, "application/json; charset=utf-8", '{"predictions": []}')
    for name, value in SAFE_HEADERS.items():
        assert headers[name] == value
    assert headers["Server"].strip() == "quakecast"  # no version of Python
    assert ask(server, "/reports/2024-01-03.en.html")[0] == 200


def test_the_shared_script_is_served_while_it_is_whole_and_no_other(server: ReportServer) -> None:
    folder = server.folder / "reports" / "assets"
    folder.mkdir()
    name = assets.name_of(b"ours()", "js")
    (folder / name).write_text("ours()", encoding="utf-8")
    (folder / "other.js").write_text("evil()", encoding="utf-8")
    status, headers, body = ask(server, f"/reports/assets/{name}")
    assert (status, headers["Content-Type"], body) == (200, "text/javascript; charset=utf-8", "ours()")
    assert ask(server, "/reports/assets/other.js")[0] == 404
    (folder / name).write_text("evil()", encoding="utf-8")
    assert ask(server, f"/reports/assets/{name}")[0] == 404


def test_a_page_that_is_downloaded_comes_as_one_file(server: ReportServer) -> None:
    shared = assets.Assets("p { color: red }", "library()", "ours()")
    assets.write_assets(server.folder / "reports", shared)
    css, js = shared.addresses["css"], shared.addresses["js"]
    head = f'<link rel="stylesheet" href="{css}"><script defer src="{js}"></script>'
    (server.folder / "reports" / "x.en.html").write_text(f"<html><head>{head}</head><body>page</body></html>", encoding="utf-8")
    status, headers, body = ask(server, "/reports/x.en.html?download")
    assert status == 200 and headers["Content-Disposition"] == 'attachment; filename="x.en.html"'
    assert "p { color: red }" in body and "<script>library()\nours()</script>" in body and "assets/" not in body
    assert "Content-Disposition" not in ask(server, "/reports/x.en.html")[1]
    (server.folder / "reports" / css).unlink()
    assert ask(server, "/reports/x.en.html?download")[0] == 404  # not a page without its looks


def test_the_index_links_the_reports(server: ReportServer) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200 and 'href="reports/2024-01-03.en.html"' in body and "model" not in body.split("</style>")[1]
    assert headers["X-Frame-Options"] == "DENY"


def test_only_the_scripts_that_a_report_names_in_its_head_may_run(server: ReportServer) -> None:
    """The server repeats the page's own hashes; what stands behind the title, where names come from outside, allows nothing."""
    real, forged = f"'sha256-{'A' * 43}='", f"'sha256-{'B' * 43}='"
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src {0}; script-src {1}">'
    head = f"<!doctype html>{policy.format('none', real)}<title>t</title>"
    page = server.folder / "reports" / "2024-01-04.en.html"
    page.write_text(head + policy.format("none", forged), encoding="utf-8")
    _, headers, _ = ask(server, "/reports/2024-01-04.en.html")
    assert f"script-src {real};" in headers["Content-Security-Policy"] and forged not in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"].replace("style-src 'unsafe-inline'", "")
    without = "<title>t</title>" + policy.format("none", forged)
    for text in (without, policy.format("none", "'unsafe-inline' *") + "<title>t</title>"):
        page.write_text(text, encoding="utf-8")
        assert ask(server, "/reports/2024-01-04.en.html")[1]["Content-Security-Policy"] == content_policy()


@pytest.mark.parametrize(
    "path",
    ["/../secret.json", "/%2e%2e/secret.json", "/reports/..%2f..%2fsecret.json", "/model.keras", "/reports/", "/reports", "/x.html"],
)
def test_nothing_else_is_found_and_the_refusal_tells_nothing(server: ReportServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, body) == (404, "not found\n") and headers["X-Content-Type-Options"] == "nosniff"


def test_head_has_the_length_and_no_body(server: ReportServer) -> None:
    status, headers, body = ask(server, "/predictions.json", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "19", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_no_other_method(server: ReportServer, method: str) -> None:
    assert ask(server, "/predictions.json", method)[0] == 501


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:8000", 200), ("evil.example", 403), ("", 403), ("[::1", 403), ("a]b", 403)],
)
def test_on_loopback_it_answers_to_local_names_only(server: ReportServer, host: str, status: int) -> None:
    """A page elsewhere that points its own name at this machine (DNS rebinding) reads nothing."""
    assert ask(server, "/predictions.json", host=host)[0] == status


def test_an_open_address_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        make_server(tmp_path, "0.0.0.0", 0).server_close()
        assert "everyone who reaches this machine" in caplog.text
        caplog.clear()
        make_server(tmp_path, port=0).server_close()
        assert caplog.text == ""


def test_without_being_told_otherwise_only_this_machine_is_served(tmp_path: Path) -> None:
    """Fault 13 of the first system: its server listened on every interface."""
    (tmp_path / "index.html").write_text("<p>index</p>", encoding="utf-8")
    with make_server(tmp_path, port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
