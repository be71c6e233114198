"""What workers read: the published copy and exported Parquet files say what the store says, whole, while the next is being written."""

import functools
import json
import os
import pickle
import shutil
import threading
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import util
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.errors import BadInput, NotWritable, SchemaTooNew, StoreError, StoreUnreachable
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import HTTPFS
from forecaster.store.migrating import newest_schema
from forecaster.store.sharing import parquet
from forecaster.store.sharing.parquet import export_tables
from forecaster.store.sharing.publish import publish
from forecaster.store.sharing.read_only_store import ParquetExport, PublishedCopy, open_source
from tests.support.folders import content_of
from tests.support.toys import cover, dump, own_copy, quake, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
NEWEST = newest_schema()


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory):
    """Events that were revised, deleted, and joined twice in an order that counts. Copy it; never write to it."""
    store = open_store(tmp_path_factory.mktemp("filled") / "quakecast.duckdb")
    hours = [NOW + timedelta(hours=number) for number in range(6)]
    first = quake("us1", NOW - timedelta(days=3), 5.0, known=hours[0])
    write(
        store, first, quake("us2", NOW - timedelta(days=2), 4.8, known=hours[0]), quake("ak3", NOW - timedelta(days=1), 5.5, known=hours[0])
    )
    write(store, first | {"magnitude": 5.4, "updated_at": hours[1], "observed_at": hours[1], "known_at": hours[1]})
    write(store, quake("us2", NOW - timedelta(days=2), 4.8, known=hours[2], status="deleted"))
    write(store, quake("us4", NOW - timedelta(days=1), 5.6, known=hours[2]))
    write(store, quake("us4", NOW - timedelta(days=1), 5.7, known=hours[3], ids=["us4", "ak3"]))
    write(store, quake("us5", NOW - timedelta(days=1), 5.2, known=hours[3]))
    write(store, quake("us5", NOW - timedelta(days=1), 5.8, known=hours[3], ids=["us5", "us4"], updated_at=hours[4]))
    cover(store, NOW)
    return store.path


@pytest.fixture
def filled(filled_file, settings):
    return own_copy(filled_file, settings)


def reader(settings, address):
    return open_source(load_settings(home=settings.home / "none", read_from=str(address)))


@pytest.fixture(params=["published", "exported"])
def source(request, filled, settings, tmp_path):
    """Each of the two, of the filled store."""
    if request.param == "published":
        return open_source(settings) if publish(filled, settings.published) else None
    export_tables(filled, tmp_path / "parquet")
    return reader(settings, tmp_path / "parquet")


def answer(store, sql):
    with store.transaction() as connection:
        return connection.execute(sql).df()


