"""The demo's supervisor, with stand-ins for the web server and the others."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import demo
from config.supervisor import Supervisor, describe

SOURCE = Path(__file__).resolve().parent.parent
# One child writes its process id and lives on, another dies at once.
SUPERVISE = """
import os, sys
from config.supervisor import Child, Stopped, Supervisor
supervisor = Supervisor(environment=os.environ, folder=".")
live = "import os, time; print('alive', os.getpid(), flush=True); time.sleep(60)"
supervisor.start(Child("steady", [sys.executable, "-c", live]))
supervisor.start(Child("weak", [sys.executable, "-c", "raise SystemExit(3)"]))
try:
    while True:
        supervisor.turn()
except Stopped:
    supervisor.stop()
    supervisor.say("stopped")
"""


def eventually(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Output:
    """What a supervisor printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line_with(self, words: str) -> str:
        assert self.process.stdout
        until = time.monotonic() + 20
        while time.monotonic() < until and (line := self.process.stdout.readline()):
            if words in line:
                return line.strip()
        raise AssertionError(f"it never said {words!r}")


@pytest.fixture
def supervised() -> Iterator[Output]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE], cwd=SOURCE, stdout=subprocess.PIPE, text=True
    )
    yield Output(process)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_its_children_and_ends_well(
    supervised: Output, number: signal.Signals
) -> None:
    child = int(supervised.line_with("alive").split()[-1])
    supervised.process.send_signal(number)
    assert supervised.line_with("stopped") == "cairn  | stopped"
    assert supervised.process.wait() == 0
    assert is_gone(child)


def test_child_that_died_is_started_again_and_that_is_said(supervised: Output) -> None:
    first = supervised.line_with("weak ended")
    assert first == "cairn  | weak ended with 3; starting it again in 1 s"
    assert supervised.line_with("weak ended").endswith("again in 2 s")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_killed_supervisor_takes_its_children_along(supervised: Output) -> None:
    child = int(supervised.line_with("alive").split()[-1])
    supervised.process.kill()
    eventually(lambda: is_gone(child))


def test_status_of_the_dead_is_said_in_words() -> None:
    assert describe(1) == "ended with 1"
    assert describe(-9) == "was killed by SIGKILL"


def test_taken_port_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = demo.bound(0)
    port = taken.getsockname()[1]
    monkeypatch.setattr(demo, "STATE", tmp_path)
    monkeypatch.setattr(demo, "LOCK", tmp_path / "demo.lock")
    monkeypatch.setattr(Supervisor, "__init__", pytest.fail)
    monkeypatch.setenv("PORT", str(port))
    assert demo.run(with_parent=False) == 1
    assert f"port {port} is taken" in capsys.readouterr().err
    taken.close()


def test_mailbox_files_each_message(tmp_path: Path) -> None:
    listening = demo.bound(0)
    mailbox = subprocess.Popen(
        [
            *(sys.executable, "-m", "config.mailbox"),
            *(f"--fd={listening.fileno()}", f"--folder={tmp_path}"),
        ],
        cwd=SOURCE,
        pass_fds=[listening.fileno()],
        stdout=subprocess.DEVNULL,
    )
    try:
        send = (
            "import smtplib, sys; smtplib.SMTP('127.0.0.1', int(sys.argv[1]))"
            ".sendmail('shop@example.com', ['ada@example.com', 'bob@example.com'], b'Hello')"
        )
        subprocess.run([sys.executable, "-c", send, str(listening.getsockname()[1])], check=True)
    finally:
        mailbox.terminate()
        mailbox.wait()
        listening.close()
    (filed,) = tmp_path.iterdir()
    assert filed.name.endswith("-ada@example.com_bob@example.com.eml")
    assert filed.read_bytes().strip() == b"Hello"
