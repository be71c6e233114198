"""`make audit`: is what is installed what the lock says, whole, and free of known flaws? Run it with the Python of .venv.

    audit.py REQUIREMENTS     such as requirements/dev.txt

Three checks need no network: every package of the lock is there in its version, and none besides; all that they need is met; and no file of
theirs was changed since it was installed (each file's SHA-256 in the package's RECORD). What the installer compared with the hashes of the
lock was the archive, which is gone then; so that every line of the lock has hashes is checked instead. The fourth, known flaws, is asked of
pip-audit where that is on the PATH and can reach its database. Where it cannot, it is skipped, with the reason.

Exit code 0: nothing was found, whatever was skipped. 1: something was found.
"""

import base64
import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

OURS = {"quakecast", "pip", "setuptools", "uv"}  # the project, and what installs it
AUDIT_SECONDS = 300


def locked(text: str) -> tuple[dict[str, Requirement], list[str]]:
    """(the requirements of a lock that count here, by name; what is wrong with its lines)."""
    found, problems = {}, []
    for line in text.replace("\\\n", " ").splitlines():
        wanted, *hashes = line.split("#")[0].split("--hash=")
        if not wanted.strip():
            continue
        try:
            requirement = Requirement(wanted.strip())
        except InvalidRequirement as error:
            problems.append(f"a line of the lock cannot be read: {error}")
            continue
        if not hashes or not all(each.strip().startswith("sha256:") for each in hashes):
            problems.append(f"{requirement.name}: its line in the lock has no SHA-256")
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = requirement
    return found, problems


def differences(wanted: dict[str, Requirement], installed: dict[str, Distribution]) -> list[str]:
    """Where what is installed is not what the lock says."""
    told = [f"{name}: the lock says {wanted[name].specifier}, it is not installed" for name in wanted.keys() - installed.keys()]
    told += [
        f"{name}: {installed[name].version} is installed, the lock does not name it" for name in installed.keys() - wanted.keys() - OURS
    ]
    for name in wanted.keys() & installed.keys():
        if not wanted[name].specifier.contains(installed[name].version, prereleases=True):
            told.append(f"{name}: the lock says {wanted[name].specifier}, {installed[name].version} is installed")
    return sorted(told)


def unmet(installed: dict[str, Distribution]) -> list[str]:
    """What a package needs and is not there in such a version, as `pip check` tells it."""
    told = []
    for name, found in installed.items():
        for line in found.requires or ():
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            other = installed.get(canonicalize_name(need.name))
            if other is None or not need.specifier.contains(other.version, prereleases=True):
                told.append(f"{name} needs {need.name}{need.specifier}, there is {other.version if other else 'none'}")
    return sorted(told)


def changed_files(installed: Iterable[Distribution]) -> list[str]:
    """Files that are missing, or are not what their package's RECORD says. Read here: some versions of Python leave out what is missing."""
    told = []
    for found in installed:
        for file, digest, *_ in csv.reader((found.read_text("RECORD") or "").splitlines()):
            mode, _, expected = digest.partition("=")
            if mode != "sha256":
                continue
            path = Path(str(found.locate_file(file)))
            name = f"{found.metadata['Name']}: {file}"
            if not path.is_file():
                told.append(f"{name} is missing")
            elif base64.urlsafe_b64encode(_sha256(path)).rstrip(b"=").decode() != expected:
                told.append(f"{name} was changed since it was installed")
    return sorted(told)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def known_flaws(lock: Path) -> tuple[list[str], str | None]:
    """(flaws that pip-audit knows of the lock's packages, why it was not asked or gave no answer)."""
    program = shutil.which("pip-audit")
    if program is None:
        return [], "pip-audit is not on the PATH (pipx install pip-audit)"
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [program, "--disable-pip", "--require-hashes", "--progress-spinner=off", "-f", "json", "-o", str(answer), "-r", str(lock)]
        try:
            ran = subprocess.run(command, text=True, capture_output=True, timeout=AUDIT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return [], f"pip-audit gave no answer within {AUDIT_SECONDS} seconds"
        try:
            rows = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
        except (OSError, ValueError, KeyError):
            lines = [line for line in (ran.stderr + ran.stdout).splitlines() if line.strip()]
            return [], f"pip-audit gave no answer: {lines[-1].strip()[:200] if lines else 'it said nothing'}"
    told = []
    for row in rows:
        for flaw in row.get("vulns", []):
            told.append(f"{row['name']} {row['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}")
    return told, None


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("usage: audit.py REQUIREMENTS, such as requirements/dev.txt", file=sys.stderr)
        return 2
    lock = Path(arguments[0])
    installed = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    wanted, wrong = locked(lock.read_text(encoding="utf-8"))
    flaws, skipped = known_flaws(lock)
    checks = {
        f"{len(wanted)} packages are those of {lock}": wrong + differences(wanted, installed),
        "what they need is there": unmet(installed),
        "no file of theirs was changed": changed_files(found for name, found in installed.items() if name not in OURS),
        "no flaw is known": flaws,
    }
    for title, problems in checks.items():
        unsaid = skipped if title == "no flaw is known" else None
        print(f"{'skipped' if unsaid else 'FOUND' if problems else 'ok':8}{title}{f': {unsaid}' if unsaid else ''}")
        for problem in problems:
            print(f"        {problem}")
    return int(any(checks.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
