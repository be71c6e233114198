"""The build's promises: which Python is taken, what happens without uv or pip, the locks, the import rules, CI's verdict.

Nothing here reaches an index: the installs are of a project without requirements, built by a backend of its own.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TOOLS = ("bash", "cat", "cksum", "dirname", "env", "flock", "grep", "mkdir", "rm", "tail", "tee")

TINY_PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
TINY_BACKEND = """
import pathlib, zipfile
FILES = {
    "tiny.pth": str(pathlib.Path.cwd()),
    "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n",
    "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny-1.dist-info/RECORD": "",
}
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(pathlib.Path(folder) / "tiny-1-py3-none-any.whl", "w") as wheel:
        for name, body in FILES.items():
            wheel.writestr(name, body)
    return "tiny-1-py3-none-any.whl"
"""


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: the system's small tools, and neither Python, uv, apt nor make."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project of the build scripts alone, in a folder with spaces."""
    folder = tmp_path / "a b" / "quake cast"
    shutil.copytree(ROOT / "deployments", folder / "deployments")
    (folder / "requirements").mkdir()
    (folder / "requirements" / "dev.txt").write_text("# nothing\n")
    (folder / "requirements" / "uv.txt").write_text("# no uv\n")
    (folder / "pyproject.toml").write_text(TINY_PYPROJECT)
    (folder / "backend.py").write_text(TINY_BACKEND)
    return folder


