"""The worker's process: Prefect's own, which ends when it is asked to, even where its server is gone.

Prefect's worker waits for its server before it ends, for ever where the server was stopped first. Here a thread records that the process
was asked to stop, and ends it once the server has not answered SILENT_TIMES in a row: within 25 seconds. Where the server answers, the
worker ends in its own time: it may wait for its runs.
"""

import os
import runpy
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

SILENT_TIMES = 5
ASK_EVERY_S = 2.0
ANSWER_WITHIN_S = 3.0
LEFT_WITHOUT_SERVER = 1


def leave_when_told(url: str, silent_times: int = SILENT_TIMES, ask_every_s: float = ASK_EVERY_S) -> None:
    """Make this process end when it was asked to stop (SIGTERM, SIGINT) and the server at `url` has not answered `silent_times` in a row.

    Call it before any code sets handlers of these signals: each signal is recorded before its handler runs.
    """
    leave = threading.Event()
    set_handler = signal.signal

    def noting(number: int, handler: Any) -> Any:
        if number not in (signal.SIGTERM, signal.SIGINT) or not callable(handler):
            return set_handler(number, handler)

        def note(*arguments: Any) -> Any:
            leave.set()
            return handler(*arguments)

        return set_handler(number, note)

    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # the state that a script's `&` leaves; Prefect ends its worker by SIGINT
        set_handler(signal.SIGINT, signal.default_int_handler)
    signal.signal = noting  # type: ignore[assignment]
    watch = threading.Thread(
        target=_leave_without_server, args=(leave, url, silent_times, ask_every_s), daemon=True, name="leave when told"
    )
    watch.start()


def _leave_without_server(leave: threading.Event, url: str, silent_times: int, ask_every_s: float) -> None:
    leave.wait()
    unanswered = 0
    while unanswered < silent_times:
        unanswered = 0 if _answers(url) else unanswered + 1
        time.sleep(ask_every_s)
    print(f"quakecast: asked to stop, and the server at {url} does not answer: the worker ends", file=sys.stderr, flush=True)
    os._exit(LEFT_WITHOUT_SERVER)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=ANSWER_WITHIN_S):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    leave_when_told(os.environ.get("PREFECT_API_URL", ""))
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
