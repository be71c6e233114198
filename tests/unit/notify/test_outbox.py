"""The state machine of the outbox, by a clock that the test holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from forecaster.errors import DeliveryFailed, DeliveryRefused
from forecaster.notify import outbox

NOW = datetime(2024, 1, 3, tzinfo=UTC)


def one_row() -> outbox.Delivery:
    return outbox.plan_deliveries("report-1", {"email": "mail.example.org"}, NOW)[0]


def failing(error: Exception) -> Callable[[outbox.Delivery], None]:
    def send(row: outbox.Delivery) -> None:
        raise error

    return send


def test_planning_twice_gives_the_same_ids_and_one_row_a_channel() -> None:
    """sha256("report-1|email"), by `printf 'report-1|email' | sha256sum`."""
    first = outbox.plan_deliveries("report-1", {"webhook": "https://x", "email": "y"}, NOW)
    again = outbox.plan_deliveries("report-1", {"email": "y", "webhook": "https://x"}, NOW + timedelta(days=1))
    assert [row.delivery_id for row in first] == [row.delivery_id for row in again]
    assert [row.channel for row in first] == ["email", "webhook"]
    assert first[0].delivery_id == "bc2bca4c51099687c12b35f509e73ffda4c95dca5db9a371851b2a1fa48e1b27"
    assert outbox.delivery_id("report-2", "email") != first[0].delivery_id


def test_a_sent_row_is_sent_once() -> None:
    sent: list[str] = []
    rows = outbox.deliver([one_row()], {"email": lambda row: sent.append(row.delivery_id)}, NOW)
    assert (rows[0].state, rows[0].attempts, rows[0].sent_at, rows[0].next_try_at) == ("sent", 1, NOW, None)
    assert outbox.deliver(rows, {"email": lambda row: sent.append(row.delivery_id)}, NOW + timedelta(days=9)) == []
    assert len(sent) == 1


def test_a_failure_waits_longer_each_time_and_dies_in_the_end() -> None:
    """5, 15, 45, 135 minutes, then 6 hours: together 33 h 20 min until the tenth attempt."""
    row, now, waits = one_row(), NOW, []
    for _ in range(outbox.MOST_ATTEMPTS):
        row = outbox.deliver([row], {"email": failing(DeliveryFailed("451"))}, now)[0]
        if row.next_try_at is not None:
            assert outbox.deliver([row], {}, row.next_try_at - timedelta(seconds=1)) == []
            waits.append((row.next_try_at - now).total_seconds() / 60)
            now = row.next_try_at
    assert waits == [5, 15, 45, 135, 360, 360, 360, 360, 360]
    assert (row.state, row.attempts, row.last_error, row.next_try_at) == ("dead", 10, "451", None)


def test_a_failure_that_recovers_is_sent_and_forgets_its_error() -> None:
    row = outbox.deliver([one_row()], {"email": failing(DeliveryFailed("451"))}, NOW)[0]
    assert (row.state, row.last_error) == ("failed", "451")
    row = outbox.deliver([row], {"email": lambda row: None}, NOW + timedelta(minutes=5))[0]
    assert (row.state, row.attempts, row.last_error) == ("sent", 2, None)


def test_a_refusal_is_final_until_a_person_revives_it() -> None:
    row = outbox.deliver([one_row()], {"email": failing(DeliveryRefused("410"))}, NOW)[0]
    assert (row.state, row.attempts) == ("dead", 1)
    assert outbox.deliver([row], {"email": lambda row: None}, NOW + timedelta(days=9)) == []
    later = NOW + timedelta(days=1)
    assert outbox.deliver([outbox.revive(row, later)], {"email": lambda row: None}, later)[0].state == "sent"


def test_one_channels_trouble_does_not_stop_the_others() -> None:
    rows = outbox.plan_deliveries("r", {"a": "x", "b": "y", "c": "z"}, NOW)
    result = outbox.deliver(rows, {"a": failing(DeliveryRefused("no")), "b": failing(DeliveryFailed("later")), "c": lambda row: None}, NOW)
    assert [row.state for row in result] == ["dead", "failed", "sent"]


def test_a_channel_that_is_not_configured_waits() -> None:
    row = outbox.deliver([one_row()], {}, NOW)[0]
    assert row.state == "failed" and "'email' is not configured" in (row.last_error or "")


def test_our_own_bug_is_not_taken_for_a_failed_delivery() -> None:
    with pytest.raises(ZeroDivisionError):
        outbox.deliver([one_row()], {"email": failing(ZeroDivisionError())}, NOW)
