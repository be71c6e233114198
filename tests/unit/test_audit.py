"""`make audit`: what it finds of a lock, of packages and of their files. In the place of pip-audit stands a program that answers alike."""

import base64
import hashlib
import json
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
SHA = "--hash=sha256:" + "0" * 64


audit = load_script("deployments/audit.py")


@pytest.fixture
def site(tmp_path):
    """site(name, version, *needs): a package as an installer leaves it, with one module and a RECORD; returns what is installed."""

    def install(name, version, *needs):
        body = f"name = {name!r}\n".encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        (tmp_path / f"{name}.py").write_bytes(body)
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        (info / "RECORD").write_text(f"{name}.py,sha256={digest},{len(body)}\n{info.name}/METADATA,,\n")
        return {found.metadata["Name"]: found for found in distributions(path=[str(tmp_path)])}

    return install


def test_the_lock_s_packages_are_those_whose_marker_holds():
    text = f'a==1 \\\n    {SHA} \\\n    {SHA}\n    # via b\nb[extra]==2 ; python_version < "3.0" {SHA}\nc==3\nd==4 --hash=md5:00\n'
    wanted, problems = audit.locked(text)
    assert set(wanted) == {"a", "c", "d"}
    assert problems == ["c: its line in the lock has no SHA-256", "d: its line in the lock has no SHA-256"]


def test_the_locks_of_this_project_can_be_read():
    for lock in (ROOT / "requirements").glob("*.txt"):
        wanted, problems = audit.locked(lock.read_text(encoding="utf-8"))
        assert problems == [] and wanted, lock


def test_another_version_a_missing_and_a_strange_package_are_told(site):
    site("a", "1")
    installed = site("stranger", "9")
    wanted, _ = audit.locked(f"a==2 {SHA}\nb==1 {SHA}\n")
    assert audit.differences(wanted, installed) == [
        "a: the lock says ==2, 1 is installed",
        "b: the lock says ==1, it is not installed",
        "stranger: 9 is installed, the lock does not name it",
    ]


def test_what_a_package_needs_and_lacks_is_told(site):
    site("a", "1", "b>=2", "c", 'd; extra == "more"', 'e; python_version < "3.0"')
    assert audit.unmet(site("b", "1")) == ["a needs b>=2, there is 1", "a needs c, there is none"]


def test_a_file_that_was_changed_or_is_missing_is_told(site, tmp_path):
    site("a", "1")
    installed = site("b", "1")
    assert audit.changed_files(installed.values()) == []
    (tmp_path / "a.py").write_text("import evil\n")
    (tmp_path / "b.py").unlink()
    assert audit.changed_files(installed.values()) == ["a: a.py was changed since it was installed", "b: b.py is missing"]


FLAWED = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
FLAW = {"dependencies": [FLAWED, {"name": "b", "version": "1"}]}


@pytest.mark.parametrize(
    ("answer", "code", "flaws", "skipped"),
    [
        (json.dumps(FLAW), 1, ["a 1: PYSEC-1, mended in 2"], None),
        (json.dumps({"dependencies": []}), 0, [], None),
        (None, 1, [], "pip-audit gave no answer: ConnectionError: no network"),
        ("half an ans", 0, [], "pip-audit gave no answer: ConnectionError: no network"),
    ],
)
def test_known_flaws_are_told_and_no_answer_is_a_reason(monkeypatch, tmp_path, answer, code, flaws, skipped):
    write = "" if answer is None else f"open(sys.argv[sys.argv.index('-o') + 1], 'w').write({answer!r})"
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n{write}\nprint('ConnectionError: no network', file=sys.stderr)\nsys.exit({code})\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert audit.known_flaws(tmp_path / "lock.txt") == (flaws, skipped)


def test_without_pip_audit_that_check_alone_is_skipped(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(audit, "distributions", lambda: [])
    (tmp_path / "lock.txt").write_text("")
    assert audit.main([str(tmp_path / "lock.txt")]) == 0
    assert "skipped no flaw is known: pip-audit is not on the PATH" in capsys.readouterr().out
    (tmp_path / "lock.txt").write_text(f"a==1 {SHA}\n")
    assert audit.main([str(tmp_path / "lock.txt")]) == 1
    assert audit.main(["none.txt"]) == 2
