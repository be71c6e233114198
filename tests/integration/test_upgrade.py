"""A database of schema 5, as the first users have it, opened by this version: nothing is lost, nothing is sent twice."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.notify.outbox import Recipient
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.run_context import Job
from forecaster.settings import Settings, load_settings
from forecaster.store import publications
from forecaster.store.database import Store, open_store
from forecaster.store.migrating import newest_schema
from tests.support.old_schemas import old_schema
from tests.support.steps import machine

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = datetime(2024, 1, 2, 15, tzinfo=UTC)
TABLES = ("forecast", "outcome", "score", "model", "champion", "delivery", "report", "fetch_log")


def _insert(connection, table: str, *values: object) -> None:
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", list(values))


def _forecast(connection, name: str, mode: str, official: bool) -> None:
    head = (name, "tokyo-m45", DAY, DAY + timedelta(days=1), "climatology", "climatology", NOON, NOON, mode, official, True, None)
    _insert(connection, "forecast", *head, 0.11, 0.1, "r", "t", "0.1.0", False, None, 2.0, None, NOON, '{"expected_count": 0.117}')


def _fill(connection, delivery_state: str) -> None:
    """A row or two of each table, column for column as that version wrote them."""
    _forecast(connection, "official", "prospective", True)
    _forecast(connection, "hindcast", "hindcast", False)
    _insert(connection, "outcome", "tokyo-m45", DAY, DAY + timedelta(days=1), "t", True, 2, 5.1, "final", NOON + timedelta(days=50), True)
    _insert(connection, "score", "official", "tokyo-m45", DAY, "prospective", True, "final", -2.2, -2.3, 0.79, NOON + timedelta(days=50))
    _insert(connection, "model", "m1", "tokyo-m45", "hybrid", "r", "tokyo-m45/m1", NOON, "best", "{}", NOON, "0.1.0")
    _insert(connection, "champion", "tokyo-m45", "t", 1, "hybrid", "m1", NOON, "rule", "best", "{}", "0.1.0")
    _insert(connection, "report", "report-1", None, NOON, "prospective", "reports/a.en.html", "0" * 64, NOON)
    _insert(connection, "fetch_log", None, NOON, "http://127.0.0.1/query", 200, 5, 900, 0.4, "")
    one_a_channel = hashlib.sha256(b"report-1|webhook").hexdigest()
    told = ("report-1", "webhook", "webhook to http://127.0.0.1", delivery_state, 1, "refused", NOON, NOON, None)
    _insert(connection, "delivery", one_a_channel, *told)


def _schema_5(path: Path, delivery_state: str = "failed") -> dict[str, tuple[list[str], list[tuple]]]:
    with old_schema(5):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_store(path).transaction() as connection:
            _fill(connection, delivery_state)
            return _rows(connection)


def _rows(connection, columns: dict[str, list[str]] | None = None) -> dict[str, tuple[list[str], list[tuple]]]:
    found = {}
    for table in TABLES:
        answer = connection.execute(f"SELECT {', '.join(columns[table]) if columns else '*'} FROM {table} ORDER BY 1, 2")
        found[table] = ([column[0] for column in answer.description], answer.fetchall())
    return found


def test_no_row_is_lost_or_changed_and_what_is_new_has_its_default(settings: Settings):
    before = _schema_5(settings.database)
    with open_store(settings.database).transaction() as connection:
        assert _rows(connection, {table: columns for table, (columns, _) in before.items()}) == before
        assert connection.execute("SELECT DISTINCT method, in_sample FROM forecast").fetchall() == [("daily", False)]
        assert connection.execute("SELECT revised_at = as_of FROM outcome").fetchall() == [(True,)]
        assert connection.execute("SELECT subject_kind FROM delivery").fetchall() == [("report",)]
        assert connection.execute("SELECT service_date FROM fetch_log").fetchall() == [(None,)]
        assert connection.execute("SELECT count(*) FROM v_forecast").fetchall() == [(2,)]
        assert connection.execute("SELECT max(number) FROM migration").fetchall() == [(newest_schema(),)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("hybrid", "m1", "rule")], None),
        ([("hybrid", "m1", "rule"), ("pooled", "m2", "person")], ("kind", {"pooled": 1.0}, "m2")),
        ([("hybrid", "m1", "rule"), ("pooled", None, "person")], ("kind", {"pooled": 1.0}, None)),
        ([("hybrid", "m1", "person"), ("climatology", None, "person")], ("rate", {}, None)),
        ([("pooled", "m2", "person"), ("hybrid", "m1", "rule")], None),
    ],
    ids=["the rule alone", "a person's model", "a person's kind", "a person's rate", "the rule last"],
)
def test_what_a_person_decided_under_the_rule_of_one_champion_goes_on(settings: Settings, recipes, rows, expected):
    """Of schema 10, each decision an hour after the one before; what the rule decided makes way for the combination. History stays."""
    tokyo = recipes["tokyo-m45"]
    with old_schema(10), open_store(settings.database).transaction() as connection:
        for number, (kind, model_id, who) in enumerate(rows, 1):
            since = NOON + timedelta(hours=number)
            told = (tokyo.id, tokyo.target_hash, number, kind, model_id, since, who, f"reason {number}", "{}", "0.1.0")
            _insert(connection, "champion", *told)
    store, last = open_store(settings.database), NOON + timedelta(hours=len(rows))
    with store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM champion").fetchall() == [(len(rows),)]
        made = publications.decisions(connection, tokyo.id, tokyo.target_hash)
        found = blend_of(connection, tokyo, last, DAY.date())
        earlier = blend_of(connection, tokyo, last - timedelta(seconds=1), DAY.date())
    assert earlier.how == "combination"
    if expected is None:
        assert made == [] and found.how == "combination"
        return
    assert (found.how, dict(found.weights), found.model_id) == expected and found.source == "person"
    ((number, since, reason),) = [(row["number"], row["since"], row["reason"]) for row in made]
    assert (number, since, reason) == (1, last, f"reason {len(rows)}")
    with store.transaction() as connection:
        publications.add_decision(connection, made[0] | {"how": "combination", "kind": None, "model_id": None, "since": last})
        assert blend_of(connection, tokyo, last, DAY.date()).how == "combination"


def test_a_migration_that_breaks_off_leaves_the_schema_before(settings: Settings):
    before = _schema_5(settings.database)
    with old_schema(8, (9, "0009_messages.sql", "SELECT error('pulled the plug')")), pytest.raises(Exception, match="pulled the plug"):
        open_store(settings.database)
    with Store(settings.database).transaction() as connection:
        assert connection.execute("SELECT max(number) FROM migration").fetchall() == [(5,)]
        assert _rows(connection) == before


@pytest.mark.parametrize("state", ["sent", "dead", "failed", "pending"])
def test_a_report_of_the_version_before_is_closed_with_the_reason_and_never_sent_twice(settings: Settings, state: str):
    """That version kept no document of it: made anew from today's store, it would say something else under the same id."""
    _schema_5(settings.database, state)
    secret = "whsec_" + base64.b64encode(b"of these tests only, 32 bytes...").decode()
    hook = load_settings(home=settings.home, webhook_url="http://127.0.0.1:9/x", webhook_secret=secret, webhook_allow_private=True)
    job = Job(hook, open_store(hook.database), [], machine(NOON + timedelta(hours=1)), "run")
    (to,) = deliver.recipients(hook)
    with job.store.transaction() as connection:
        rows = deliver._plan(connection, [to], job.clock.now(), True)
        two = deliver._plan(connection, [to, _other(to)], job.clock.now(), True)
    for planned in (rows, two):
        assert [row.state for row in planned] == ([] if state in ("sent", "dead") else ["closed"])
    assert all((row.last_error or "").startswith("an earlier version wrote the report and kept no document") for row in rows)


