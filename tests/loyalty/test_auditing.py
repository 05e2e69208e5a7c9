"""The audit: silent on a sound ledger, and it names every offence planted into one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from loyalty import audit_sums, auditing, expiry, outings, rewards, tiers
from loyalty.audit_checks import CHECKS
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
    factories.tier("silver", 20)
    tiers.qualify(at=NOW)
    factories.reward("climb", kind="experience")
    factories.session("climb")
    factories.outing(capacity=4)
    outings.register(member=alex, code="ridge", now=NOW)
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
        (
            "UPDATE loyalty_earnrule SET member_cap = NULL, programme_cap = NULL",
            "every counter belongs to a rule with that cap",
        ),
        (
            "UPDATE loyalty_entry SET kind = 'conjured' WHERE kind = 'expired'",
            "movements of each month add up",
        ),
        (
            "UPDATE loyalty_redemption SET points = points + 1",
            "redemptions are spends of their points",
        ),
        (
            "UPDATE loyalty_redemption SET state = 'done' WHERE state = 'cancelled'",
            "only cancelled redemptions gave their points back",
        ),
        (
            "UPDATE loyalty_redemption SET state = 'cancelled' WHERE state = 'done'",
            "only cancelled redemptions gave their points back",
        ),
        (
            "UPDATE loyalty_voucher SET cancelled_at = NULL",
            "no voucher outlives its redemption",
        ),
        (
            "UPDATE loyalty_tier SET threshold = 1000000",
            "tiers are held by who once reached them",
        ),
        ("UPDATE loyalty_outing SET taken = taken + 1", "seats taken are seats held"),
        ("UPDATE loyalty_session SET taken = taken + 1", "seats of sessions taken are seats sold"),
        ("UPDATE loyalty_voucher SET used = used + 1", "vouchers count their uses"),
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
    assert told == set(CHECKS)


@pytest.mark.parametrize(
    ("offence", "found"),
    [
        (
            """UPDATE loyalty_lot SET remaining = remaining
                    + CASE id WHEN (SELECT min(id) FROM loyalty_lot) THEN 1 ELSE -1 END
                WHERE id < (SELECT min(id) FROM loyalty_lot) + 2""",
            "lots hold what their uses left",
        ),
        (
            """UPDATE loyalty_account SET balance = balance
                    + CASE member_id WHEN (SELECT min(member_id) FROM loyalty_account)
                           THEN 1 ELSE -1 END""",
            "accounts equal the sums of their entries",
        ),
        (
            """UPDATE loyalty_entry SET balance_after = balance_after
                    + CASE version WHEN 1 THEN 1 ELSE -1 END WHERE version < 3""",
            "the chain of entries has no gap and adds up",
        ),
        (
            "UPDATE loyalty_entry SET version = version + 9 WHERE version > 2",
            "the chain of entries has no gap and adds up",
        ),
    ],
)
def test_differences_that_cancel_out_are_found(offence: str, found: str) -> None:
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute(offence)
        assert cursor.rowcount > 1
        assert found in {finding.check for finding in auditing.audit().findings}


def test_no_two_accounts_have_a_place_of_their_chains_in_common() -> None:
    place = audit_sums.place("version", account="account")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(DISTINCT {place})"
            " FROM generate_series(1, 60) account, generate_series(1, 60) version",
            {"seed": 2027},
        )
        places, different = cursor.fetchone()
    assert different == places


def test_gap_after_an_empty_balance_is_found() -> None:
    sam = factories.member()
    factories.grant(sam, 10)
    factories.spend(sam, 10)
    factories.grant(sam, 5)
    assert auditing.audit().findings == ()
    with behind_the_back(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_entry SET version = 4 WHERE account_id = %s AND version = 3", [sam.pk]
        )
        cursor.execute("UPDATE loyalty_account SET version = 4 WHERE member_id = %s", [sam.pk])
        assert "the chain of entries has no gap and adds up" in {
            finding.check for finding in auditing.audit().findings
        }


def test_sound_ledger_is_read_once_a_table(django_assert_num_queries: Any) -> None:
    told: list[str] = []
    asked = set(CHECKS) - set(audit_sums.AGREE)
    with django_assert_num_queries(len(audit_sums.SUMS) + len(asked) + 3):  # A savepoint, memory
        auditing.audit(tell=told.append)
    assert told[:2] == ["sums over loyalty_account", "sums over loyalty_entry"]
    assert set(audit_sums.AGREE).isdisjoint(told)


def test_every_sum_agrees_with_another() -> None:
    used = {side for pairs in audit_sums.AGREE.values() for pair in pairs for side in pair}
    sums = {(table, name) for table, names in audit_sums.SUMS.items() for name in names}
    assert sums - used == {("loyalty_account", "accounts"), ("loyalty_entry", "entries")}
    assert set(audit_sums.AGREE) <= set(CHECKS)
