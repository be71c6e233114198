"""The store between processes: real ones, started here."""

import hashlib
import threading
import time
from pathlib import Path

import pytest

from forecaster.errors import NotWritable, SchemaTooNew, StoreBusy, StoreError
from forecaster.store.database import Store, open_store, query
from forecaster.store.engine import LOCK_WAIT_S, duckdb_engine
from forecaster.store.migrating import migrations
from forecaster.store.sharing.publish import publish
from tests.support.processes import ended, started
from tests.support.toys import table

pytestmark = pytest.mark.closed_files

ROOT = Path(__file__).resolve().parents[2]
ROWS = 40
WRITER = """
import sys, time
from pathlib import Path
from datetime import UTC, datetime
from forecaster.store.versions.catalogue import write_fetch_log
from forecaster.store.database import Store
from forecaster.store.sharing.publish import publish

def entry(url):
    return dict(requested_at=datetime(2024, 1, 1, tzinfo=UTC), url=url, status=200, rows=1, bytes=1, elapsed_s=0.1, note="")

store, copy = Store(Path(sys.argv[1])), Path(sys.argv[2])
"""
LOOP = """
end, n = time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < end or n < 3:
    with store.transaction() as connection:
        for half in range(2):
            write_fetch_log(connection, [entry(f"run {n}")] * 20, f"{sys.argv[4]}-{n}")
    publish(store, copy)
    n += 1
print(n)
"""
TRY = """
try:
    with store.transaction(wait_s=0):
        print("came in")
except Exception as error:
    print(type(error).__name__)
"""
OPEN = """
import sys
from pathlib import Path
from forecaster.store.database import open_store
open_store(Path(sys.argv[1]))
"""
READ = """
import sys, time
from pathlib import Path
from forecaster.store.database import query
end, reads, seen = time.monotonic() + float(sys.argv[2]), 0, 0
while time.monotonic() < end or reads < 5:
    runs = query(Path(sys.argv[1]), "SELECT run_id, count(*) AS n FROM fetch_log GROUP BY run_id")
    assert set(runs["n"]) <= {40}, runs
    assert len(runs) >= seen, "a reader never goes back in time"
    reads, seen = reads + 1, len(runs)
print(reads)
"""


@pytest.fixture
def copy(settings) -> Path:
    return settings.published


def test_readers_of_the_published_copy_never_meet_an_error_or_half_a_run(store, copy):
    publish(store, copy)
    writer = started(WRITER + LOOP, store.path, copy, 3, "a")
    readers = [started(READ, copy, 3) for _ in range(2)]
    assert all(int(ended(reader)) >= 5 for reader in readers)
    runs = int(ended(writer))
    assert len(query(copy, "SELECT DISTINCT run_id FROM fetch_log")) == runs >= 3
    assert [path.name for path in copy.parent.iterdir()] == [copy.name], "no temporary file is left"


def test_two_writers_wait_for_each_other_and_lose_nothing(store, copy):
    writers = [started(WRITER + LOOP, store.path, copy, 2, name) for name in "ab"]
    runs = sum(int(ended(writer)) for writer in writers)
    counts = table(store, "fetch_log").groupby("run_id").size()
    assert len(counts) == runs >= 6 and set(counts) == {ROWS}


def test_a_writer_killed_inside_a_transaction_leaves_the_store_as_it_was(store, copy):
    ended(started(WRITER + LOOP, store.path, copy, 0, "before"))
    kept = table(store, "fetch_log")
    doomed = started(
        WRITER
        + """
with store.transaction() as connection:
    for n in range(200):
        write_fetch_log(connection, [entry("doomed")] * 500, "doomed")
    print("written", flush=True)
    time.sleep(600)
""",
        store.path,
        copy,
    )
    assert doomed.stdout is not None and doomed.stdout.readline() == "written\n"
    doomed.kill()
    doomed.wait()
    assert table(store, "fetch_log").equals(kept)
    assert len(query(copy, "SELECT * FROM fetch_log")) == len(kept)


def test_a_writer_killed_between_commit_and_close_loses_nothing(store, copy):
    """What is committed but not yet in the file lies in the log beside it; publishing writes it in first."""
    doomed = started(
        WRITER
        + """
import os, signal
with store.transaction() as connection:
    write_fetch_log(connection, [entry("kept")] * 7, "kept")
    connection.execute("COMMIT")
    os.kill(os.getpid(), signal.SIGKILL)
""",
        store.path,
        copy,
    )
    doomed.wait()
    assert Path(f"{store.path}.wal").exists(), "or this test shows nothing"
    publish(store, copy)
    assert len(query(copy, "SELECT * FROM fetch_log")) == 7


def test_a_busy_store_says_so_after_a_short_wait(store, copy):
    holder = started(WRITER + "\nwith store.transaction():\n    print('held', flush=True)\n    time.sleep(600)", store.path, copy)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    began = time.monotonic()
    with pytest.raises(StoreBusy) as error, store.transaction(wait_s=0.4):
        pass
    assert 0.4 <= time.monotonic() - began < LOCK_WAIT_S, "as it was asked for"
    assert "in use by another process" in str(error.value) and str(store.path) in str(error.value) and "\n" not in str(error.value)
    holder.kill()
    holder.wait()
    assert table(store, "fetch_log").empty


