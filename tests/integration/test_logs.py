"""The log as JSON, one object a line, as a monitor reads it; what a real process writes on standard error."""

import json
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from forecaster import logs
from forecaster.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
QUAKECAST = Path(sys.executable).with_name("quakecast")
TOKEN = "T0KEN-of-nobody-42"  # of these tests only


def process(*command, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUAKECAST_")} | more
    return subprocess.run([*map(str, command)], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=600, check=False)


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def said(*about: str, **more):
    """What a line with these words looks like, logged by a process of its own."""
    begin = """
import logging
from forecaster import logs
from forecaster.settings import load_settings
settings = load_settings()
logs.set_up(verbose=True, as_json=settings.log_format == "json")
log = logging.getLogger("forecaster.test")
"""
    program = begin + "\n".join(about)
    return process(sys.executable, "-c", program, **more)


@pytest.mark.parametrize("how", [{"arguments": ("--log-format", "json")}, {"QUAKECAST_LOG_FORMAT": "json"}])
def test_what_goes_wrong_is_an_object_of_one_line(tmp_path, how):
    asked = dict(how)
    done = process(QUAKECAST, *asked.pop("arguments", ()), "--home", tmp_path / "none", "sql", "SELECT 1", QUAKECAST_IMAGE_TAG="7", **asked)
    strange, wrong = lines(done.stderr)
    assert done.returncode == 2 and done.stdout == ""
    assert strange["level"] == "WARNING" and strange["logger"] == "forecaster.settings" and "QUAKECAST_IMAGE_TAG" in strange["message"]
    assert wrong["level"] == "ERROR" and wrong["logger"] == "quakecast" and "no published database" in wrong["message"]
    for line in (strange, wrong):
        assert line["time"].endswith("Z") and datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_the_command_line_s_choice_wins_and_text_is_the_default(tmp_path):
    for arguments, more in (((), {}), (("--log-format", "text"), {"QUAKECAST_LOG_FORMAT": "json"})):
        done = process(QUAKECAST, *arguments, "--home", tmp_path / "none", "sql", "SELECT 1", **more)
        assert done.stderr.startswith("quakecast: there is no published database")
    assert "QUAKECAST_LOG_FORMAT" in process(QUAKECAST, "recipes", "list", QUAKECAST_LOG_FORMAT="yaml").stderr


def test_run_and_recipe_stand_in_their_lines_alone_and_a_line_stays_a_line():
    done = said(
        "log.info('before')",
        "logs.bind(run_id='r1')",
        "with logs.about(recipe='tokyo'):",
        "    log.warning('two\\nlines, %s', '\u6771\u4eac')",
        "log.info('after')",
        "try: 1 / 0",
        "except ZeroDivisionError: log.exception('failed')",
        QUAKECAST_LOG_FORMAT="json",
        PYTHONIOENCODING="utf-8",
    )
    before, inside, after, failed = lines(done.stderr)
    assert [set(line) - {"time", "level", "logger", "message"} for line in (before, inside, after)] == [
        set(),
        {"run_id", "recipe"},
        {"run_id"},
    ]
    assert (inside["run_id"], inside["recipe"], inside["message"]) == ("r1", "tokyo", "two\nlines, \u6771\u4eac")
    assert failed["level"] == "ERROR" and "ZeroDivisionError" in failed["exception"]


def test_an_error_that_nobody_foresaw_and_a_warning_of_python_are_objects_too():
    done = said("import warnings", "warnings.warn('old')", "raise KeyError('x')", QUAKECAST_LOG_FORMAT="json")
    warned, ended = lines(done.stderr)
    assert warned["logger"] == "py.warnings" and ended["level"] == "CRITICAL" and "KeyError: 'x'" in ended["exception"]
    assert done.returncode == 1


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_secrets_of_the_settings_never_stand_in_the_log(log_format):
    """Whole, as the path that an error of a connection names, quoted, inside an exception, and one of several of apprise's addresses."""
    secrets = {
        "QUAKECAST_SMTP_PASSWORD": "pass/word-" + TOKEN,
        "QUAKECAST_SLACK_WEBHOOK_URL": f"https://hooks.slack.com/services/{TOKEN}",
        "QUAKECAST_APPRISE_URLS": f"ntfy://user:{TOKEN}@example.org/x, tgram://1234:{TOKEN}/9876",
    }
    done = said(
        "import urllib.parse",
        "log.warning('password %s', settings.smtp_password.get_secret_value())",
        "log.warning('quoted %s', urllib.parse.quote(settings.smtp_password.get_secret_value(), safe=''))",
        f"log.warning('pool of hooks.slack.com: no answer for /services/{TOKEN}')",
        "log.warning('one of them: %s', settings.apprise_urls.get_secret_value().split(', ')[1])",
        "try: raise ValueError(settings.slack_webhook_url.get_secret_value())",
        "except ValueError: log.exception('failed')",
        QUAKECAST_LOG_FORMAT=log_format,
        **secrets,
    )
    assert done.returncode == 0 and TOKEN not in done.stderr and done.stderr.count("***") >= 5


def test_a_short_value_is_not_cut_out_of_ordinary_words(caplog):
    load_settings(smtp_password="the")
    record = logging.LogRecord("x", logging.INFO, "", 0, "the weather", None, None)
    assert json.loads(logs.JsonLines().format(record))["message"] == "the weather"
