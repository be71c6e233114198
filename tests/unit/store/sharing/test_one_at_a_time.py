"""A lock says since when it is held: not since its holder began to wait for it."""

import threading
from datetime import UTC, datetime, timedelta

from forecaster.store.sharing.one_at_a_time import holder_of, one_at_a_time

SINCE = datetime(2024, 1, 2, 14, 31, tzinfo=UTC)


def test_what_was_waited_is_not_held(tmp_path):
    lock, told, waiting, free = tmp_path / "writer.lock", [], threading.Event(), threading.Event()

    def hold() -> None:
        with one_at_a_time(lock, "the first", SINCE):
            told.append(holder_of(lock))
            free.set()
            waiting.wait()

    first = threading.Thread(target=hold)
    first.start()
    free.wait()
    with one_at_a_time(lock, "the second", SINCE, wait=timedelta(minutes=5), on_wait=lambda _: waiting.set()):
        told.append(holder_of(lock))
    first.join()
    begun, after = (datetime.fromisoformat(held["since"]) for held in told)
    assert begun - SINCE < after - SINCE and after - SINCE >= timedelta(seconds=0.4)
    assert holder_of(lock) is None
