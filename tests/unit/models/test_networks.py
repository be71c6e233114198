"""An installation without TensorFlow, and a CPU that cannot run it: known without importing it, told in one line."""

import ast
import re
import sys
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace

import pytest

import forecaster
from forecaster.errors import NotInstalled
from forecaster.models import libraries, networks
from forecaster.models.fit_and_load import kind_named
from forecaster.registry.model_kinds import KINDS

IMPORTS = re.compile(r"^import (.*)$|^from ([\w.]+) import (\([^)]*\)|.*)$", flags=re.M)
CPUINFO = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu sse4_2 {}\nbugs\t\t: none\nprocessor\t: 1\n"


@pytest.fixture
def asked_anew():
    networks.why_none.cache_clear()
    yield
    networks.why_none.cache_clear()


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """A machine of this architecture whose CPU has these flags."""

    def build(machine: str, flags: str) -> None:
        (tmp_path / "cpuinfo").write_text(CPUINFO.format(flags))
        monkeypatch.setattr(networks, "CPU_FILE", tmp_path / "cpuinfo")
        monkeypatch.setattr("platform.machine", lambda: machine)
        networks.why_none.cache_clear()

    return build


def test_a_cpu_without_avx_is_known_by_its_flags(cpu, asked_anew):
    cpu("x86_64", "avx avx2")
    assert networks.why_none() is None
    cpu("x86_64", "fma avxx")
    assert "lacks AVX" in networks.why_none()
    cpu("aarch64", "neon")
    assert networks.why_none() is None
    assert not networks.lacks_avx(Path("/no/such/file")), "where nothing is known, it is tried"


def test_what_is_not_installed_is_named_with_the_extra(monkeypatch, asked_anew):
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in ("tensorflow", "keras") else name)
    assert "tensorflow and keras not installed; to have them, install the extra cpu" in networks.why_none()
    assert "\n" not in networks.why_none()


def test_a_kind_that_needs_a_network_is_refused_before_tensorflow_is_imported(monkeypatch, cpu, asked_anew, tmp_path):
    cpu("x86_64", "sse4_2")
    kind = kind_named("convlstm")
    history = SimpleNamespace(recipe=SimpleNamespace(threshold_mag=5.0))
    monkeypatch.delitem(sys.modules, kind.module, raising=False)
    for use in (lambda: kind.fit(history), lambda: kind.load(tmp_path, {}, None), kind.imported):
        with pytest.raises(NotInstalled, match="lacks AVX"):
            use()
    assert kind.module not in sys.modules
    assert {name for name in KINDS if kind_named(name).unusable()} == {"convlstm"}


def test_a_tensorflow_that_does_not_import_is_one_line(monkeypatch):
    """As where a shared library of the system is too old."""
    kind = kind_named("convlstm")
    monkeypatch.delitem(sys.modules, kind.module, raising=False)
    monkeypatch.setitem(sys.modules, "forecaster.models.first_system.convlstm_training", None)
    with pytest.raises(NotInstalled, match=r"cannot be imported \(.*convlstm_training.*\); install it again"):
        kind.imported()


def test_no_command_and_no_flow_imports_tensorflow_before_a_network_is_used():
    """Whatever is imported with a module, all the way down; what a function imports when it runs is left out."""
    root = Path(forecaster.__file__).parent.parent
    paths = [*(root / "forecaster").rglob("*.py"), *(root / "flows").rglob("*.py")]
    brings = {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): imported_with(path) for path in paths}
    reached = {name for name in brings if name.startswith(("flows", "forecaster.pipeline", "forecaster.cli", "forecaster.reports"))}
    reached |= {kind.module for kind in KINDS.values() if not kind.tensorflow}
    while more := {name for module in reached for name in brings[module] if name in brings} - reached:
        reached |= more
    carrying = {name for name, found in brings.items() if {"tensorflow", "keras"} & found}
    assert {
        "forecaster.models.first_system.convlstm",
        "forecaster.models.hybrid.hybrid_training",
    } <= carrying and "forecaster.models.hybrid.hybrid" in reached
    assert carrying & reached == set()


def imported_with(path: Path) -> set[str]:
    """What a module imports as it is imported itself; of `from a import b`, both a and a.b."""
    found: set[str] = set()
    for whole, part, names in IMPORTS.findall(path.read_text(encoding="utf-8")):
        found |= set(re.findall(r"[\w.]+", whole)) | {part} | {f"{part}.{name}" for name in re.findall(r"\w+", names)}
    return found


def test_the_record_of_a_model_names_every_library_that_models_and_features_import():
    """xgboost was missing, and lightgbm listed, when the list was kept by hand alone."""
    root = Path(forecaster.__file__).parent
    imported = set()
    for path in [*(root / "models").rglob("*.py"), *(root / "features").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            imported |= {name.split(".")[0] for name in names}
    imported -= {"forecaster", *sys.stdlib_module_names}
    assert {"xgboost", "tensorflow", "sklearn"} <= imported
    called = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}
    assert {called.get(name, name) for name in imported} <= {*libraries.NUMERIC, *libraries.LEARNING}
    told = libraries.library_versions()
    assert set(told) >= {"python", *libraries.NUMERIC, "keras"} and told["numpy"] == metadata.version("numpy")
    assert {"xgboost", "xgboost-cpu"} & set(told) and {"tensorflow", "tensorflow-cpu"} & set(told)
