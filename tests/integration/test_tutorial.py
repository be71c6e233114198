"""docs/TUTORIAL.md is run as it stands: its commands, in its order, in a shell; with a local event service and mail server."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from forecaster.catalog import snapshot
from forecaster.store.engine.parquet_files import read_parquet
from tests.support.smtp_server import SmtpServer
from tests.support.usgs_history import History, history_from
from tests.support.usgs_server import serve

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "TUTORIAL.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", TEXT, flags=re.M | re.S)
DAY_US = 86_400_000_000
PARTIAL_IS_FINE = 'quakecast() { command quakecast "$@" || [ $? -eq 3 ]; }\n'


def continued_history(now: datetime) -> History:
    """What the service could know today: the end of the bundled catalogue, and its last years once more, moved on to today."""
    rows = read_parquet(snapshot.snapshot_path())
    end = datetime(2024, 12, 31, tzinfo=UTC)
    days = (now - end).days + 1
    time_us = rows["origin_time_ms"] * 1000
    end_us = int(end.timestamp() * 1e6)
    recent, again = rows[time_us > end_us - 120 * DAY_US], rows[(time_us > end_us - days * DAY_US) & (time_us <= end_us)].copy()
    again["event_id"] = "us" + again.index.astype(str) + "x"
    again["origin_time_ms"] += days * DAY_US // 1000
    table = pd.concat([recent, again])
    named = table.rename(
        columns={"event_id": "id", "latitude_deg": "latitude", "longitude_deg": "longitude", "depth_km": "depth", "magnitude": "mag"}
    ).rename(columns={"magnitude_type": "magType"})
    time_us = named["origin_time_ms"] * 1000
    known_us = time_us + DAY_US // 24
    columns = {"key": named["id"], "time_us": time_us, "known_us": known_us, "updated_us": known_us}
    return history_from(named.assign(**columns, net="us", type="earthquake", status="reviewed"))


def test_every_block_says_whether_it_is_run_and_why_not() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "sh not run", "text"}
    assert all(text.startswith("# not run in the test: ") for kind, text in BLOCKS if kind == "sh not run")


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.closed_files
def test_the_commands_do_what_the_tutorial_says(tmp_path: Path) -> None:
    """From an empty folder to a mail with the forecast of the place; a run that is degraded is a success here (nobody trained)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUAKECAST_", "PREFECT_"))}
    now = datetime.now(UTC)
    with SmtpServer() as mail, serve(continued_history(now), clock=now + timedelta(minutes=1)) as usgs:
        script = "".join(text for kind, text in BLOCKS if kind == "sh")
        first_day = f"--from {now - timedelta(days=90):%Y-%m-%d}"  # three months of the tutorial's years
        mail_server = (("mail.example.org", "127.0.0.1"), ("=587", f"={mail.port}"), ("=starttls", "=none"))
        for told, here in (*mail_server, ("--from 2024-12-04", first_day)):
            assert told in script
            script = script.replace(told, here)
        environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "QUAKECAST_USGS_URL": usgs.url,
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "QUAKECAST_WORLD_MAP": "false",
        }
        shell = ["bash", "-euo", "pipefail", "-c", PARTIAL_IS_FINE + script]
        done = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    first = next(text for kind, text in BLOCKS if kind == "text")
    for line in first.splitlines():
        assert line in done.stdout, line
    assert re.search(r"^\d+ forecasts, state success$", done.stdout, flags=re.M) and re.search(r"^state +ok$", done.stdout, flags=re.M)
    rungs = re.findall(r"^ *(\d+) +(\d\.\d) +[\d.]+ +[\d.e-]+ +\d+ +\d+$", done.stdout, flags=re.M)
    assert {days for days, _ in rungs} >= {"1", "3", "7", "30"} and {magnitude for _, magnitude in rungs} >= {"4.5", "6.5"}, rungs
    skill = re.findall(r"^(\w+) +final +(\d+) +(\d+) +(\S+)$", done.stdout, flags=re.M)
    assert {"published", "climatology", "etas"} <= {kind for kind, *_ in skill}
    subjects = [str(message["Subject"]) for message in mail.messages]
    assert len(subjects) == 2 and any("Valparaíso" in subject for subject in subjects), subjects
