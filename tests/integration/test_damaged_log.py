"""A log of the database that comes back as noise after a kill between commit and close: one line, and what was stored before is whole."""

import random
import subprocess
import sys

import pytest

from forecaster.errors import StoreError
from forecaster.store.database import open_store
from forecaster.store.sharing.read_only_store import LookedAt
from tests.support.toys import table

pytestmark = pytest.mark.closed_files

COMMITS = 40
KILLED = f"""
import os, sys
from pathlib import Path
from forecaster.store.database import open_connection, open_store

store = open_store(Path(sys.argv[1]))
INSERT = "INSERT INTO run (run_id, kind, started_at, code_version, state) VALUES (?, 'daily', now(), '0', 'success')"
with store.transaction() as connection:
    connection.execute(INSERT, ["before"])
connection = open_connection(store.path)
for number in range({COMMITS}):
    connection.execute(INSERT, [str(number)])
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """(the database, its log) as a killed process left them: one row in the one, COMMITS in the other."""
    path = tmp_path_factory.mktemp("killed") / "quakecast.duckdb"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
    return path.read_bytes(), path.with_name("quakecast.duckdb.wal").read_bytes()


def left(home, database, log):
    path = home / "quakecast.duckdb"
    path.write_bytes(database)
    path.with_name("quakecast.duckdb.wal").write_bytes(log)
    return path


def test_a_whole_log_is_read_back(killed, tmp_path):
    assert len(table(open_store(left(tmp_path, *killed)), "run")) == 1 + COMMITS


@pytest.mark.parametrize("seed", range(30))
def test_noise_in_the_log_is_one_line_and_the_rest_is_whole(killed, tmp_path, seed):
    database, log = killed
    rng = random.Random(seed)
    at = rng.randrange(len(log) - 100) if seed else len(log) // 2
    size = 100 if seed % 2 == 0 else 1
    path = left(tmp_path, database, log[:at] + rng.randbytes(size) + log[at + size :])
    try:
        rows = table(open_store(path), "run")
    except StoreError as error:
        said = str(error)
        assert "its log quakecast.duckdb.wal is damaged" in said and "until 20" in said and len(said.splitlines()) == 1
        path.with_name("quakecast.duckdb.wal").rename(tmp_path / "aside")
        assert table(open_store(path), "run")["run_id"].tolist() == ["before"]
    else:  # noise that DuckDB takes for the end of the log: whole commits, from the first on
        assert sorted(set(rows["run_id"]) - {"before"}, key=int) == [str(number) for number in range(len(rows) - 1)]


def test_who_looks_reads_the_log_and_leaves_both_as_they_are(killed, tmp_path):
    path = left(tmp_path, *killed)
    with LookedAt(path).transaction() as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchall() == [(1 + COMMITS,)]
    assert (path.read_bytes(), path.with_name("quakecast.duckdb.wal").read_bytes()) == killed
    assert len(list(tmp_path.iterdir())) == 2
