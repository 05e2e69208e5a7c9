"""`loyalty.auditing.audit` of a whole ledger, against GROUP BY sums over the same tables.

The ledger is made by its rooms: purchases and spends. The sums have to agree among each other, the
audit has to find nothing, and then it has to find a balance that is one point too high.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import LiteralString

from django.db import connection, transaction

from loyalty import auditing, baskets, ledger, purchases
from tests.benchmarks import races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

BATCH = 2_000


def run(asked: Asked) -> Report:
    entries = asked.sized(200_000, quick=2_000)
    bought = entries * 3 // 4
    members = max(bought // 10, 20)
    report = Report(sizes={"entries": entries, "members": members})
    with scratch.database("audit") as database:
        _build(database, members=members, bought=bought, spent=entries - bought)
        scratch.use(database)
        if not _finds_a_stolen_point():
            report.flaws.append("the audit did not find a balance that is one point too high")
        said: dict[str, Mapping[str, sameness.Digest]] = {}

        def audit() -> None:
            result = auditing.audit()
            if result.findings:
                raise sameness.NotTheSameWork(f"The audit finds {result.findings[0]}.")
            said["audit"] = _told(result.accounts, result.entries)

        def add_up() -> None:
            with connection.cursor() as cursor:
                balances = set()
                for sums in _SUMS:
                    cursor.execute(sums)
                    balances.add(cursor.fetchone()[0])
                if len(balances - {None}) != 1:
                    raise sameness.NotTheSameWork(f"The sums differ: {balances}.")
                cursor.execute(_COUNTS)
                said["sums"] = _told(*cursor.fetchone())

        report.races.append(
            races.race(
                "everything",
                unit="entries",
                sides=[
                    races.Side(
                        name="loyalty.auditing.audit",
                        run=lambda: races.timed(audit),
                        units=entries,
                        outcome=lambda: said["audit"],
                    ),
                    races.Side(
                        name="GROUP BY sums",
                        run=lambda: races.timed(add_up),
                        units=entries,
                        outcome=lambda: said["sums"],
                        target=0.3,
                    ),
                ],
                rounds=asked.rounds_of(5),
                at_least={"accounts": members, "entries": entries},
            )
        )
    return report


def _told(accounts: int, entries: int) -> Mapping[str, sameness.Digest]:
    return {"accounts": sameness.Digest(accounts, ""), "entries": sameness.Digest(entries, "")}


def _finds_a_stolen_point() -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE loyalty_account SET balance = balance + 1 WHERE member_id = 1")
        findings = auditing.audit().findings
        transaction.set_rollback(True)
    return bool(findings)


def _build(database: str, *, members: int, bought: int, spent: int) -> None:
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        world.add_product(builder)
    scratch.use(database)
    for first in range(0, bought, BATCH):
        purchases.record_many(
            [_basket(number, members) for number in range(first, min(first + BATCH, bought))],
            now=world.NOW,
        )
    for first in range(0, spent, BATCH):
        buyers = [1 + number % members for number in range(first, min(first + BATCH, spent))]
        with ledger.open_book(buyers, now=world.NOW, with_lots=True) as book:
            for member_id in buyers:
                book.spend(member_id=member_id, points=7, at=world.NOW, why="benchmark")
    connection.close()
    scratch.settle(database)


def _basket(number: int, members: int) -> baskets.Basket:
    return baskets.Basket(
        reference=f"r{number}",
        member_id=1 + number % members,
        zone="UTC",
        occurred_at=world.NOW - timedelta(days=400) + timedelta(seconds=number),
        channel="web",
        store=None,
        currency="USD",
        lines=(baskets.Line(sku=world.SKU, quantity=1, unit_price=Decimal(20 + number % 50)),),
    )


# The balance of all accounts comes first, where a table knows it.
_SUMS: tuple[LiteralString, ...] = (
    (
        "SELECT sum(b), count(*), sum(p), sum(d), sum(n) FROM (SELECT account_id, sum(amount) AS b,"
        " sum(pending_change) AS p, sum(debt_change) AS d, count(*) AS n, max(version)"
        " FROM loyalty_entry GROUP BY account_id) s"
    ),
    (
        "SELECT sum(r), count(*) FROM (SELECT account_id, sum(remaining) AS r FROM loyalty_lot"
        " GROUP BY account_id) s"
    ),
    "SELECT sum(balance), sum(pending), sum(debt) FROM loyalty_account",
    (
        "SELECT NULL, count(*), sum(a) FROM (SELECT lot_id, sum(amount) AS a FROM loyalty_lotuse"
        " GROUP BY lot_id) s"
    ),
    (
        "SELECT NULL, count(*), sum(a) FROM (SELECT entry_id, sum(amount) AS a FROM loyalty_lotuse"
        " GROUP BY entry_id) s"
    ),
    (
        "SELECT NULL, count(*), sum(a) FROM (SELECT award_id, sum(amount) AS a FROM loyalty_entry"
        " GROUP BY award_id) s"
    ),
    "SELECT NULL, sum(points), sum(taken_back) FROM loyalty_award",
)
_COUNTS: LiteralString = (
    "SELECT (SELECT count(*) FROM loyalty_account), (SELECT count(*) FROM loyalty_entry)"
)
