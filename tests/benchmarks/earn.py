"""A purchase of one line that one rule pays, through its room and by hand; 1 and 6 tills at once.

By hand is a transaction that somebody would write for exactly this purchase: it knows product,
rule, kind and interest, asks for nothing, and sends prepared statements through psycopg.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from django.db import connection

from loyalty import baskets, purchases
from tests.benchmarks import crews, ledgers, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

TILLS = (1, 6)
WARM = 20  # purchases before the clock starts
ZONE = "America/Denver"


@dataclass(frozen=True, slots=True)
class Sale:
    reference: str
    member_id: int
    price: Decimal
    at: datetime


type Record = Callable[[Sale], object]


def run(asked: Asked) -> Report:
    many = asked.sized(1_200, quick=60)
    members = max(300, many // 2)
    report = Report(sizes={"purchases a till and round": many, "members": members})
    with scratch.database("earn") as seed:
        with scratch.connect(seed) as builder:
            world.add_members(builder, members)
            world.add_product(builder)
            world.open_accounts(builder)
        scratch.settle(seed)
        for tills in TILLS[1:] if asked.is_quick else TILLS:
            with (
                scratch.database("earn_room", of=seed) as room,
                scratch.database("earn_hand", of=seed) as hand,
            ):
                report.races.append(
                    races.race(
                        f"{tills} {'till' if tills == 1 else 'tills'}",
                        unit="purchases",
                        sides=[
                            _side("loyalty.purchases.record", room, _room, tills, many, members),
                            _side("by hand in psycopg", hand, _by_hand, tills, many, members),
                        ],
                        rounds=asked.rounds_of(7),
                        at_least={"purchases": tills * many, "evidence": 1},
                    )
                )
    return report


def _side(
    name: str,
    database: str,
    recorder: Callable[[str], Record],
    tills: int,
    many: int,
    members: int,
) -> races.Side:
    rounds = iter(range(1_000))

    def run() -> float:
        number = next(rounds)

        def prepare(till: int) -> crews.Work:
            record = recorder(database)
            sales = list(_sales(number, till, tills=tills, many=many, members=members))
            for sale in sales[:WARM]:
                record(sale)

            def work() -> None:
                for sale in sales[WARM:]:
                    record(sale)

            return work

        connection.close()
        return crews.together(tills, prepare)

    return races.Side(
        name=name,
        run=run,
        units=tills * many,
        ready=scratch.checkpoint,
        outcome=lambda: sameness.digests(database, ledgers.PURCHASE_ROWS),
        target=None if recorder is _room else 0.5,
        stretch=None if recorder is _room else 0.75,
    )


def _sales(number: int, till: int, *, tills: int, many: int, members: int) -> Iterator[Sale]:
    """The same for both sides. Tills do not share members, so that each chain has one order."""
    own = members // tills
    for place in range(many + WARM):
        yield Sale(
            reference=f"{number}-{till}-{place}",
            member_id=1 + till * own + place % own,
            price=Decimal(place % 90 + 10) + Decimal("0.50"),
            at=world.NOW - timedelta(days=1) + timedelta(seconds=number * (many + WARM) + place),
        )


def _room(database: str) -> Record:
    scratch.use(database)

    def record(sale: Sale) -> object:
        return purchases.record(
            baskets.Basket(
                reference=sale.reference,
                member_id=sale.member_id,
                zone=ZONE,
                occurred_at=sale.at,
                channel="web",
                store=None,
                currency="USD",
                lines=(baskets.Line(sku=world.SKU, quantity=1, unit_price=sale.price),),
            ),
            now=world.NOW,
        )

    return record


def _by_hand(database: str) -> Record:
    hand = scratch.connect(database, autocommit=True, prepare_threshold=0)
    known = hand.execute(
        "SELECT p.id, r.id, k.id, k.half_life_days, i.id FROM loyalty_product p,"
        " loyalty_earnrule r, members_interactionkind k, members_interest i"
        " WHERE p.sku = %s AND r.slug = 'purchases' AND k.slug = 'purchase' AND i.slug = %s",
        [world.SKU, world.INTEREST],
    ).fetchone()
    assert known is not None
    product, rule, kind, half_life, interest = known
    run = hand.execute

    def record(sale: Sale) -> None:
        points = int(sale.price)
        with hand.transaction():
            balance, version = _one(run(_ACCOUNT, [sale.member_id]))
            balance, version = balance + points, version + 1
            (purchase,) = _one(
                run(_PURCHASE, [sale.reference, sale.at, world.NOW, sale.price, sale.member_id])
            )
            run(_LINE, [purchase, world.SKU, world.CATEGORY, sale.price, product])
            (award,) = _one(run(_AWARD, [purchase, points, sale.price, sale.member_id, rule]))
            (entry,) = _one(
                run(
                    _ENTRY,
                    [version, points, balance, sale.at, world.NOW, sale.member_id, award],
                )
            )
            run(_LOT, [points, points, sale.at, sale.member_id, award, entry])
            run(_NEW_BALANCE, [balance, version, sale.member_id])
            (interaction,) = _one(
                run(
                    _INTERACTION,
                    [
                        sale.at, world.NOW, f"purchase:{purchase}", [interest], world.SKU,
                        world.CATEGORY, sale.price, sale.member_id, kind,
                    ],
                )
            )  # fmt: skip
            run(_UNANSWERED, [interaction])
            run(_EVIDENCE, [sale.at, sale.at, interest, kind, sale.member_id, half_life])

    return record


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row


_ACCOUNT = "SELECT balance, version FROM loyalty_account WHERE member_id = %s FOR NO KEY UPDATE"
_PURCHASE = """
INSERT INTO loyalty_purchase
       (channel, origin, reference, occurred_at, recorded_at, currency, total, member_id)
