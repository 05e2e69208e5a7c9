"""Keeps one PostgreSQL running for as long as anybody uses it, then stops it properly.

Started by `config.embedded` as a script of its own, in its own session, so that neither Ctrl-C nor
the death of whoever started it reaches PostgreSQL. Users hold a shared lock on a file; the kernel
drops it with the process, even after SIGKILL, and then the exclusive lock waited for here is ours.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

STOP_PATIENCE_S = 30
RESTARTS = 50
PR_SET_PDEATHSIG = 1


def stop_with_parent(signal_number: int) -> None:
    """Have the kernel send this process the signal when its parent dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)


class Watcher:
    """One server process, started again when it is killed, stopped when nobody uses it."""

    def __init__(self, command: list[str], *, uid: int | None, gid: int | None, lock_fd: int):
        self.command = command
        self.account: dict[str, Any] = {}
        if uid is not None:
            self.account = {"user": uid, "group": gid, "extra_groups": []}
        self.lock_fd = lock_fd
        self.unused = threading.Event()
        self.server = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            umask=0o077,
            # Inherited by every process of the server: the lock is free only when all have gone.
            pass_fds=(self.lock_fd,),
            # A killed watcher takes the server along; SIGINT is PostgreSQL's fast shutdown.
            preexec_fn=lambda: stop_with_parent(signal.SIGINT),  # noqa: PLW1509 no locks in it
            **self.account,
        )

    def stop_when_unused(self, users_lock: str) -> None:
        # Kept until this process ends: a new user waits for the shutdown, then starts afresh.
        fcntl.flock(os.open(users_lock, os.O_RDWR), fcntl.LOCK_EX)
        self.unused.set()
        self.server.send_signal(signal.SIGINT)
        time.sleep(STOP_PATIENCE_S)
        self.server.send_signal(signal.SIGQUIT)

    def wait(self) -> int:
        """Return the exit status of the server once it ended for good."""
        restarts = 0
        while True:
            status = self.server.wait()
            if status == 0 or self.unused.is_set():
                return status
            if status < 0:
                restarts = RESTARTS
            if not restarts:  # It refused to start: trying again will not cure that.
                return status
            restarts -= 1
            print(f"cairn: PostgreSQL ended with {status}, starting it again", flush=True)
            time.sleep(0.2)  # The backends of a killed server need a moment to notice.
            self.server = self.start()
            if self.unused.is_set():
                self.server.send_signal(signal.SIGINT)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users-lock", required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    watcher = Watcher(given.command, uid=given.uid, gid=given.gid, lock_fd=given.lock_fd)
    threading.Thread(target=watcher.stop_when_unused, args=[given.users_lock], daemon=True).start()
    # Not sys.exit: nothing here is worth waiting for once the server has gone.
    os._exit(abs(watcher.wait()))


if __name__ == "__main__":
    main()
