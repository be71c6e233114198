"""Calls that wait for others, side by side: one at a time in each lane, each in a thread of its own."""

from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread


class Lanes:
    """The calls that are running, at most one in a lane. Only the thread that starts them asks for their ends.

    The threads are daemons: a process that is stopped does not wait for a receiver that is silent.
    """

    def __init__(self) -> None:
        self.running: set[str] = set()
        self._ended: SimpleQueue[tuple[str, BaseException | None]] = SimpleQueue()

    def start(self, lane: str, call: Callable[[], object] | None) -> None:
        """Begin the call of a lane in which none is running; nothing where it is None. Its log records carry this context's fields."""
        if call is None:
            return
        context = copy_context()

        def run() -> None:
            try:
                context.run(call)
            except BaseException as error:  # noqa: BLE001  handed to the thread that asks
                self._ended.put((lane, error))
            else:
                self._ended.put((lane, None))

        self.running.add(lane)
        Thread(target=run, name=f"sending by {lane}", daemon=True).start()

    def next_ended(self) -> tuple[str, BaseException | None]:
        """Wait until the call of some lane ends; return the lane, and what the call raised. At least one must be running."""
        lane, error = self._ended.get()
        self.running.remove(lane)
        return lane, error

    def ended_already(self) -> Iterator[tuple[str, BaseException | None]]:
        """The calls that have ended by now, without waiting."""
        while not self._ended.empty():
            yield self.next_ended()
