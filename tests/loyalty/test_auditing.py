"""The audit: silent on a sound ledger, and it names every offence planted into one."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from loyalty import auditing, expiry, rewards
from loyalty.models import Purchase
from loyalty.returns import ReturnedLine, record
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def history() -> Member:
    """A bit of everything that moves points."""
    alex, kim = factories.members(2)
    factories.rule("capped", member_cap=15, programme_cap=25, pending_days=14)
    factories.reward(points=40)
    receipt = factories.buy(alex, line("50", 2, sku="tent"))
    factories.buy(kim, "80")
    factories.grant(kim, 30, expires_at=NOW)
    done = rewards.redeem(member=alex, slug="tenner", now=NOW)
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    for number in (1, 2):
        record(
            purchase=Purchase.objects.get(pk=receipt.purchase_id), reference=f"back {number}",
            lines=[ReturnedLine("tent", 1)], occurred_at=NOW, now=NOW,
        )  # fmt: skip
    rewards.cancel(redemption=done.redemption, why="test", now=NOW)
    expiry.expire(now=NOW)
    return alex


@contextmanager
def behind_the_back() -> Iterator[None]:
    """No trigger fires and no check of the database holds, as after a botched restore."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid::regclass::text LIKE 'loyalty_%'"
        )
        checks = cursor.fetchall()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, name in checks:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_sound_ledger_has_no_findings() -> None:
    audit = auditing.audit()
    assert audit.findings == ()
    assert (audit.accounts, audit.entries) == (2, 13)


@pytest.mark.parametrize(
    ("offence", "found"),
    [
        (
            "UPDATE loyalty_account SET balance = balance + 1",
            "accounts equal the sums of their entries",
        ),
        (
            "UPDATE loyalty_account SET pending = pending + 1",
            "accounts equal the sums of their entries",
        ),
        ("UPDATE loyalty_account SET debt = debt + 1", "accounts equal the sums of their entries"),
        (
            "UPDATE loyalty_account SET version = version + 1",
            "accounts equal the sums of their entries",
        ),
        ("DELETE FROM loyalty_account", "accounts equal the sums of their entries"),
        ("DELETE FROM loyalty_entry", "accounts equal the sums of their entries"),
        (
            "DELETE FROM loyalty_entry WHERE version = 1",
            "the chain of entries has no gap and adds up",
        ),
        (
            "UPDATE loyalty_entry SET balance_after = balance_after + 1 WHERE version = 2",
            "the chain of entries has no gap and adds up",
        ),
        (
            "UPDATE loyalty_entry SET version = version + 500 WHERE version > 2",
            "the chain of entries has no gap and adds up",
        ),
        ("UPDATE loyalty_lot SET remaining = remaining + 1", "lots hold what their uses left"),
        ("DELETE FROM loyalty_lotuse", "lots hold what their uses left"),
        ("UPDATE loyalty_lotuse SET amount = amount + 1", "every debit says which lots it took"),
        (
            "UPDATE loyalty_lot SET is_pending = NOT is_pending",
            "open lots add up to the account",
        ),
        ("UPDATE loyalty_lot SET amount = amount + 1", "every credit made the lot it says"),
        ("DELETE FROM loyalty_lot", "every credit made the lot it says"),
        (
            "UPDATE loyalty_entry SET amount = amount + 1 WHERE kind = 'restored'",
            "no spend was given back beyond what it took",
        ),
        (
            "UPDATE loyalty_entry SET kind = 'transferred' WHERE version = 1",
            "what one gave another got",
        ),
        ("UPDATE loyalty_award SET points = points + 1", "awards equal what was credited for them"),
        ("DELETE FROM loyalty_award", "awards equal what was credited for them"),
        (
            "UPDATE loyalty_award SET taken_back = taken_back - 1 WHERE taken_back > 0",
            "no return takes more than its award gave",
        ),
        (
            "UPDATE loyalty_capcounter SET used = used + 100",
            "caps are not exceeded by what they counted",
        ),
        ("DELETE FROM loyalty_capcounter", "caps counted what was given"),
    ],
)
def test_planted_offence_is_found(offence: str, found: str) -> None:
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute(offence)
        assert cursor.rowcount > 0
        assert found in {finding.check for finding in auditing.audit().findings}


def test_every_check_finds_one_of_the_offences_above() -> None:
    marks = test_planted_offence_is_found.pytestmark  # type: ignore[attr-defined]
    told = {found for mark in marks for _, found in mark.args[1]}
    assert told == set(auditing.CHECKS)


def test_finding_names_the_row_and_both_sides(history: Member) -> None:
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_lot SET remaining = 9 WHERE id = (SELECT min(id) FROM loyalty_lot)"
        )
        findings = [f.detail for f in auditing.audit().findings if f.check.startswith("lots")]
    assert len(findings) == 1
    assert "remaining=9" in findings[0]
    assert "used=" in findings[0]


def test_findings_of_each_kind_are_limited() -> None:
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute("UPDATE loyalty_entry SET balance_after = -1")
        assert len(auditing.audit(limit_per_check=3).findings) == 3


def test_command_ends_with_one_where_anything_differs() -> None:
    out = StringIO()
    call_command("audit_ledger", stdout=out)
    assert out.getvalue() == "2 accounts, 13 entries, 0 differences\n"
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute("UPDATE loyalty_account SET balance = balance + 1")
        with pytest.raises(SystemExit) as end:
            call_command("audit_ledger", stdout=out)
    assert end.value.code == 1
