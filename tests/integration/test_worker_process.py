"""A worker that is told to stop leaves, also where its server is gone. The worker here is a program that never leaves by itself.

Mutations that were seen to fail: the signal not noted; the server not asked.
"""

import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.processes import started

STUBBORN = """
import os, signal, sys, time
from flows.worker_process import leave_when_told

leave_when_told(sys.argv[1], silent_times=10, ask_every_s=0.05)
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"told\\n"))  # print may not be called while "ready" is being written
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def start():
    begun = []

    def worker(url: str) -> subprocess.Popen:
        begun.append(started(STUBBORN, url))
        assert begun[-1].stdout is not None and begun[-1].stdout.readline() == "ready\n"
        return begun[-1]

    yield worker
    for process in begun:
        process.kill()
        process.communicate()


def test_it_leaves_where_the_server_is_gone_and_its_own_handler_was_called(start):
    process = start("http://127.0.0.1:9/api")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "told\n")
    assert err.startswith("quakecast: asked to stop, and the server at http://127.0.0.1:9/api does not answer: the worker ends")


def test_one_that_a_script_started_in_the_background_can_be_interrupted():
    """There SIGINT is ignored, and Prefect, which passes SIGTERM on as SIGINT, would never end."""
    program = "import signal; from flows.worker_process import leave_when_told; leave_when_told(''); print(signal.getsignal(signal.SIGINT))"
    command = f'{sys.executable} -c "{program}" & wait'
    done = subprocess.run(["sh", "-c", command], cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True)
    assert "default_int_handler" in done.stdout


def test_where_the_server_answers_it_leaves_in_its_own_time(start):
    """It may wait for its runs. Forty questions later it is still there; once the server is gone it leaves."""
    asked = threading.Semaphore(0)

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            asked.release()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    process = start(f"http://127.0.0.1:{server.server_port}/api")
    process.send_signal(signal.SIGTERM)
    for _ in range(40):
        assert asked.acquire(timeout=120)
    assert process.poll() is None
    server.shutdown()
    server.server_close()
    process.communicate(timeout=120)
    assert process.returncode == 1
