"""Many callers after the same thing: does each count come out exact, to the row?

Real processes through the rooms on a real PostgreSQL: the same purchases from eight callers, the
same vouchers at eight tills, one balance and eight redemptions, one cap and sixteen writers. The
usual read-check-save code runs in the same minute: if it gives no more than allowed, the run is
void.
"""

import json
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection

from config.errors import Refusal
from loyalty import auditing, baskets, ledger, purchases, rewards, vouchers
from loyalty.models import (
    Account,
    CapCounter,
    EarnRule,
    Entry,
    Purchase,
    Redemption,
    Reward,
    Voucher,
)
from loyalty.vouchers import AtTill
from members import idempotency
from members.models import IdempotencyKey, Interaction, Member
from tests.benchmarks import crews, scratch, storm_naive, world
from tests.benchmarks.reports import Asked, Report

CALLERS, WRITERS, NAIVE = 8, 16, 4
CAP = 1_000
COST, BALANCE = 100, 350
BUYERS = 20

type Work = Callable[[int], object]


def run(asked: Asked) -> Report:
    many = asked.sized(500, quick=20)
    report = Report(sizes={"keys and vouchers": many, "callers": CALLERS, "writers": WRITERS})
    with scratch.database("races") as seed:
        with scratch.connect(seed) as builder:
            world.add_members(builder, BUYERS + WRITERS)
            world.add_product(builder)
            world.open_accounts(builder)
            storm_naive.build(builder)
        scratch.settle(seed)
        for race in (_same_keys, _same_vouchers, _one_balance, _one_cap):
            with scratch.database("races_run", of=seed) as database:
                scratch.use(database)
                before = time.monotonic()
                told, flaws = race(many)
                seconds = time.monotonic() - before
                scratch.use(database)
                flaws += [
                    f"audit: {each.check}: {each.detail}" for each in auditing.audit().findings
                ]
                connection.close()
            report.told.append(f"{told} ({seconds:.1f} s)")
            report.flaws += flaws
        with scratch.database("races_naive", of=seed) as database:
            allowed, given = _naive(database)
    report.told.append(f"the control gave {given} rewards where {allowed} were allowed")
    report.facts["control"] = {"allowed": allowed, "given": given}
    if given <= allowed:
        report.flaws.append("the control survived: the run is void")
    return report


def _same_keys(many: int) -> tuple[str, list[str]]:
    """Every caller sends every purchase, each beginning somewhere else."""
    sales = [_basket(number) for number in range(many)]

    def send(caller: int) -> object:
        answers = Counter[str]()
        first = caller * many // CALLERS
        for basket in sales[first:] + sales[:first]:

            def record(basket: baskets.Basket = basket) -> tuple[int, dict[str, Any]]:
                receipt = purchases.record(basket, now=world.NOW)
                return 201, {"points": receipt.points, "purchase": receipt.purchase_id}

            answer = idempotency.once(
                caller="races", key=basket.reference, fingerprint="f", now=world.NOW, do=record
            )
            answers["replayed" if answer.is_replayed else "new"] += 1
            answers["points"] += answer.body["points"]
        return answers

    told = _together(CALLERS, send)
    counts = {
        "answers": sum(each["new"] + each["replayed"] for each in told),
        "executed": sum(each["new"] for each in told),
        "points answered": sum(each["points"] for each in told),
        "keys": IdempotencyKey.objects.count(),
        "purchases": Purchase.objects.count(),
        "entries": Entry.objects.count(),
        "interactions": Interaction.objects.count(),
        "points": sum(Account.objects.values_list("balance", flat=True)),
    }
    wanted = dict.fromkeys(("executed", "keys", "purchases", "entries", "interactions"), many)
    wanted |= {
        "answers": many * CALLERS,
        "points answered": 10 * many * CALLERS,
        "points": 10 * many,
    }
    said = f"{many} keys x {CALLERS} callers: {counts['purchases']} transactions"
    return said, _differences(said, counts, wanted)


def _same_vouchers(many: int) -> tuple[str, list[str]]:
    """Every till tries every voucher."""
    reward = _reward(points=1)
    (buyer,) = Member.objects.filter(pk=1)
    _give(buyer.pk, many)
    codes = [
        rewards.redeem(member=buyer, slug=reward.slug, now=world.NOW).code for _ in range(many)
    ]

    def use(till: int) -> object:
        first = till * many // CALLERS
        return Counter(
            _tried(partial(vouchers.redeem, code=code, till=AtTill(f"till {till}"), now=world.NOW))
            for code in codes[first:] + codes[:first]
        )

    told = sum((Counter(each) for each in _together(CALLERS, use)), Counter[str]())
    counts = {**told, "redeemed": Voucher.objects.filter(state="redeemed").count()}
    wanted = {"done": many, "voucher_not_valid": many * (CALLERS - 1), "redeemed": many}
    said = f"{many} vouchers x {CALLERS} tills: {told['done']} winners"
    return said, _differences(said, counts, wanted)


