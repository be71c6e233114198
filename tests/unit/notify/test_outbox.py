"""The state machine of the outbox, by a clock that the test holds."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify import outbox

NOW = datetime(2024, 1, 3, tzinfo=UTC)


def to(channel: str, address: str = "https://example.org/T0KEN", label: str = "a label") -> outbox.Recipient:
    return outbox.Recipient(channel, label, SecretStr(address))


def one_row() -> outbox.Delivery:
    return outbox.plan("report-1", "report", [to("email")], NOW)[0]


def tried(row: outbox.Delivery, now: datetime, error: Exception | None = None) -> outbox.Delivery:
    """The row after one claimed attempt that raises `error`, or goes well."""
    return outbox.ended(outbox.claim(row, now), error, now)


def test_planning_twice_gives_the_same_ids_and_one_row_a_recipient() -> None:
    """sha256("report-1|email|a@example.org"), by `printf 'report-1|email|a@example.org' | sha256sum`."""
    who = [to("webhook"), to("email", "a@example.org", "a"), to("email", "b@example.org", "b")]
    first = outbox.plan("report-1", "report", who, NOW)
    again = outbox.plan("report-1", "report", reversed(who), NOW + timedelta(days=1))
    assert [row.delivery_id for row in first] == [row.delivery_id for row in again]
    assert [(row.channel, row.recipient) for row in first] == [("email", "a"), ("email", "b"), ("webhook", "a label")]
    assert first[0].delivery_id == "f66bfd197e641c111903f60b70cd8ebdf55488adc4242c62a4dcffefa41f83df"
    assert len({row.delivery_id for row in [*first, *outbox.plan("report-2", "report", who, NOW)]}) == 6


def test_another_address_is_another_delivery_and_no_row_shows_it() -> None:
    """A webhook that died at one URL is sent to the next one."""
    old, new = (outbox.plan("r", "report", [to("webhook", f"https://example.org/{path}")], NOW)[0] for path in ("T0KEN", "T0KEN2"))
    assert old.delivery_id != new.delivery_id and "T0KEN" not in repr([old, new])


def test_a_message_may_be_held_back() -> None:
    (row,) = outbox.plan("a", "alert", [to("email")], NOW, NOW + timedelta(hours=8))
    assert not outbox.is_due(row, NOW + timedelta(hours=7)) and outbox.is_due(row, NOW + timedelta(hours=8))


def test_a_sent_row_is_sent_once() -> None:
    row = tried(one_row(), NOW)
    assert (row.state, row.attempts, row.sent_at, row.next_try_at) == ("sent", 1, NOW, None)
    assert not outbox.is_due(row, NOW + timedelta(days=9))


def test_a_claimed_row_is_nobody_else_s_until_its_lease_ends() -> None:
    row = outbox.claim(one_row(), NOW)
    assert (row.state, row.attempts, row.interrupted) == ("sending", 1, True)
    assert not outbox.is_due(row, NOW + timedelta(minutes=9, seconds=59)) and outbox.is_due(row, NOW + timedelta(minutes=10))


def test_a_failure_waits_longer_each_time_and_dies_in_the_end() -> None:
    """5, 15, 45, 135 minutes, then 6 hours: together 33 h 20 min until the tenth attempt."""
    row, now, waits = one_row(), NOW, []
    for _ in range(outbox.MAX_ATTEMPTS):
        row = tried(row, now, DeliveryFailed("451"))
        if row.next_try_at is not None:
            assert not outbox.is_due(row, row.next_try_at - timedelta(seconds=1))
            waits.append((row.next_try_at - now).total_seconds() / 60)
            now = row.next_try_at
    assert waits == [5, 15, 45, 135, 360, 360, 360, 360, 360]
    assert (row.state, row.attempts, row.last_error, row.next_try_at) == ("dead", 10, "451", None)


A_DAY = 24 * 60


@pytest.mark.parametrize(("asked_s", "minutes"), [(None, 5), (7.0, 5), (3600.0, 60), (1e9, A_DAY), (1e15, A_DAY), (float("inf"), A_DAY)])
def test_the_wait_that_a_receiver_asks_for_is_kept_within_a_day(asked_s: float | None, minutes: int) -> None:
    row = tried(one_row(), NOW, DeliveryFailed("429", asked_s))
    assert row.next_try_at == NOW + timedelta(minutes=minutes)


def test_a_failure_that_recovers_is_sent_and_forgets_its_error() -> None:
    row = tried(one_row(), NOW, DeliveryFailed("451"))
    assert (row.state, row.last_error) == ("failed", "451")
    row = tried(row, NOW + timedelta(minutes=5))
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, None)


def test_a_refusal_is_final_until_a_person_revives_it() -> None:
    row = tried(one_row(), NOW, DeliveryRefused("410"))
    assert (row.state, row.attempts) == ("dead", 1) and not outbox.is_due(row, NOW + timedelta(days=9))
    later = NOW + timedelta(days=1)
    assert outbox.is_due(outbox.revive(row, later), later) and tried(outbox.revive(row, later), later).state == "sent"


def test_what_nobody_needs_is_closed_and_says_what_was_before() -> None:
    row = outbox.close(tried(one_row(), NOW, DeliveryFailed("451")), "a newer report took its place")
    assert (row.state, row.last_error) == ("closed", "a newer report took its place; before that: 451")
    assert not outbox.is_due(row, NOW + timedelta(days=9))


def test_our_own_bug_is_not_taken_for_a_failed_delivery() -> None:
    with pytest.raises(ZeroDivisionError):
        tried(one_row(), NOW, ZeroDivisionError())
