"""Integrators' keys: shown once, checked by hash, revocable."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.errors import Invalid
from members import keys
from members.models import ApiKey, Store

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def issue(**changes: Any) -> tuple[ApiKey, str]:
    facts = {"name": "till 3", "scopes": ["purchases"], "store": None, "now": NOW}
    return keys.issue(**{**facts, **changes})


@pytest.fixture
def store() -> Store:
    return Store.objects.create(
        code="sf", name="SF", latitude="37.8", longitude="-122.4", time_zone="UTC", country="US"
    )


def test_issued_key_is_verified_by_its_raw_form(store: Store) -> None:
    key, raw = issue(store=store, scopes=["vouchers", "purchases", "vouchers"])
    found = keys.verify(raw=raw)
    assert found == key
    assert (key.scopes, key.store) == (["purchases", "vouchers"], store)


def test_raw_form_is_kept_nowhere() -> None:
    key, raw = issue()
    secret = raw.split("_", 2)[2]
    assert secret not in str(ApiKey.objects.filter(pk=key.pk).values().get())


@pytest.mark.parametrize(
    "spoilt",
    [
        "cairn_{prefix}_{secret}x",
        "other_{prefix}_{secret}",
        "cairn_{prefix}_",
        "cairn_{prefix}",
        "cairn_0000000000_{secret}",
        "cairn_\x00\ud800_{secret}",
        "cairn__",
        "",
    ],
)
def test_anything_else_is_nobodys_key(spoilt: str) -> None:
    _, prefix, secret = issue()[1].split("_", 2)
    assert keys.verify(raw=spoilt.format(prefix=prefix, secret=secret)) is None


def test_revoked_key_opens_nothing_and_keeps_its_moment() -> None:
    key, raw = issue()
    keys.revoke(key=key, now=NOW)
    keys.revoke(key=key, now=NOW + timedelta(days=1))
    assert (keys.verify(raw=raw), key.revoked_at) == (None, NOW)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"scopes": []}, "/scopes"), ({"scopes": ["points"]}, "/scopes"), ({"name": " "}, "/name")],
)
def test_key_that_says_nothing_or_too_much_is_refused(
    changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        issue(**changes)
    assert refusal.value.pointer == pointer


def test_command_prints_the_key_alone(store: Store) -> None:
    out = StringIO()
    call_command(
        "issue_key", "till 3", "--scope", "purchases", "--scope", "vouchers", "--store", "sf",
        stdout=out,
    )  # fmt: skip
    key = keys.verify(raw=out.getvalue().strip())
    assert key is not None
    assert (key.name, key.scopes, key.store) == ("till 3", ["purchases", "vouchers"], store)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scope", "points"], "There is no scope 'points'"),
        (["--scope", "purchases", "--store", "oz"], "There is no store 'oz'"),
        ([], "--scope"),
    ],
)
def test_command_says_what_is_wrong(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("issue_key", "till 3", *arguments)
    assert not ApiKey.objects.exists()
