"""Changed bodies and answers end as rows or as a CatalogError, and a store takes the rows; at length: `python -m tests.faults.bodies`."""

import json
import threading
from collections import Counter
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecaster.catalog.query import Query
from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.errors import CatalogError
from forecaster.store.database import open_store
from forecaster.store.versions import catalogue
from tests.faults.bodies import READ_AT, Body, bodies, check, collection, feature, judged, raw_answers, table
from tests.support.raw_server import serve_raw

BODIES = 500
ANSWERS = 200
LEAST_READ = 0.2


@pytest.mark.parametrize("seed", range(4))
def test_changed_bodies_become_rows_that_a_store_takes_or_a_documented_error(seed, tmp_path):
    came, frames, apart = Counter[str](), [], []
    for number, body in enumerate(bodies(seed, BODIES)):
        try:
            outcome, parsed = judged(body)
        except Exception as error:
            raise AssertionError(f"seed {seed}, body {number}: {body}") from error
        came[outcome] += 1
        if parsed is not None:
            frames.append(parsed.revisions)
            apart.append(parsed.quarantined)
    assert came["rows"] > BODIES * LEAST_READ and came["CatalogMalformed"] > 0 and came["CatalogTruncated"] > 0, came
    rows = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    with open_store(tmp_path / "quakecast.duckdb").transaction() as connection:
        written = catalogue.write_revisions(connection, rows)
        catalogue.write_quarantine(connection, pd.concat(apart, ignore_index=True), None)
        assert written.new > 0 and written.new + written.unchanged == len(rows)
        catalogue.read_events(connection, READ_AT)
        assert catalogue.write_revisions(connection, rows).new == 0


def test_the_bodies_before_any_change_are_read_whole():
    """Otherwise the changes would be made to rows that are refused anyway."""
    outcome, parsed = judged(Body("geojson", json.dumps(collection(feature(1), feature(2))).encode(), ()))
    assert outcome == "rows" and parsed is not None and len(parsed.revisions) == 2
    outcome, parsed = judged(Body("csv", table(3).encode(), ()))
    assert outcome == "rows" and parsed is not None and len(parsed.revisions) == 3
    broken = parsed.revisions.assign(place="a\0b")
    with pytest.raises(AssertionError):
        check(type(parsed)(broken, parsed.quarantined, parsed.rows))


def test_the_same_seed_gives_the_same_bodies():
    assert list(bodies(7, 50)) == list(bodies(7, 50)) != list(bodies(8, 50))


def test_changed_answers_end_as_rows_or_a_documented_error():
    """Heads and all, over real sockets; the server closes after each, so nothing has to wait."""
    said = list(raw_answers(1, ANSWERS))
    came = Counter[str]()

    def talk(line, closing: threading.Event) -> None:
        line.sendall(said[len(server.asked) - 1])

    query = Query(READ_AT - timedelta(days=2), READ_AT, 4.0)
    with serve_raw(talk) as server:
        for _ in range(ANSWERS):
            options = {"max_tries": 1, "timeout_s": (20.0, 20.0), "deadline_s": 30.0}
            client = UsgsClient(server.url, "x", clock=lambda: READ_AT, rng=np.random.default_rng(1), **options)
            try:
                came["rows"] += len(client.changes_since(query).revisions) > 0
            except CatalogError as error:
                assert "\n" not in str(error)
                came[type(error).__name__] += 1
    assert len(came) >= 4 and came["rows"] > 5, came
