"""Scratch databases for benchmarks, on the server Cairn itself uses and with its settings.

Each is cloned from a migrated template, kept under the fingerprint of all migrations, or from one
another: two sides of a comparison start from the same bytes. All are dropped at the end.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from config import embedded
from config.postgres.cluster import Cluster

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PREFIX = "cairn_bench_"
MAINTENANCE = "postgres"

_has_time = True


def hurry() -> None:
    """Leave out what only steadies the figures."""
    global _has_time  # noqa: PLW0603
    _has_time = False


def connect(database: str, **options: Any) -> psycopg.Connection[Any]:
    """A plain psycopg connection, as somebody without Django would open it."""
    given = connection.settings_dict
    known: dict[str, Any] = {
        "dbname": database,
        "host": given["HOST"] or None,
        "port": given["PORT"] or None,
        "user": given["USER"] or None,
        "password": given["PASSWORD"] or None,
    }
    return psycopg.connect(**known, **options)


def use(database: str) -> None:
    """Point Django at this database."""
    connection.close()
    connection.settings_dict["NAME"] = database


@contextlib.contextmanager
def server() -> Iterator[Cluster]:
    """A PostgreSQL that may be killed, beside Cairn's own: for everything inside."""
    folder = settings.STATE_DIR / f"bench-{os.getpid()}"
    folder.mkdir(mode=0o711)
    cluster = Cluster(folder)
    usual = dict(connection.settings_dict)
    connection.close()
    try:
        cluster.ensure_running()
        connection.settings_dict.update(cluster.settings())
        yield cluster
    finally:
        connection.close()
        connection.settings_dict.update(usual)
        cluster.drop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def database(name: str, *, of: str | None = None) -> Iterator[str]:
    """A copy of another database, by default of the migrated template; dropped at the end."""
    copy = f"{PREFIX}{os.getpid()}_{name}"
    make(copy, of=of or template())
    try:
        yield copy
    finally:
        drop(copy)


def make(copy: str, *, of: str) -> None:
    drop(copy)
    with connect(MAINTENANCE, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{of}"')


def drop(name: str) -> None:
    connection.close()
    with connect(MAINTENANCE, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def template() -> str:
    """The name of the migrated, otherwise empty database; made when migrations have changed."""
    digest = hashlib.sha256((CHECKOUT / "uv.lock").read_bytes())
    for migration in sorted(CHECKOUT.glob("*/migrations/*.py")):
        digest.update(migration.read_bytes())
    name = f"{PREFIX}template_{digest.hexdigest()[:16]}"
    with connect(MAINTENANCE, autocommit=True) as admin:
        # One maker at a time; the others wait and then find it.
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [PREFIX])
        databases = [row[0] for row in admin.execute("SELECT datname FROM pg_database")]
        if name not in databases:
            half_made = f"{PREFIX}{os.getpid()}_template"
            make(half_made, of="template1")
            before = connection.settings_dict["NAME"]
            use(half_made)
            call_command("migrate", verbosity=0)
            use(before)
            admin.execute(f'ALTER DATABASE "{half_made}" RENAME TO "{name}"')
        for other in databases:
            if _is_left_over(other, name):
                drop(other)
    return name


def _is_left_over(database: str, current: str) -> bool:
    """Of an older template, or of a run that was killed on this machine."""
    if not database.startswith(PREFIX) or database == current:
        return False
    owner = database.removeprefix(PREFIX).partition("_")[0]
    if owner == "template":
        return True
    return not embedded.is_replaced() and owner.isdigit() and not Path(f"/proc/{owner}").exists()


def settle(database: str) -> None:
    """After the data is built: fresh statistics, nothing left for a vacuum, all written out."""
    with connect(database, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE" if _has_time else "ANALYZE")
    checkpoint()


def checkpoint() -> None:
    """Begin each measured run with a clean slate: no half-written checkpoint under way."""
    if not _has_time:
        return
    with (
        contextlib.suppress(psycopg.errors.InsufficientPrivilege),
        connect(MAINTENANCE, autocommit=True) as admin,
    ):
        admin.execute("CHECKPOINT")