def test_the_source_says_what_the_store_says(source, filled):
    """Every table and view with its types, and both macros at every moment that anything became known."""
    with filled.transaction() as connection:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name <> 'migration'").fetchall()]
        names += [row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    moments = [NOW + timedelta(minutes=minutes) for minutes in range(-30, 400, 60)]
    macros = [f"{macro}(TIMESTAMPTZ '{moment.isoformat()}')" for macro in ("event_as_of", "event_versions") for moment in moments]
    with source.transaction() as theirs, filled.transaction() as ours:
        for name in names + macros:
            has_place = isinstance(source, ParquetExport) and name in ("event_revision", "event_merge")
            said = theirs.execute(f"SELECT *{' EXCLUDE (rowid)' if has_place else ''} FROM {name} ORDER BY ALL").df()
            held = ours.execute(f"SELECT * FROM {name} ORDER BY ALL").df()
            assert said.equals(held) and said.dtypes.tolist() == held.dtypes.tolist(), name
        assert theirs.execute("SELECT count(*) FROM event").fetchall() == [(2,)]
        assert theirs.execute("SELECT count(*) >= 2 FROM event_merge").fetchall() == [(True,)]


def test_nothing_can_be_written_to_a_source(source, filled, tmp_path):
    before = dump(filled)
    with pytest.raises(duckdb.Error, match=r"read-only|read only"), source.transaction() as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    with pytest.raises(StoreError, match="is for reading"):
        publish(source, tmp_path / "copy.duckdb")
    assert dump(filled) == before and not (tmp_path / "copy.duckdb").exists()
    assert pickle.loads(pickle.dumps(source)) == source


def test_a_reader_sees_one_state_while_the_next_is_put_in_its_place(source, filled, settings, tmp_path):
    """Within a transaction the old one to its end, in the next the new one."""
    count = "SELECT count(*) FROM event_revision"
    with source.transaction() as connection:
        before = connection.execute(count).fetchall()
        write(filled, quake("us6", NOW, 5.0))
        publish(filled, settings.published)
        export_tables(filled, tmp_path / "parquet")
        assert connection.execute(count).fetchall() == before
        assert connection.execute("SELECT count(*) FROM event WHERE event_id = 'us6'").fetchall() == [(0,)]
    assert answer(source, "SELECT event_id FROM event WHERE event_id = 'us6'")["event_id"].tolist() == ["us6"]


def test_the_same_export_again_changes_nothing(filled, tmp_path):
    made = export_tables(filled, tmp_path / "out")
    before = content_of(tmp_path / "out")
    assert set(before) == {"quakecast.json", *(f"{made.version}/{name}.parquet" for name in made.tables)}
    assert json.loads(before["quakecast.json"])["tables"] == made.tables and made.tables["event_merge"] >= 2
    assert export_tables(filled, tmp_path / "out") == made and content_of(tmp_path / "out") == before


@pytest.mark.parametrize(("where", "name"), [(parquet, "_digest"), (Path, "rename"), (parquet, "_write_manifest")])
def test_an_export_that_is_cut_off_leaves_the_one_before(filled, settings, tmp_path, monkeypatch, where, name):
    """Cut as its files are written, as they are put in their place, and as the manifest is to point to them."""
    out = tmp_path / "out"
    export_tables(filled, out)
    write(filled, quake("us6", NOW, 5.0))

    def cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, name, cut)
        with pytest.raises(KeyboardInterrupt):
            export_tables(filled, out)
    assert len(answer(reader(settings, out), "SELECT * FROM event")) == 2
    export_tables(filled, out)
    assert len(answer(reader(settings, out), "SELECT * FROM event")) == 3


def test_versions_that_nobody_reads_any_more_go_after_a_day(filled, tmp_path):
    """The present one and the one before stay at any age; one that is half written, and what is not ours, too."""
    out = tmp_path / "out"
    versions = [export_tables(filled, out).version]
    for number in range(3):
        write(filled, quake(f"more{number}", NOW, 5.0))
        if number == 2:
            (out / ".new-left").mkdir()
            (out / "mine").mkdir()
            for name in (versions[0], versions[2], ".new-left", "mine"):
                os.utime(out / name, (0, 0))
        versions.append(export_tables(filled, out).version)
    assert {path.name for path in out.iterdir()} == {"quakecast.json", "mine", *versions[1:]}


def test_a_folder_that_cannot_be_written_is_one_line(filled, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritable, match=r"cannot export to .*file.*; choose a folder that can be written"):
        export_tables(filled, tmp_path / "file")


def refused(settings, address, error, *said):
    with pytest.raises(error) as caught:
        reader(settings, address)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in said), str(caught.value)


def test_a_source_that_is_missing_foreign_or_of_another_schema_is_one_line(filled, settings, tmp_path):
    with pytest.raises(BadInput, match=r"there is no published database at .* yet; make one with `quakecast run`"):
        open_source(settings)
    refused(settings, tmp_path / "none.duckdb", BadInput, "there is no published database")
    refused(settings, tmp_path / "none", BadInput, "there is no export of quakecast at", "quakecast export --parquet")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE a (b INTEGER)")
    refused(settings, tmp_path / "other.duckdb", BadInput, "none of quakecast")
    theirs = (tmp_path / "other.duckdb").read_bytes()
    with pytest.raises(BadInput, match="none of quakecast; set QUAKECAST_HOME"):
        open_store(tmp_path / "other.duckdb")
    assert (tmp_path / "other.duckdb").read_bytes() == theirs
    (tmp_path / "text.duckdb").write_text("no database")
    refused(settings, tmp_path / "text.duckdb", StoreError, "is it a quakecast database?")
    export_tables(filled, tmp_path / "made")
    manifest = json.loads((tmp_path / "made" / "quakecast.json").read_text())
    for spoilt in ("", "[]", json.dumps(manifest | {"version": "../made"}), json.dumps({**manifest, "schema": "new"})):
        (tmp_path / "made" / "quakecast.json").write_text(spoilt)
        refused(settings, tmp_path / "made", BadInput, "is no manifest of quakecast")
    tables = {name: rows for name, rows in manifest["tables"].items() if name != "champion"}
    for changes, error, said in [
        ({"schema": NEWEST + 1}, SchemaTooNew, f"has schema {NEWEST + 1}, this quakecast needs {NEWEST}: a newer version wrote it"),
        ({"schema": NEWEST - 1}, BadInput, "an older version wrote it"),
        ({"tables": tables}, BadInput, "lacks champion; export again"),
    ]:
        (tmp_path / "made" / "quakecast.json").write_text(json.dumps(manifest | changes))
        refused(settings, tmp_path / "made", error, said)
    for schema, error in ((NEWEST + 1, SchemaTooNew), (NEWEST - 1, BadInput)):
        copy = publish(filled, tmp_path / f"{schema}.duckdb")
        with duckdb.connect(str(copy)) as connection:
            connection.execute("DELETE FROM migration WHERE number >= $new", {"new": schema})
            connection.execute("INSERT INTO migration VALUES ($new, 'another')", {"new": schema})
        refused(settings, copy, error, f"has schema {schema}, this quakecast needs {NEWEST}")


