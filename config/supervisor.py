"""Runs a few processes in the foreground: one prefixed stream of output, one way to stop.

A process that dies is started again, later each time. All stop when we are asked to; when we are
killed, the kernel stops them (on Linux). One thread, so that starting a process is safe.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from config.postgres.watcher import stop_with_parent

STOP_PATIENCE_S = 8
LONGEST_PAUSE_S = 30
HEALTHY_AFTER_S = 60
COLOURS = (36, 33, 32, 35, 34)


class Stopped(Exception):
    """Somebody asked us to stop."""


@dataclass
class Child:
    """A process that should run; `again_at` is when to start it after it died."""

    name: str
    command: Sequence[str]
    keep_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0
    deaths: int = 0
    again_at: float | None = None
    unfinished_line: bytes = field(default=b"", repr=False)


class Supervisor:
    """The children, their output and the signals."""

    def __init__(self, *, environment: Mapping[str, str], folder: str) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self.children: list[Child] = []
        self.outputs = selectors.DefaultSelector()
        self.names: list[str] = []
        self.stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # Not under nohup.
            signal.signal(signal.SIGHUP, self._asked_to_stop)

    def say(self, text: str, *, name: str = "cairn") -> None:
        if name not in self.names:
            self.names.append(name)
        label = f"{name:<7}|"
        if sys.stdout.isatty():
            label = f"\033[{COLOURS[self.names.index(name) % len(COLOURS)]}m{label}\033[0m"
        print(label, text, flush=True)

    def start(self, child: Child) -> None:
        """Start a child that has to stay."""
        if child not in self.children:
            self.children.append(child)
        child.started, child.again_at = time.monotonic(), None
        child.process = subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=self.folder,
            pass_fds=child.keep_fds,
            process_group=0,  # Ctrl-C reaches us alone; we pass it on in order.
            preexec_fn=lambda: stop_with_parent(signal.SIGTERM),  # noqa: PLW1509 one thread
        )
        if child.process.stdout:
            os.set_blocking(child.process.stdout.fileno(), False)
            self.outputs.register(child.process.stdout, selectors.EVENT_READ, child)

    def run(self, name: str, command: Sequence[str]) -> int:
        """Run a command to its end and return its exit status."""
        step = Child(name, command)
        self.start(step)
        self.children.remove(step)
        try:
            while step.process and step.process.poll() is None:
                self.turn()
            self.show_output(0)
            return step.process.returncode if step.process else 1
        except Stopped:
            self.children.append(step)
            raise

    def wait_until(self, happened: Callable[[], bool], *, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while not happened():
            if time.monotonic() > until:
                return False
            self.turn()
        return True

    def turn(self) -> None:
        """Show what was said within a moment, start what has died; stop when asked to."""
        self.show_output(0.2)
        if self.stopping:
            raise Stopped
        for child in self.children:
            if child.again_at is not None:
                if time.monotonic() >= child.again_at:
                    self.start(child)
            elif child.process and child.process.poll() is not None:
                self._signal(child, signal.SIGKILL, group=True)  # What it left behind.
                if time.monotonic() - child.started > HEALTHY_AFTER_S:
                    child.deaths = 0
                pause = min(2**child.deaths, LONGEST_PAUSE_S)
                child.deaths += 1
                child.again_at = time.monotonic() + pause
                ended = describe(child.process.returncode)
                self.say(f"{child.name} {ended}; starting it again in {pause} s")

    def show_output(self, timeout_s: float) -> None:
        for key, _ in self.outputs.select(timeout_s):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            child: Child = key.data
            data = os.read(stream.fileno(), 65536)
            if not data:
                self.outputs.unregister(stream)
                stream.close()
            *lines, child.unfinished_line = (child.unfinished_line + data).split(b"\n")
            if not data and child.unfinished_line:
                lines.append(child.unfinished_line)
                child.unfinished_line = b""
            for line in lines:
                self.say(line.decode(errors="replace").rstrip(), name=child.name)

    def stop(self) -> None:
        """Ask all children to stop, insist after a while, and wait until they are gone."""
        for child in self.children:
            self._signal(child, signal.SIGTERM)
        until = time.monotonic() + STOP_PATIENCE_S
        while self._running() and time.monotonic() < until:
            self.show_output(0.1)
        for child in self._running():
            self.say(f"{child.name} does not stop; ending it")
        for child in self.children:  # With its own children, should it have left any.
            self._signal(child, signal.SIGKILL, group=True)
        while self._running():
            time.sleep(0.01)
        self.show_output(0)

    def _running(self) -> list[Child]:
        return [child for child in self.children if child.process and child.process.poll() is None]

    def _signal(self, child: Child, number: int, *, group: bool = False) -> None:
        if not child.process:
            return
        try:
            if group:
                os.killpg(child.process.pid, number)
            else:
                child.process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            return

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def describe(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