def _one_balance(many: int) -> tuple[str, list[str]]:
    """Eight redemptions at once of a balance that pays for three, once for each of many members."""
    _reward(points=COST)
    buyers = list(Member.objects.order_by("pk")[:BUYERS])
    for buyer in buyers:
        _give(buyer.pk, BALANCE)

    def redeem(_: int) -> object:
        return Counter(
            _tried(partial(rewards.redeem, member=buyer, slug="tenner", now=world.NOW))
            for buyer in buyers
        )

    told = sum((Counter(each) for each in _together(CALLERS, redeem)), Counter[str]())
    can = BUYERS * (BALANCE // COST)
    counts = {
        **told,
        "redemptions": Redemption.objects.count(),
        "left": sum(Account.objects.values_list("balance", flat=True)),
    }
    wanted = {
        "done": can,
        "insufficient_points": BUYERS * CALLERS - can,
        "redemptions": can,
        "left": BUYERS * BALANCE - can * COST,
    }
    said = f"{BUYERS} balances x {CALLERS} redemptions: {told['done']} of {can} payable"
    return said, _differences(said, counts, wanted)


def _one_cap(many: int) -> tuple[str, list[str]]:
    """Sixteen writers want more than the programme has; 7 at a time does not divide the cap."""
    EarnRule.objects.filter(fact="purchase").update(is_published=False)
    EarnRule.objects.create(
        slug="capped", name="Capped", fact="purchase", points=7, programme_cap=CAP
    )
    each = max(CAP * 2 // 7 // WRITERS, 1)

    def buy(writer: int) -> object:
        return sum(
            purchases.record(
                _basket(n, of=f"{writer}/", by=BUYERS + 1 + writer), now=world.NOW
            ).points
            for n in range(each)
        )

    told = _together(WRITERS, buy)
    counts = {
        "points": sum(told),
        "used": CapCounter.objects.get().used,
        "balances": sum(Account.objects.values_list("balance", flat=True)),
    }
    said = f"a cap of {CAP:,} under {WRITERS} writers: {sum(told):,} points"
    return said, _differences(said, counts, dict.fromkeys(counts, CAP))


def _naive(database: str) -> tuple[int, int]:
    context = multiprocessing.get_context("fork")
    begin = context.Barrier(NAIVE, timeout=60)
    crew = [context.Process(target=storm_naive.live, args=(database, begin)) for _ in range(NAIVE)]
    for process in crew:
        process.start()
    for process in crew:
        process.join()
    scratch.use(database)
    outcome = storm_naive.outcome()
    connection.close()
    return outcome


def _together(processes: int, work: Work) -> list[Any]:
    """What `work(0)`, `work(1)` … said, all begun at one moment."""
    database = str(connection.settings_dict["NAME"])
    with tempfile.TemporaryDirectory() as folder:

        def prepare(rank: int) -> crews.Work:
            scratch.use(database)
            connection.ensure_connection()
            path = Path(folder) / f"{rank:02}"

            def say() -> None:
                path.write_text(json.dumps(work(rank)))

            return say

        connection.close()
        crews.together(processes, prepare)
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).iterdir())]
    return [Counter(each) if isinstance(each, dict) else each for each in found]


def _differences(said: str, counts: dict[str, int], wanted: dict[str, int]) -> list[str]:
    return [
        f"{said}: {name} is {counts.get(name, 0)}, not {each}"
        for name, each in wanted.items()
        if counts.get(name, 0) != each
    ]


def _tried(do: Callable[[], object]) -> str:
    try:
        do()
    except Refusal as refusal:
        return refusal.code
    return "done"


def _basket(number: int, *, of: str = "r", by: int = 0) -> baskets.Basket:
    return baskets.Basket(
        reference=f"{of}{number}",
        member_id=by or 1 + number % BUYERS,
        zone="UTC",
        occurred_at=world.NOW - timedelta(hours=1),
        channel="web",
        store=None,
        currency="USD",
        lines=(baskets.Line(sku=world.SKU, quantity=1, unit_price=Decimal(10)),),
    )


def _reward(*, points: int) -> Reward:
    return Reward.objects.create(
        slug="tenner", name="Tenner", points=points, value=Decimal(10), currency="USD"
    )


def _give(member_id: int, points: int) -> None:
    with ledger.open_book([member_id], now=world.NOW, with_lots=True) as book:
        book.earn(member_id=member_id, points=points, at=world.NOW, kind=Entry.Kind.GRANTED)