def run(*command: str | Path, cwd: Path, path: Path | str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": "/dev/null/home", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **env}
    return subprocess.run([*map(str, command)], cwd=cwd, env=environment, text=True, capture_output=True, timeout=600)


def bootstrap(checkout: Path, path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run(path / "bash", "deployments/bootstrap.sh", *arguments, cwd=checkout, path=path, **env)


def test_a_shim_that_fails_when_run_is_passed_over(checkout: Path, tools: Path) -> None:
    script(tools / "python3.11", "echo 'command not found' >&2; exit 127")
    script(tools / "python3.12", "echo 3.12; exit 1")
    fitting = script(tools / "python3", f'exec "{sys.executable}" "$@"')
    assert bootstrap(checkout, tools, "python").stdout.strip() == str(fitting)


def test_an_interpreter_that_makes_no_pip_is_the_second_choice(checkout: Path, tools: Path) -> None:
    (checkout / "nopip").mkdir()
    (checkout / "nopip" / "ensurepip.py").write_text("raise ImportError")
    script(tools / "python3.11", f'PYTHONPATH="{checkout}/nopip" exec "{sys.executable}" "$@"')
    assert bootstrap(checkout, tools, "python").stdout.strip() == str(tools / "python3.11")
    script(tools / "python3", f'exec "{sys.executable}" "$@"')
    assert bootstrap(checkout, tools, "python").stdout.strip() == str(tools / "python3")


def test_no_python_and_a_wrong_override_are_one_line_each(checkout: Path, tools: Path) -> None:
    none = bootstrap(checkout, tools, "install", "requirements/dev.txt")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1)
    assert "no Python 3.11, 3.12 or 3.13 on the PATH" in none.stderr
    old = script(tools / "old python", "echo 3.9; exit 1")
    wrong = bootstrap(checkout, tools, "install", "requirements/dev.txt", PYTHON=str(old))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert f"PYTHON={old} is not a Python 3.11, 3.12 or 3.13" in wrong.stderr


def test_a_python_without_ensurepip_names_the_package_to_install(checkout: Path, tools: Path) -> None:
    (checkout / "nopip").mkdir()
    (checkout / "nopip" / "ensurepip.py").write_text("raise ImportError")
    script(tools / "python3", f'PYTHONPATH="{checkout}/nopip" exec "{sys.executable}" "$@"')
    answer = bootstrap(checkout, tools, "install", "requirements/dev.txt")
    assert answer.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"install the package python{version}-venv" in answer.stderr.splitlines()[-1]


@pytest.mark.slow
def test_pip_installs_where_uv_fails_and_the_second_run_has_nothing_to_do(checkout: Path, tools: Path) -> None:
    script(tools / "uv", '[ "$1" = --version ]')
    script(tools / "python3", f'exec "{sys.executable}" "$@"')
    first = bootstrap(checkout, tools, "install", "requirements/dev.txt")
    assert first.returncode == 0, first.stderr
    assert "trying pip with the same hashes" in first.stderr
    imported = run(".venv/bin/python", "-c", "import backend; print(backend.__file__)", cwd=checkout, path=tools)
    assert imported.stdout.strip() == str(checkout / "backend.py")

    second = bootstrap(checkout, tools, "install", "requirements/dev.txt")
    assert (second.returncode, second.stdout + second.stderr) == (0, "")

    stamp, kept, config = (checkout / ".venv" / name for name in ("installed", "kept", "pyvenv.cfg"))
    for home, stays in (("", True), ("home = /another/python/bin", False)):
        kept.touch()
        stamp.unlink()
        config.write_text(re.sub(r"home = .*", home, config.read_text()) if home else config.read_text())
        assert bootstrap(checkout, tools, "install", "requirements/dev.txt").returncode == 0
        assert kept.exists() is stays, "a venv of another Python of the same version is made anew"

    (checkout / "unhashed-1-py3-none-any.whl").write_bytes(b"")
    (checkout / "requirements" / "dev.txt").write_text("./unhashed-1-py3-none-any.whl\n")
    third = bootstrap(checkout, tools, "install", "requirements/dev.txt")
    assert third.returncode != 0, "a changed lock is installed anew, and what has no hash is refused"
    assert "Hashes are required" in third.stderr
    assert not (checkout / ".venv" / "installed").exists()


def test_the_light_installation_is_left_small_and_the_whole_one_compiled(checkout: Path, tools: Path) -> None:
    script(tools / "uv", 'echo "$@" >> uv.log')
    script(tools / "python3", f'exec "{sys.executable}" "$@"')
    for name, size in (("dev", "about 2 GB"), ("lite", "about 0.6 GB")):
        (checkout / "requirements" / f"{name}.txt").write_text("# nothing\n")
        answer = bootstrap(checkout, tools, "install", f"requirements/{name}.txt")
        assert answer.returncode == 0 and answer.stderr.endswith(f"{size}\n"), answer.stderr
    asked = [line for line in (checkout / "uv.log").read_text().splitlines() if "-r requirements/" in line]
    assert [("--compile-bytecode" in line, line.split()[-1]) for line in asked] == [
        (True, "requirements/dev.txt"),
        (False, "requirements/lite.txt"),
    ]
    assert all("--require-hashes" in line for line in asked)


def test_system_packages_that_are_there_need_no_apt(checkout: Path, tools: Path) -> None:
    script(tools / "dpkg-query", "echo install ok installed")
    answer = bootstrap(checkout, tools, "system-deps")
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_system_packages_without_root_or_sudo_are_named_in_one_line(checkout: Path, tools: Path) -> None:
    script(tools / "dpkg-query", "exit 1")
    script(tools / "apt-get", "exit 9")
    script(tools / "id", "echo 1000")
    answer = bootstrap(checkout, tools, "system-deps")
    assert answer.returncode == 1
    assert answer.stderr == "quakecast: not root and no sudo; ask for: apt-get install chromium fonts-ipafont-gothic postgresql\n"


@pytest.mark.parametrize("home", ["/dev/null/home", "{tmp}"])
def test_caches_move_into_the_project_only_where_home_cannot_be_written(home: str, tmp_path: Path) -> None:
    home = home.format(tmp=tmp_path)
    shown = run("make", "--eval", "show: ; @env", "show", cwd=ROOT, path=os.environ["PATH"], HOME=home)
    environment = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    assert environment["PREFECT_HOME"] == str(ROOT / "var" / "prefect")
    assert environment["KERAS_HOME"] == str(ROOT / ".cache" / "keras")
    moved = {name for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME") if str(ROOT) in environment.get(name, "")}
    assert moved == ({"UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME"} if home == "/dev/null/home" else set())


def test_make_alone_lists_every_target() -> None:
    shown = run("make", cwd=ROOT, path=os.environ["PATH"]).stdout
    listed = re.findall(r"^  make ([a-z-]+) +\S", shown, flags=re.M)
    assert {"demo", "test", "run", "lint", "types", "imports", "system-deps", "live-check", "bench", "lock", "clean"} <= set(listed)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.M)
    assert phony and set(phony[1].split()) == set(listed)


def pins(lock: Path) -> dict[str, tuple[int, ...]]:
    found = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==([0-9.]+)", lock.read_text(), flags=re.M)
    return {name: tuple(int(part) for part in version.strip(".").split(".")) for name, version in found}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_is_hashed_and_no_place_is_named(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert entries and all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|file:|--index|--find-links| /", text)


@pytest.mark.parametrize("name", ["dev", "lite", "cpu", "gpu", "dask"])
def test_the_vital_pins_hold_in_every_lock(name: str) -> None:
    """fastapi 0.151 breaks `prefect deploy`, 0.155 every Prefect 3.8 flow; sqlalchemy 2.1 silently disables schedules (all were tried)."""
    locked = pins(ROOT / "requirements" / f"{name}.txt")
    assert (0, 139) <= locked["fastapi"] < (0, 151)
    assert locked["sqlalchemy"] < (2, 1)
    assert "h5py" in locked, "the hybrid's weights are read without TensorFlow"


PLATFORMS = {
    "Linux, x86-64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "Linux, ARM": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "macOS, ARM": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", ["dev", "lite", "cpu", "gpu", "dask"])
def test_each_platform_gets_the_builds_that_have_wheels_for_it(name: str, platform: str) -> None:
    """tensorflow-cpu has wheels for x86-64 alone, xgboost-cpu none for macOS; two builds of one library do not live in one venv."""
    lines = re.findall(r"^[a-z0-9._-]+.*==.*", (ROOT / "requirements" / f"{name}.txt").read_text(), flags=re.M)
    pinned = [Requirement(line.rstrip("\\ ")) for line in lines]
    environment = PLATFORMS[platform] | {"python_version": "3.12", "python_full_version": "3.12.1"}
    taken = {pin.name for pin in pinned if pin.marker is None or pin.marker.evaluate(environment)}
    tensorflow = {"lite": set(), "gpu": {"tensorflow"}}.get(name, {"tensorflow-cpu" if "x86" in platform else "tensorflow"})
    assert taken & {"tensorflow", "tensorflow-cpu"} == tensorflow and ("keras" in taken) == bool(tensorflow)
    assert taken & {"xgboost", "xgboost-cpu"} == {"xgboost" if "macOS" in platform else "xgboost-cpu"}


def test_the_lock_holds_all_that_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    wanted = project["project"]["dependencies"] + extras["cpu"] + extras["tensorboard"] + groups["build"] + groups["dev"][1:]
    names = {re.split(r"[<>=\[ ]", requirement)[0].lower() for requirement in wanted}
    assert names <= set(pins(ROOT / "requirements" / "dev.txt"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ci", "mark", "closing"),
    [
        ("1", "system", "1 failed"),
        ("1", "shared", "1 skipped"),
        ("0", "system", "1 skipped"),
    ],
)
def test_a_skipped_system_test_fails_in_ci_only(ci: str, mark: str, closing: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n\n@pytest.mark.{mark}\ndef test_it():\n    pytest.skip('no browser here')\n"
        f"\n@pytest.mark.{mark}\n@pytest.mark.xfail\ndef test_expected():\n    assert False\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    answer = run(*command, "--rootdir", tmp_path, tmp_path, cwd=ROOT, path="/usr/bin:/bin", QUAKECAST_CI=ci)
    assert re.match(rf"{closing}, 1 xfailed in ", answer.stdout.splitlines()[-1]), answer.stdout
    assert "no browser here" in answer.stdout


@pytest.mark.parametrize(
    ("make", "code", "closing"),
    [
        ('[ "$1" != test ] || echo "7 passed, 1 skipped in 2.0s"; [ "$1" != test-slow ] || echo "3 passed in 9.0s"', 0, "3 passed in 9.0s"),
        ('[ "$1" != test ] || echo "no tests ran in 0.1s"; [ "$1" != test-slow ] || echo "3 passed in 9.0s"', 1, "3 passed in 9.0s"),
        ('[ "$1" != test ] || echo "7 passed in 2.0s"; [ "$1" != test-slow ] || exit 2', 1, "no closing line from pytest"),
        ('[[ "$1" != test* ]] || { echo "no tests ran in 0.1s"; exit 5; }', 1, "no tests ran in 0.1s"),
        ('[[ "$1" != test* ]] || echo "no tests ran in 0.1s"', 1, "no tests ran in 0.1s"),
        ('[[ "$1" != test* ]] || { echo "1 failed, 7 passed in 2.0s"; exit 2; }', 1, "1 failed, 7 passed in 2.0s"),
        ('[ "$1" != types ] || exit 2; [[ "$1" != test* ]] || echo "7 passed in 2.0s"', 1, "7 passed in 2.0s"),
        ('[ "$1" != install ] || exit 2; [[ "$1" != test* ]] || echo "7 passed in 2.0s"', 1, "nothing else was run: install failed"),
    ],
)
def test_ci_ends_with_the_closing_line_and_fails_on_any_failure(make: str, code: int, closing: str, checkout: Path, tools: Path) -> None:
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    script(tools / "make", make)
    answer = run(tools / "bash", ".ci/run", cwd=checkout, path=tools)
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert answer.stdout.splitlines()[-1] == closing
