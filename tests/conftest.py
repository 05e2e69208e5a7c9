"""What every test stands on: a real PostgreSQL, and a broker nobody else listens to.

Migrating takes longer than many a test run, so a migrated database is kept as a template under the
fingerprint of all migrations; the first run after a change makes it anew.
"""

import fcntl
import gc
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from config import embedded
from config.celery import app
from members.models import Member
from tests import factories, first_rows
from tests.staff import SignIn, person

CHECKOUT = Path(__file__).resolve().parent.parent

# Where a test says nothing else; most examples are a handful of statements in the database.
hypothesis.settings.register_profile("cairn", max_examples=50, deadline=None, print_blob=True)
# On a submission the same examples each time; at home new ones.
hypothesis.settings.register_profile(
    "ci", hypothesis.settings.get_profile("cairn"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "cairn")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # Until everything is imported.
    embedded.ensure_running()
    # Not the demo's broker: its worker would take our messages for its own.
    app.conf.update(broker_url="memory://", broker_transport_options={})
    # Else every client of every test looks at every static file there is before it asks once.
    settings.WHITENOISE_AUTOREFRESH = True


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported stays: looking through it again and again takes a seventh of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


class Template:
    """The migrated database to clone; whoever has to make it keeps the others waiting."""

    def __init__(self) -> None:
        digest = hashlib.sha256((CHECKOUT / "uv.lock").read_bytes())
        for migration in sorted(CHECKOUT.glob("*/migrations/*.py")):
            digest.update(migration.read_bytes())
        self.name = f"cairn_template_{digest.hexdigest()[:16]}"
        settings.STATE_DIR.mkdir(exist_ok=True)
        self.lock = (settings.STATE_DIR / "tests.lock").open("w")

    def use(self) -> None:
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        with connection._nodb_cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [self.name])
            self.is_there = cursor.fetchone() is not None
        if self.is_there:
            connection.settings_dict["TEST"]["TEMPLATE"] = self.name
            self.lock.close()

    def keep(self, made: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, 'cairn_template_')"
            )
            for (outdated,) in cursor.fetchall():
                cursor.execute(f'DROP DATABASE "{outdated}"')
            cursor.execute(f'CREATE DATABASE "{self.name}" TEMPLATE "{made}"')
        self.lock.close()


@pytest.fixture(scope="session")
def template() -> Template:
    return Template()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    template: Template,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    with django_db_blocker.unblock():
        template.use()


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, template: Template, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    with django_db_blocker.unblock():
        connection.close()  # Nothing may be connected to what is cloned.
        made = str(connection.settings_dict["NAME"])
        if not template.is_there:
            template.keep(made)
        with connection._nodb_cursor() as cursor:
            # What a power cut takes is only a test; TRUNCATE after TRUNCATE is faster so.
            cursor.execute(f'ALTER DATABASE "{made}" SET synchronous_commit = off')
        first_rows.keep()
        connection.close()
    # Where Django would truncate.
    setattr(TransactionTestCase, "_fixture_teardown", lambda self: first_rows.put_back())  # noqa: B010
    yield
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        # A thread that a test left behind is connected, and DROP waits for it for seconds.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [made]
        )


@pytest.fixture
def sign_in(client: Client) -> SignIn:
    """`sign_in("Clerk", store=here)`: the client of one more person; without a role, of root."""

    def as_somebody(role: str = "", **said: Any) -> Client:
        client.force_login(person(role, **({} if role else {"is_superuser": True}), **said))
        return client

    return as_somebody


@pytest.fixture
def marketer(sign_in: SignIn) -> Client:
    return sign_in("Marketer")


@pytest.fixture
def alex() -> Member:
    """Somebody who has just joined."""
    return factories.member()


@pytest.fixture
def phone(alex: Member) -> APIClient:
    """The app on Alex's phone."""
    return factories.app(alex)


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """A folder of the test's own for what members upload."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path