def test_files_that_vanish_or_are_cut_are_one_line_and_can_be_tried_again(filled, settings, tmp_path):
    made = export_tables(filled, tmp_path)
    source = reader(settings, tmp_path)
    (tmp_path / made.version / "champion.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreUnreachable, match="too small to be a Parquet file") as caught:
        table(source, "champion")
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / made.version)
    with pytest.raises(StoreUnreachable, match=r"cannot read .*; try again"):
        table(source, "champion")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:word@host/folder", "holds a user or a password; leave it out"),
        ("ftp://host/folder", "ftp is none of http, https, s3"),
    ],
)
def test_an_address_that_is_none_is_refused_and_a_password_not_repeated(settings, address, said):
    with pytest.raises(BadInput) as caught:
        reader(settings, address)
    assert said in str(caught.value) and "word@" not in str(caught.value)


def httpfs_is_here() -> bool:
    """Whether DuckDB or a package of the very same version has the extension."""
    package = util.find_spec(HTTPFS)
    if package is not None and package.origin and (Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}").is_dir():
        return True
    try:
        with duckdb.connect() as connection:
            connection.execute("LOAD httpfs")
    except duckdb.Error:
        return False
    return True


@pytest.fixture
def served(filled, tmp_path):
    """The export over HTTP on this machine."""
    export_tables(filled, tmp_path / "served")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "served"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_export_is_read_over_http_or_says_what_is_missing_for_that(served, filled, settings):
    """DuckDB's extension is a package of the very version of DuckDB; where that is not installed, the message says which one to install."""
    if not httpfs_is_here():
        refused(settings, served, BadInput, f"install the package {HTTPFS.replace('_', '-')}=={duckdb.__version__}")
        return
    source = reader(settings, served)
    assert answer(source, "SELECT * FROM event ORDER BY ALL").equals(answer(filled, "SELECT * FROM event ORDER BY ALL"))
    refused(settings, f"{served}/nowhere", BadInput, "there is no export of quakecast")
    refused(settings, "http://127.0.0.1:9", StoreUnreachable, "cannot read http://127.0.0.1:9", "try again")


def test_the_command_exports_the_published_copy(filled, settings, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(cli.main, ["export", *arguments], env={"QUAKECAST_HOME": str(settings.home)})

    nothing = run("--parquet", str(tmp_path / "out"))
    assert nothing.exit_code == 2 and nothing.stderr.startswith("quakecast: there is no published database")
    publish(filled, settings.published)
    done = run("--parquet", str(tmp_path / "out"))
    assert done.exit_code == 0 and done.stdout.startswith(str(tmp_path / "out")) and done.stdout.endswith(" rows\n")
    assert len(answer(reader(settings, tmp_path / "out"), "SELECT * FROM event")) == 2 and not settings.output.exists()


def test_a_published_copy_is_read_by_many_at_once(filled, settings):
    """No lock of ours stands between readers: a second transaction begins while the first is open."""
    publish(filled, settings.published)
    source = open_source(settings)
    assert isinstance(source, PublishedCopy)
    with source.transaction(wait_s=0) as first, source.transaction(wait_s=0) as second, filled.transaction(wait_s=0):
        assert first.execute("SELECT count(*) FROM event").fetchall() == second.execute("SELECT count(*) FROM event").fetchall() == [(2,)]
