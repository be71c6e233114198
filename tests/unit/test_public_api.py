"""What `from forecaster import ...` promises."""

import subprocess
import sys

import forecaster


def test_every_public_name_is_there_and_nothing_else_is() -> None:
    for name in forecaster.__all__:
        assert getattr(forecaster, name).__name__ == name
    assert not hasattr(forecaster, "no_such_name")


def test_importing_the_library_imports_nothing_heavy() -> None:
    """TensorFlow takes six seconds, imbalanced-learn three, pandas one: a command's --help must not wait for them."""
    heavy = "{'tensorflow', 'keras', 'imblearn', 'pandas', 'duckdb', 'prefect'}"
    code = f"import sys, forecaster.cli, forecaster.recipe; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