VALUES ('web', 'web', %s, %s, %s, 'USD', %s, %s) RETURNING id
"""
_LINE = """
INSERT INTO loyalty_purchaseline
       (purchase_id, position, sku, category, quantity, unit_price, discount, returned, product_id)
VALUES (%s, 1, %s, %s, 1, %s, 0, 0, %s)
"""
_AWARD = """
INSERT INTO loyalty_award (fact, fact_id, points, taken_back, base, lines, member_id, rule_id)
VALUES ('purchase', %s, %s, 0, %s, '{1}', %s, %s) RETURNING id
"""
_ENTRY = """
INSERT INTO loyalty_entry
       (version, kind, amount, pending_change, debt_change, balance_after, at, recorded_at, why,
        account_id, award_id)
VALUES (%s, 'earned', %s, 0, 0, %s, %s, %s, '', %s, %s) RETURNING id
"""
_LOT = """
INSERT INTO loyalty_lot
       (amount, remaining, is_pending, available_at, account_id, award_id, entry_id)
VALUES (%s, %s, false, %s, %s, %s, %s)
"""
_NEW_BALANCE = "UPDATE loyalty_account SET balance = %s, version = %s WHERE member_id = %s"
_INTERACTION = """
INSERT INTO members_interaction
       (occurred_at, recorded_at, reference, interests, sku, category, value, member_id, kind_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
_UNANSWERED = "INSERT INTO members_unansweredinteraction (interaction_id) VALUES (%s)"
_EVIDENCE = """
INSERT INTO members_interestevidence AS e
       (mass, facts, as_of, last_at, interest_id, kind_id, member_id)
VALUES (1, 1, %s, %s, %s, %s, %s)
ON CONFLICT (member_id, interest_id, kind_id) DO UPDATE
   SET mass = excluded.mass + e.mass * power(0.5,
              extract(epoch FROM excluded.as_of - e.as_of)::float8 / 86400 / %s::float8),
       facts = e.facts + 1, as_of = excluded.as_of, last_at = excluded.last_at
"""
