"""Python processes of their own, in the folder of the project, for what two processes do to each other and what a killed one leaves."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_S = 600


def started(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that runs this code with these arguments; its three channels are text."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def ended(process: "subprocess.Popen[str]", given: str | None = None) -> str:
    """What it printed, once it has ended well; `given` is what it reads."""
    out, errors = process.communicate(given, timeout=MAX_S)
    assert process.returncode == 0, errors
    return out