def test_nobody_writes_while_the_copy_is_made(store, copy, monkeypatch):
    """POSIX drops a process's lock when it closes any handle of the file: copying by name would let a second writer in."""
    tried: list[str] = []
    other = WRITER + TRY
    real = duckdb_engine.os.fsync

    def copied(handle: int) -> None:
        tried.append(ended(started(other, store.path, copy)))
        real(handle)

    monkeypatch.setattr(duckdb_engine.os, "fsync", copied)
    publish(store, copy)
    assert tried == ["StoreBusy\n"]
    monkeypatch.undo()
    assert ended(started(other, store.path, copy)) == "came in\n"


def test_threads_of_one_process_take_turns(store):
    def write(name: str) -> None:
        for _ in range(3):
            with store.transaction() as connection:
                connection.execute("INSERT INTO fetch_log BY NAME SELECT $n AS run_id, now() AS requested_at, 'x' AS url", {"n": name})

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table(store, "fetch_log").groupby("run_id").size().to_dict() == {"a": 3, "b": 3, "c": 3}


def test_opening_a_folder_at_the_same_time_is_no_error(tmp_path, monkeypatch):
    """Each looks whether it can write there; another process does so between our making a trial file and our taking it away."""
    real = Path.touch

    def touched(path: Path) -> None:
        real(path)
        monkeypatch.undo()
        ended(started(OPEN, tmp_path / "quakecast.duckdb"))

    monkeypatch.setattr(Path, "touch", touched)
    open_store(tmp_path / "quakecast.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["quakecast.duckdb"]


def test_a_newer_schema_is_refused_and_the_file_is_not_touched(store):
    with store.transaction() as connection:
        connection.execute("INSERT INTO migration VALUES (999, '0999_later.sql')")
    before = hashlib.sha256(store.path.read_bytes()).hexdigest()
    with pytest.raises(SchemaTooNew, match=r"schema 999.*upgrade quakecast") as error:
        open_store(store.path)
    assert "\n" not in str(error.value)
    assert hashlib.sha256(store.path.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in store.path.parent.iterdir()) == [store.path.name]


def test_an_older_schema_is_brought_up_to_date(store, copy):
    """A database that has seen the first migration only keeps its rows and gets the tables of the others."""
    old = Store(store.path.with_name("old.duckdb"))
    with old.transaction() as connection:
        connection.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
        connection.execute(migrations()[0][2])
        connection.execute("INSERT INTO migration VALUES (1, 'first')")
        connection.execute("INSERT INTO fetch_log BY NAME SELECT now() AS requested_at, 'x' AS url")
    open_store(old.path)
    assert len(table(old, "fetch_log")) == 1 and table(old, "forecast").empty
    assert table(old, "migration")["number"].tolist() == [number for number, _, _ in migrations()]


@pytest.mark.parametrize("content", [b"this is no database\n" * 500, b""], ids=["text", "empty file"])
def test_a_file_that_is_no_database_is_one_line_and_stays(tmp_path, content):
    """In a folder with `lock` in its name: that word in the path must not be taken for a lock."""
    file = tmp_path / "o'clock" / "quakecast.duckdb"
    file.parent.mkdir()
    file.write_bytes(content)
    began = time.monotonic()
    with pytest.raises(StoreError, match="is it a quakecast database") as error:
        open_store(file)
    assert "\n" not in str(error.value) and time.monotonic() - began < LOCK_WAIT_S
    assert file.read_bytes() == content


def test_half_a_database_is_one_line_and_stays(store, tmp_path):
    half = tmp_path / "half.duckdb"
    half.write_bytes(store.path.read_bytes()[: store.path.stat().st_size // 2])
    before = half.read_bytes()
    with pytest.raises(StoreError) as error:
        open_store(half)
    assert "\n" not in str(error.value) and half.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("a regular file")
    with pytest.raises(NotWritable, match="QUAKECAST_HOME") as error:
        open_store(tmp_path / "file" / "home" / "quakecast.duckdb")
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)
    assert (tmp_path / "file").read_text() == "a regular file"


FULL = """
import resource, signal
from forecaster.errors import NotWritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size // 2, -1))
for step in (lambda: publish(store, copy), lambda: fill()):
    try:
        step()
    except NotWritable as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_store_and_copy_as_they_were(store, copy):
    """A limit on the size of files stands for the disk: neither the copy nor a large transaction fits."""
    publish(store, copy)
    published, rows = copy.read_bytes(), len(table(store, "migration"))
    fill = """
def fill():
    with store.transaction() as connection:
        connection.execute("INSERT INTO fetch_log BY NAME SELECT now() AS requested_at, md5(i::VARCHAR) AS url FROM range(200000) t(i)")
"""
    lines = ended(started(WRITER + fill + FULL, store.path, copy)).splitlines()
    assert len(lines) == 2 and lines[0].startswith("cannot publish the database as") and lines[1].startswith("cannot write to")
    assert copy.read_bytes() == published and [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert table(store, "fetch_log").empty and len(table(store, "migration")) == rows


def test_a_place_for_the_copy_that_cannot_be_written_is_one_line(store, tmp_path):
    (tmp_path / "file").write_text("a regular file")
    with pytest.raises(NotWritable, match="cannot publish") as error:
        publish(store, tmp_path / "file" / "published" / "quakecast.duckdb")
    assert "\n" not in str(error.value)
