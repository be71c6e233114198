"""The rooms of the project: the import rules see each of them, none has grown too large, and no module is called like another one's.

A breach is planted in every room at once, in a copy, and each must be in the report of one run of import-linter.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("forecaster", "flows")
MAX_MODULES = 16
TOP = "forecaster"  # what all rooms share lies beside them, and may be a little more
MAX_AT_THE_TOP = 16
STEPS = ("forecaster.cli", "flows")  # commands and flows are called like the step that they run
EVERYWHERE = ("duckdb", "jinja2", "requests", "tensorflow")
ABOVE = {"forecaster": ("prefect", "flows.parameters", "forecaster.cli.common"), "flows": ("forecaster.store.database",)}


STORE = ROOT / "forecaster" / "store"
SQL = re.compile(r"\b(SELECT\b.*\bFROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET|(CREATE|ALTER|DROP) (TABLE|VIEW))\b", re.DOTALL)
EXAMPLE = re.compile(r"sql \"SELECT|write one such as")
OF_PREFECT = "SELECT version_num FROM alembic_version"  # of its SQLite


def room_of(file: Path) -> str:
    return ".".join(file.parent.relative_to(ROOT).parts)


def modules() -> dict[str, list[str]]:
    """By room the names of its modules."""
    found = defaultdict(list)
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.name != "__init__.py":
                found[room_of(file)].append(file.stem)
    return found


ROOMS = sorted(modules())


def linted(folder: Path) -> str:
    """The report of import-linter on the copy in `folder`, which must have found something."""
    lint = "from importlinter.cli import lint_imports_command as run; run()"
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    command = [sys.executable, "-c", lint, "--no-cache"]
    ran = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def copy(tmp_path) -> Path:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("data", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def planted(room: str) -> list[str]:
    """What a module of this room must not import, and does in the copy."""
    allowed = ["duckdb"] if room == "forecaster.store.engine" else ["forecaster.cli.common"] if room == "forecaster.cli" else []
    return [name for name in (*EVERYWHERE, *ABOVE[room.split(".")[0]]) if name not in allowed]


def test_a_breach_in_any_room_is_reported(copy):
    for room in ROOMS:
        if room != TOP:  # there every module has its place: see below
            lines = [f"    import {name}" for name in planted(room)]
            (copy / room.replace(".", "/") / "stray.py").write_text("def late():\n" + "\n".join(lines) + "\n")
    report = linted(copy)
    told = set(re.findall(r"^ *-? *(\S+)\.stray -> (\S+) \(l", report, flags=re.M))
    missed = [(room, name) for room in ROOMS if room != TOP for name in planted(room) if (room, name) not in told]
    assert missed == []


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("forecaster/timewindow.py", "import duckdb", "DuckDB"),
        ("forecaster/timewindow.py", "import forecaster.store.database", "Rooms"),
        ("forecaster/helpers.py", "", "Rooms"),
    ],
)
def test_a_breach_beside_the_rooms_is_reported_and_every_module_there_has_its_place(module, line, contract, copy):
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")
    assert re.search(rf"^.*{contract}.* BROKEN", linted(copy), flags=re.M)


@pytest.mark.parametrize("root", PACKAGES)
def test_every_folder_with_modules_is_a_package(root):
    """The import rules see packages only: without its `__init__.py` a folder of modules is looked at by none of them."""
    folders = {path.parent for path in (ROOT / root).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_no_room_is_too_large():
    too_large = {room: len(names) for room, names in modules().items() if len(names) > (MAX_AT_THE_TOP if room == TOP else MAX_MODULES)}
    assert too_large == {}


def test_no_module_is_called_like_one_of_another_room():
    """Nor like a room; the main module of a room may have the room's name."""
    rooms = {room.rpartition(".")[2]: room for room in ROOMS}
    places: dict[str, list[str]] = defaultdict(list)
    for room, names in modules().items():
        for name in names:
            if room not in STEPS:
                places[name].append(room)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
    assert {name: found for name, found in places.items() if name in rooms and found != [rooms[name]]} == {}


def test_unit_tests_mirror_the_rooms():
    """Each folder of tests/unit is called like a room, and a test file called like a module lies in the folder of its room."""
    unit = ROOT / "tests" / "unit"
    homes = {name: room for room, names in modules().items() if room.startswith(TOP) and room not in STEPS for name in names}
    misplaced = {}
    for file in sorted(unit.rglob("test_*.py")):
        room = ".".join((TOP, *file.parent.relative_to(unit).parts))
        home = homes.get(file.stem.removeprefix("test_"), room)
        if room not in {TOP, *ROOMS} or home != room:
            misplaced[file.relative_to(ROOT).as_posix()] = home
    assert misplaced == {}


def sql_of(source: str) -> list[str]:
    """The queries in the text constants of a module; not the examples in help and messages."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if SQL.search(text) and not EXAMPLE.search(text)]


def test_queries_of_the_store_lie_in_the_store():
    """Whoever moves it to another engine, or renames a column, finds them in one room. Seen to fail: a query of `status` put back."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")) if STORE not in file.parents]
    found = {file.relative_to(ROOT).as_posix(): sql_of(file.read_text()) for file in files}
    assert {file: texts for file, texts in found.items() if texts} == {"flows/support/own_prefect.py": [OF_PREFECT]}


@pytest.mark.parametrize("planted", ["'SELECT a FROM b'", "f'DELETE FROM {b} WHERE c'", "'UPDATE b SET c = 1'"])
def test_a_query_elsewhere_is_seen(planted):
    assert sql_of(f"def f(b):\n    return {planted}\n") != []


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) & graph.modules for module in graph.modules}
    while leaves := {module for module, imported in left.items() if not imported}:
        left = {module: imported - leaves for module, imported in left.items() if module not in leaves}
    while unused := set(left) - {name for imported in left.values() for name in imported}:
        left = {module: imported for module, imported in left.items() if module not in unused}
    assert left == {}, "these import each other"
