"""A run whose log Prefect has set up writes JSON as well, with the environment that `quakecast worker` gives it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from flows.support.deploying import JSON_LOGS

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging
from prefect import get_run_logger
from flows import verify
logging.getLogger("forecaster.test").warning("before")
verify.verify()
"""


def test_every_line_of_a_run_is_an_object_with_its_run(world):
    environment = os.environ | JSON_LOGS | {"QUAKECAST_LOG_FORMAT": "json", "PREFECT_API_URL": PREFECT_API_URL.value()}
    environment |= {"PREFECT_HOME": str(PREFECT_HOME.value()), "PREFECT_LOGGING_LEVEL": "INFO", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[0]["message"] == "before" and all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    of_run = [line for line in lines if line["logger"] in ("prefect.flow_runs", "prefect.task_runs")]
    assert of_run and all(line.get("flow_run") for line in of_run)
    assert any(line.get("run_id") for line in lines)
