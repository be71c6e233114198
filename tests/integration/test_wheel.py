"""The built wheel in a virtual environment of its own, far from the checkout: recipes, templates, snapshot and commands travel with it.

The libraries come from the environment that runs the tests, through one path; its link to the checkout is not followed from there.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of the tracked files."""
    tree = tmp_path_factory.mktemp("tree")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=tree, check=True, capture_output=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """run(*arguments): the interpreter of an environment that holds the wheel, in an empty folder."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place / "venv", with_pip=False)
    (site,) = (place / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "QUAKECAST_HOME": str(place / "home"), "COLUMNS": "200"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(place / "venv" / "bin" / "python"), *arguments]
        return subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=600, check=False)

    found = run("-c", "import forecaster, flows, sys; print(forecaster.__file__, flows.__file__, *sys.path, sep='\\n')")
    assert found.returncode == 0, found.stderr
    package, flows, *path = found.stdout.splitlines()
    assert Path(package).parent == site / "forecaster" and Path(flows).parent == site / "flows" and str(ROOT) not in path
    run.home, run.site = place / "home", site
    return run


def test_the_wheel_names_its_commands(wheel):
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/entry_points.txt"))
        entries = ConfigParser()
        entries.read_string(packed.read(name).decode())
    assert dict(entries["console_scripts"]) == {"quakecast": "forecaster.cli:main"}
    assert dict(entries["quakecast.commands"]) == {name: f"flows.commands:{name}" for name in ("run", "deploy", "worker")}


def test_the_wheel_carries_all_that_is_not_code_and_nothing_of_the_checkout(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for folder in ("recipes", "templates"):
        tracked = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        assert len(tracked) > 5
        assert {f"forecaster/_bundled/{name}" for name in filter(None, tracked)} <= names
    others = ("deployments/prefect.yaml", "deployments/.env.example", "docs/alerts.json")
    assert {f"forecaster/_bundled/{name}" for name in others} <= names
    assert any(name.endswith("/licenses/NOTICE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert tops - {"forecaster", "flows"} == {top for top in tops if top.endswith(".dist-info")}


@pytest.mark.slow
def test_it_lists_forecasts_and_reports_elsewhere(installed):
    """All three read files of the wheel: recipes, the snapshot, templates; a past day needs no network."""
    listed = installed("-m", "forecaster", "recipes", "list", "--json")
    assert len(json.loads(listed.stdout)["recipes"]) == len(list((ROOT / "recipes").rglob("*.toml"))) == 29
    said = installed("-m", "forecaster", "predict", "--recipe", "tokyo-m45", "--target-date", "2024-01-03")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("tokyo-m45 ") and "published, hindcast" in said.stdout
    told = installed("-m", "forecaster", "report")
    assert told.returncode in (0, 3), told.stderr
    pages = list((installed.home / "out" / "reports").glob("*.en.html"))
    assert len(pages) == 1 and "Tokyo" in pages[0].read_text(encoding="utf-8")
    assert str(pages[0]) in told.stdout.replace("\n", "")


@pytest.mark.slow
def test_the_quick_demo_needs_no_checkout(installed):
    told = installed("-m", "forecaster", "demo", "--quick", "--folder", "demo")
    assert told.returncode == 0, told.stderr
    rose = next(line for line in told.stdout.splitlines() if "2024-01-02" in line and "yes" in line)
    assert "80 %" in rose, "the day after the main shock, by the models of the package"
    shown = installed("-m", "forecaster", "--home", "demo", "notify", "--preview", "--channel", "email")
    assert shown.returncode == 0 and "Niigata" in shown.stdout


def test_it_writes_the_settings_that_it_knows(installed):
    told = installed("-m", "forecaster", "init", "here.env")
    assert told.returncode == 0 and "QUAKECAST_CONTACT" in told.stdout, told.stderr


def test_the_whole_job_is_a_command_of_it(installed):
    shown = installed("-m", "forecaster", "run", "--help")
    assert shown.returncode == 0 and "quakecast run --total-minutes 10" in shown.stdout
