"""Processes of their own for tests, on the test's database: a worker, a clock, many callers."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import connection, connections

CHECKOUT = Path(__file__).resolve().parent.parent
# The child points Django at the test's database and Celery at a broker of its own, then runs.
_PREPARE = """
import os, sys
from pathlib import Path
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
folder = Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
settings.CELERY_BROKER_URL = "filesystem://"
settings.CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(folder), "data_folder_out": str(folder),
    "control_folder": str(folder / "control"), "polling_interval": 0.1,
}
"""
WORKER = """
from config.celery import app
app.worker_main(["--quiet", "worker", "--concurrency=2", "--without-mingle", "--without-gossip",
                 "--without-heartbeat", "--loglevel=ERROR"])
"""
BEAT = """
from config.celery import app
for entry in app.conf.beat_schedule.values():
    if isinstance(entry["schedule"], int | float):
        entry["schedule"] = min(entry["schedule"], 1.0)
app.start(["--quiet", "beat", "--loglevel=ERROR", "--pidfile="])
"""


@contextlib.contextmanager
def running(code: str, *, broker: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python code as a process group on the test's database; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PREPARE + code, database(), str(broker)],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process and all its children, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def database() -> str:
    return str(connection.settings_dict["NAME"])


def wait_until(is_so: Callable[[], bool], *, seconds: float, every: float = 0.02) -> None:
    """Wait for something to become true, or fail."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"It did not happen within {seconds} s.")
        time.sleep(every)


@contextlib.contextmanager
def meanwhile(is_so: Callable[[], bool], then: Callable[[], object]) -> Iterator[None]:
    """Do something as soon as something else is true, in a thread that asks no database."""
    failed: list[Exception] = []

    def watch() -> None:
        try:
            wait_until(is_so, seconds=30)
        except AssertionError as error:
            failed.append(error)
        finally:
            then()

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield
    watcher.join()
    if failed:
        raise failed[0]


def at_once(work: Callable[[int], Any], *, callers: int = 8) -> list[Any]:
    """What `work(0)`, `work(1)` … answered or raised (as text), each in a process of its own.

    What they do must be committed: for tests marked `django_db(transaction=True)`.
    """
    connections.close_all()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(callers)
    answers: Any = context.Queue()

    def run(number: int) -> None:
        start.wait(timeout=30)
        try:
            answers.put(work(number))
        except Exception as error:  # noqa: BLE001 - the parent compares
            answers.put(repr(error))
        finally:
            connections.close_all()

    children = [context.Process(target=run, args=(number,)) for number in range(callers)]
    for child in children:
        child.start()
    found = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join(timeout=30)
    return found
