"""The embedded PostgreSQL as its users meet it: it is there, it is private, it goes with them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from config import embedded
from config.postgres.cluster import Cluster

SOURCE = Path(__file__).resolve().parent.parent
USER = """
import sys
from pathlib import Path
from config.postgres.cluster import Cluster
Cluster(Path(sys.argv[1])).ensure_running()
print("ready", flush=True)
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def eventually(happened: Callable[[], bool], *, within_s: float = 10) -> None:
    until = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Users:
    """Processes which use the server of one checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.cluster = Cluster(checkout)
        self.started: list[subprocess.Popen[str]] = []

    def arrive(self, *, awaited: bool = True) -> subprocess.Popen[str]:
        user = subprocess.Popen(
            [sys.executable, "-c", USER, str(self.checkout)],
            cwd=SOURCE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(user)
        if awaited:
            assert self.says_ready(user)
        return user

    def says_ready(self, user: subprocess.Popen[str]) -> bool:
        return user.stdout is not None and user.stdout.readline() == "ready\n"

    def kill(self, user: subprocess.Popen[str]) -> None:
        user.kill()
        user.communicate()

    def leave(self) -> None:
        for user in self.started:
            self.kill(user)
        self.cluster.stop()

    def ask(self, question: LiteralString) -> object:
        with psycopg.connect(self.cluster.url()) as connection:
            row = connection.execute(question).fetchone()
        return row and row[0]

    def is_stopped(self) -> bool:
        return not (self.cluster.data_dir / "postmaster.pid").exists()

    def postmaster(self) -> int:
        return int((self.cluster.data_dir / "postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """One cluster for all tests: making it is the slow part."""
    folder = Path(tempfile.mkdtemp(prefix="cairn-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def users(checkout: Path) -> Iterator[Users]:
    users = Users(checkout)
    yield users
    users.leave()


def test_server_has_the_database_and_is_durable(users: Users) -> None:
    users.arrive()
    assert users.ask("SELECT current_database()") == "cairn"
    assert users.ask("SHOW fsync") == "on"
    assert users.ask("SHOW listen_addresses") == ""


def test_server_stops_properly_when_its_user_is_killed(users: Users) -> None:
    users.kill(users.arrive())
    eventually(
        lambda: users.cluster.log.read_text().rstrip().endswith("database system is shut down")
    )
    assert users.is_stopped()


def test_two_users_at_once_share_one_server_until_the_last_leaves(users: Users) -> None:
    first, second = users.arrive(awaited=False), users.arrive(awaited=False)
    assert users.says_ready(first)
    assert users.says_ready(second)
    users.kill(first)
    time.sleep(0.3)
    assert users.ask("SELECT 1") == 1
    users.kill(second)
    eventually(users.is_stopped)


def test_user_who_arrives_during_the_shutdown_gets_a_server(users: Users) -> None:
    for _ in range(2):
        users.kill(users.arrive())
    users.arrive()
    assert users.ask("SELECT 1") == 1


def test_killed_server_comes_back(users: Users) -> None:
    users.arrive()
    killed = users.postmaster()
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not users.is_stopped() and users.postmaster() != killed)
    users.arrive()
    assert users.ask("SELECT 1") == 1


def test_what_a_power_cut_leaves_behind_does_not_hinder_the_start(users: Users) -> None:
    users.kill(users.arrive())
    eventually(users.is_stopped)
    # The number in a stale pid file may belong to anybody by now: here to this very process.
    pid_file = users.cluster.data_dir / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{users.cluster.data_dir}\n\n5432\n\n\n\nready\n")
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (users.cluster.socket_dir / name).write_text(f"{os.getpid()}\n")
    users.arrive()
    assert users.ask("SELECT 1") == 1


def test_stop_ends_a_server_in_use_and_the_next_user_starts_it_again(users: Users) -> None:
    users.arrive()
    users.cluster.stop()
    assert users.is_stopped()
    users.arrive()
    assert users.ask("SELECT 1") == 1


@as_root
def test_strangers_are_not_let_in(users: Users) -> None:
    users.arrive()
    look = ["test", "-e", str(users.cluster.socket_dir / ".s.PGSQL.5432")]
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert subprocess.run(look, check=False).returncode == 0
    assert subprocess.run([*stranger, *look], check=False, cwd="/").returncode == 1
    rules = (users.cluster.data_dir / "pg_hba.conf").read_text()
    assert rules == "local all all peer map=people\n"


@as_root
def test_root_may_work_in_a_private_folder_with_a_long_name(tmp_path: Path) -> None:
    checkout = tmp_path / ("long" * 30)
    checkout.mkdir(mode=0o700)
    users = Users(checkout)
    try:
        users.arrive()
        assert users.ask("SELECT 1") == 1
        assert len(str(users.cluster.socket_dir)) < 100
        assert users.cluster.socket_dir.stat().st_mode & 0o777 == 0o700
        assert checkout.stat().st_mode & 0o777 == 0o700
    finally:
        users.leave()
        shutil.rmtree(users.cluster.socket_dir)


def test_database_url_replaces_the_embedded_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert not embedded.is_set("DATABASE_URL", tmp_path)
    (tmp_path / ".env").write_text("DEBUG=on\nDATABASE_URL=postgres://elsewhere/cairn\n")
    assert embedded.is_set("DATABASE_URL", tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/cairn")
    assert embedded.is_replaced()