def _other(to: Recipient) -> Recipient:
    return replace(to, label="another", address=type(to.address)("http://127.0.0.1:9/y"))


def test_the_events_of_the_version_before_are_the_same_at_every_moment(settings: Settings):
    """Of schema 12: nc1 was met as us1, and us1 was then found to be one with us2. Rows as that version wrote them."""
    hour = timedelta(hours=1)
    with old_schema(12), open_store(settings.database).transaction() as connection:
        for key, name, updated, seen in (
            ("us1", "us1", 1, 1),
            ("us2", "us2", 2, 2),
            ("us1", "nc1", 3, 3),
            ("us2", "us2", 4, 4),
            ("us3", "us3", 90_000, 5),
            ("us3", "us3", 6, 6),
        ):
            connection.execute(
                "INSERT INTO event_revision VALUES ($key, $name, [$name], $t, 0, 0, 10, 5 + $seen / 100, 'mw', 'earthquake', "
                "'reviewed', 'us', 'here', $updated, $read, $read, 'observed', 'usgs', md5($name || $seen))",
                {"key": key, "name": name, "seen": seen, "t": NOON, "updated": NOON + updated * hour, "read": NOON + seen * hour},
            )
        connection.execute("INSERT INTO event_merge VALUES ('us1', 'us2', $t)", {"t": NOON + 4 * hour})
        connection.execute("INSERT INTO event_id_map VALUES ('us1', 'us2'), ('us2', 'us2'), ('nc1', 'us2'), ('us3', 'us3')")
        moments = [NOON + number * hour for number in range(8)]
        then = [_events(connection, moment) for moment in moments]
    with open_store(settings.database).transaction() as connection:
        now = [_events(connection, moment) for moment in moments]
    assert then[4] == [("us2", "us2", 5.04)] and now[:6] == then[:6]
    assert [row[2] for row in then[7]] == [5.04, 5.05] and [row[2] for row in now[7]] == [5.04, 5.06], (
        "a stamp ten years ahead counts no more"
    )


def _events(connection, moment: datetime) -> list[tuple]:
    return connection.execute("SELECT event_key, event_id, magnitude FROM event_as_of($t) ORDER BY 1", {"t": moment}).fetchall()
