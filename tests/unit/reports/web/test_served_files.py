"""Which files the local server gives out."""

from pathlib import Path

import pytest

from forecaster.errors import BadInput
from forecaster.reports.web.index import list_reports
from forecaster.reports.web.serve import find_file, is_loopback, make_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "out"
    for name in (
        "index.html",
        "tokyo/summary.json",
        "world/world.geojson",
        "reports/2024-01-03.en.html",
        "reports/2024-01-02.en.html",
        "a b.html",
        "model.keras",
        ".env.json",
        ".git/x.json",
    ):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_text(name, encoding="utf-8")
    (tmp_path / "secret.json").write_text("outside", encoding="utf-8")
    (inside / "leak.json").symlink_to(tmp_path / "secret.json")
    (inside / "model.html").symlink_to(inside / "model.keras")
    (inside / "env.json").symlink_to(inside / ".env.json")
    (inside / ".hidden.html").symlink_to(inside / "index.html")
    return inside.resolve()


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/tokyo/summary.json?x=1", "summary.json"),
        ("/world/world.geojson", "world.geojson"),
        ("//tokyo///summary.json", "summary.json"),
        ("/a%20b.html", "a b.html"),
    ],
)
def test_files_of_the_folder_are_found(folder: Path, target: str, name: str) -> None:
    found = find_file(folder, target) if not target.startswith("//") else find_file(folder, target[1:])
    assert found is not None and found.name == name


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.json",
        "/%2e%2e/secret.json",
        "/tokyo/..%2f..%2fsecret.json",
        "/..%5csecret.json",
        "/leak.json",
        "/model.html",
        "/env.json",
        "/.env.json",
        "/.hidden.html",
        "/.git/x.json",
        "/model.keras",
        "/tokyo",
        "/tokyo/",
        "/absent.html",
        "/a%00.html",
        "/" + "a" * 5000 + ".html",
        "/%ff.html",
        "http://elsewhere/../secret.json",
        "//[x",
        "http://[::1/a.html",
    ],
)
def test_nothing_else_is(folder: Path, target: str) -> None:
    assert find_file(folder, target) is None


def test_pages_of_others_are_listed_by_name_and_models_are_not(folder: Path) -> None:
    names = [report.name for report in list_reports(folder)]
    assert names == ["reports/2024-01-03.en", "reports/2024-01-02.en", "model", "a b"]


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_what_counts_as_loopback(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


def test_bad_folders_and_addresses_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to serve"):
        make_server(tmp_path / "absent")
    with pytest.raises(BadInput, match=r"cannot listen on 203\.0\.113\.1:0"):  # TEST-NET-3: never an address of ours
        make_server(tmp_path, "203.0.113.1", 0)
    with pytest.raises(BadInput, match="cannot listen on"):
        make_server(tmp_path, "127.0.0.1", 70_000)
