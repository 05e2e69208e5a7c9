"""The PostgreSQL of one checkout: where it is, whether it answers, how it starts and stops.

Three locks in `.cairn/` carry the whole protocol, because the kernel drops them with their holder:
`users` is shared by everybody who uses the server, `starting` lets one at a time start it, and
`server` is held while any process of the server lives, so that a stale pid file cannot fool us.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.postgres import account as accounts
from config.postgres import watcher
from config.postgres.account import Account, Unavailable
from config.postgres.initdb import DATABASE, initialise, installed_binaries

PORT = 5432  # Only a part of the socket's file name.
LONGEST_SOCKET_FOLDER = 80  # The kernel allows 107 bytes for folder and file name.
PATIENCE_S = 120
LARGEST_LOG = 10_000_000
SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "fsync": "on",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Cluster:
    """The PostgreSQL of one checkout."""

    def __init__(self, checkout: Path) -> None:
        self.state_dir = checkout / ".cairn"
        self.data_dir = self.state_dir / "postgres"
        self.log = self.state_dir / "postgres.log"
        self.socket_dir = self.state_dir / "postgres.socket"
        if len(os.fsencode(self.socket_dir)) > LONGEST_SOCKET_FOLDER:
            # Not TMPDIR: every process has to come to the same answer.
            digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
            self.socket_dir = Path("/tmp") / f"cairn-{digest}"  # noqa: S108 checked when made
        self._held: list[int] = []
        self._watchers: list[subprocess.Popen[bytes]] = []

    def settings(self) -> dict[str, Any]:
        """The entry for Django's DATABASES; starts nothing."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE,
            "USER": DATABASE,
            "HOST": str(self.socket_dir),
            "PORT": str(PORT),
        }

    def url(self) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{DATABASE}@{host}:{PORT}/{DATABASE}"

    def ensure_running(self) -> None:
        """Return once the server answers; it then lives at least as long as this process."""
        try:
            self.state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            if not self._held:
                # Waits here for a server that is just shutting down.
                self._held.append(self._lock("users", fcntl.LOCK_SH))
            one_at_a_time = self._lock("starting", fcntl.LOCK_EX)
            try:
                self._start_unless_ready()
            finally:
                os.close(one_at_a_time)
        except OSError as error:
            raise Unavailable(
                f"The embedded PostgreSQL cannot use {self.state_dir}: {error}. Work as the user "
                "who owns it, or set DATABASE_URL."
            ) from error

    def stop(self) -> None:
        """Stop the server even if it is in use."""
        if not self.state_dir.exists():
            return
        while (lock := self._try_server_lock()) is None:
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(int(self._pid_file()[0]), signal.SIGINT)
            time.sleep(0.1)
        os.close(lock)

    def drop(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        for folder in (self.data_dir, self.socket_dir):
            if folder.exists():
                shutil.rmtree(folder)

    def _lock(self, name: str, how: int) -> int:
        # Private: a lock that a stranger can open is a lock that a stranger can hold.
        path = self.state_dir / f"postgres.{name}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, mode=0o600)
        try:
            fcntl.flock(lock, how)
        except OSError:
            os.close(lock)
            raise
        return lock

    def _try_server_lock(self) -> int | None:
        """A lock which is held while any process of the server or its watcher lives."""
        try:
            return self._lock("server", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None

    def _pid_file(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_ready(self) -> bool:
        if [line.strip() for line in self._pid_file()][7:] != ["ready"]:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(f"{self.socket_dir}/.s.PGSQL.{PORT}") == 0

    def _start_unless_ready(self) -> None:
        patient_until = time.monotonic() + PATIENCE_S
        watching: subprocess.Popen[bytes] | None = None
        while not self._is_ready():
            if watching and watching.poll() is not None:
                raise Unavailable(f"PostgreSQL did not start. {self.log} ends:\n{self._log_end()}")
            if time.monotonic() > patient_until:
                raise Unavailable(f"PostgreSQL is not ready after {PATIENCE_S} s; see {self.log}.")
            if not watching and (lock := self._try_server_lock()) is not None:
                try:
                    watching = self._start(lock)
                finally:
                    os.close(lock)  # The watcher has its own copy.
            time.sleep(0.01)

    def _start(self, lock: int) -> subprocess.Popen[bytes]:
        # We hold the lock: nothing of an older server lives, whatever its files say.
        if os.geteuid() == 0:
            self.state_dir.chmod(0o711)
        binaries = installed_binaries(self.data_dir)
        account = accounts.choose(
            binaries=binaries / "postgres", state_dir=self.state_dir, data_dir=self.data_dir
        )
        if not self.data_dir.exists():
            initialise(self.data_dir, binaries=binaries, account=account)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        self._make_socket_dir(account)
        command = [*account.prefix(), str(binaries / "postgres"), "-D", str(self.data_dir)]
        for name, value in (SERVER_SETTINGS | {"unix_socket_directories": self.socket_dir}).items():
            command += ["-c", f"{name}={value}"]
        drop = account.options()
        identity = [f"--uid={drop['user']}", f"--gid={drop['group']}"] if drop else []
        with open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            if log.tell() > LARGEST_LOG:
                log.truncate(0)
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", watcher.__file__, *identity, f"--lock-fd={lock}"),
                    *(f"--users-lock={self.state_dir / 'postgres.users.lock'}", "--", *command),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=accounts.ENVIRONMENT,
                pass_fds=[lock],
                start_new_session=True,
            )
        self._watchers.append(process)
        return process

    def _make_socket_dir(self, account: Account) -> None:
        with contextlib.suppress(FileExistsError):
            self.socket_dir.mkdir(mode=0o700)
        if self.socket_dir.lstat().st_uid == os.geteuid():
            account.give(self.socket_dir)
        found = self.socket_dir.lstat()
        owner = os.geteuid() if account.uid is None else account.uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise Unavailable(f"{self.socket_dir} is not a private folder of ours: remove it.")
        for left_over in self.socket_dir.iterdir():
            left_over.unlink()

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
