"""Recording purchases: once each, with their points in the answer.

One purchase and ten thousand take the same path and the same number of statements, so an import
earns exactly what the till would have given. Guarantees: a purchase is recorded once per origin
(store, else channel) and reference; points, lots, interests and purchase commit together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q

from config.errors import Refusal
from loyalty import (
    accounts,
    awarding,
    challenges,
    discounts,
    ledger,
    pooling,
    purchase_rows,
    tender,
    tiers,
    vouchers,
)
from loyalty.awarding import Awarded
from loyalty.baskets import Basket, check, fact_of, interaction_of
from loyalty.catalog import Catalog
from loyalty.models import Award, EarnRule, Hold, Purchase, PurchaseLine, Tier
from members import interactions


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a purchase; `is_new` is False where it had been recorded before."""

    purchase_id: int
    is_new: bool
    awards: tuple[Awarded, ...]
    points: int
    balance: int


class PurchaseConflict(Refusal):
    """The reference is taken by another purchase."""

    code = "purchase_conflict"
    status = 409


def record(
    basket: Basket, *, now: datetime, held_by: str = "", redeemed_at: datetime | None = None
) -> Receipt:
    """Record one purchase and award its points.

    Reported again with the same content, answers as the first time (`is_new` False); with other
    content raises `PurchaseConflict`. Vouchers and points that pay a part are used in the same
    transaction; vouchers as of now, unless it is said when.
    """
    check(basket, now=now)
    with transaction.atomic(savepoint=False):
        if not basket.is_plain:
            return _record_discounted(
                basket, now=now, held_by=held_by, redeemed_at=redeemed_at or now
            )
        receipt = record_many([basket], now=now)[0]
    if not receipt.is_new:
        _refuse_other_content(basket, receipt.purchase_id)
    return receipt


@transaction.atomic(savepoint=False)
def record_many(
    baskets: Sequence[Basket], *, now: datetime, with_points: bool = True
) -> list[Receipt]:
    """Record checked purchases in one transaction; receipts in the order given.

    Of two baskets with one reference the first counts; a repeat is told by `is_new` False and
    its content is not compared. `PurchaseConflict` where one was sold to a guest.
    """
    if not baskets:
        return []
    order = sorted(range(len(baskets)), key=lambda n: (baskets[n].occurred_at, n))
    ordered = [baskets[n] for n in order]
    rules, catalog = awarding.rules_and_catalog(
        kind=EarnRule.Fact.PURCHASE,
        skus=(line.sku for basket in ordered for line in basket.lines),
    )
    with ledger.open_book((b.member_id for b in ordered), now=now) as book:
        ids = purchase_rows.write(ordered, catalog=catalog, now=now)
        fresh = [(basket, ids[number]) for number, basket in enumerate(ordered) if number in ids]
        awarded = _award(fresh, book=book, rules=rules, catalog=catalog) if with_points else {}
    interactions.record([interaction_of(b, pk, catalog) for b, pk in fresh], now=now)
    balances = {pk: account.balance for pk, account in book.accounts.items()}
    if fresh and with_points:
        buyers = {basket.member_id for basket, _ in fresh}
        tiers.qualify(member_ids=sorted(buyers.intersection(book.tiered)), at=now)
        balances |= challenges.advance(member_ids=buyers.intersection(book.dared), at=now).balances
    receipts: dict[int, Receipt] = {}
    for number, basket in enumerate(ordered):
        if number in ids:
            awards = awarded.get(ids[number], ())
            balance = balances[basket.member_id]
            receipts[order[number]] = Receipt(
                ids[number], True, awards, sum(a.points for a in awards), balance
            )
    for number, receipt in _repeated(ordered, ids, balances).items():
        receipts[order[number]] = receipt
    return [receipts[number] for number in range(len(baskets))]


def _record_discounted(
    basket: Basket, *, now: datetime, held_by: str, redeemed_at: datetime
) -> Receipt:
    # The account before its vouchers, as everywhere; the same purchase sent twice waits here.
    spenders = {basket.member_id} if basket.points else set()
    accounts.lock(sorted({basket.member_id} | pooling.everybody(spenders)))
    existing = Purchase.objects.filter(origin=basket.origin, reference=basket.reference).first()
    if existing is not None:
        _refuse_other_content(basket, existing.pk)
        return record_many([basket], now=now)[0]
    used, lines = vouchers.take(
        typed=basket.voucher_codes,
        lines=basket.lines,
        member_id=basket.member_id,
        currency=basket.currency,
        till=vouchers.AtTill(held_by, basket.store.code if basket.store else ""),
        now=redeemed_at,
    )
    basket = replace(basket, lines=lines)
    held, paid = _pay_with_points(basket, held_by=held_by, now=now)
    if paid:
        basket = replace(basket, lines=discounts.share(basket.lines, paid.off))
    receipt = record_many([basket], now=now)[0]
    vouchers.attach(used, purchase_id=receipt.purchase_id)
    if held:
        tender.attach(held, purchase_id=receipt.purchase_id)
    if paid:
        Purchase.objects.filter(pk=receipt.purchase_id).update(
            points_spent=paid.points, points_off=paid.off, points_entry=paid.entry_id
        )
    return receipt


def _pay_with_points(
    basket: Basket, *, held_by: str, now: datetime
) -> tuple[Hold | None, tender.Paid | None]:
    if basket.hold:
        return tender.use(
            hold_id=basket.hold,
            member_id=basket.member_id,
            currency=basket.currency,
            total=basket.total,
            till=held_by,
            occurred_at=basket.occurred_at,
            now=now,
        )
    if not basket.points:
        return None, None
    return None, tender.pay(
        member_id=basket.member_id,
        points=basket.points,
        currency=basket.currency,
        total=basket.total,
        now=now,
    )


def _award(
    fresh: Sequence[tuple[Basket, int]],
    *,
    book: ledger.Book,
    rules: Sequence[EarnRule],
    catalog: Catalog,
) -> dict[int, tuple[Awarded, ...]]:
    if not rules or not fresh:
        return {}
    tier_slugs = dict(Tier.objects.values_list("pk", "slug")) if any(r.tiers for r in rules) else {}
    firsts = _firsts(fresh) if any(rule.first_purchase_only for rule in rules) else set()
    claims = [
        awarding.Claim(
            member_id=basket.member_id,
            fact_id=purchase_id,
            zone=basket.zone,
            is_taken_along=basket.is_taken_along,
            fact=fact_of(
                basket,
                catalog=catalog,
                tier=tier_slugs.get(book.accounts[basket.member_id].tier_id or 0, ""),
                is_first=purchase_id in firsts,
            ),
        )
        for basket, purchase_id in fresh
    ]
    return awarding.award(claims, kind=EarnRule.Fact.PURCHASE, rules=rules, book=book)


def _firsts(fresh: Sequence[tuple[Basket, int]]) -> set[int]:
    """Of these purchases, the ids of those that are their member's earliest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (member_id) id FROM loyalty_purchase"
            " WHERE member_id = ANY(%s) ORDER BY member_id, occurred_at, id",
            [sorted({basket.member_id for basket, _ in fresh})],
        )
        earliest = {row[0] for row in cursor.fetchall()}
    return earliest & {pk for _, pk in fresh}


def _repeated(
    baskets: Sequence[Basket], ids: Mapping[int, int], balances: Mapping[int, int]
) -> dict[int, Receipt]:
    """Receipts of purchases recorded before, from what was awarded then."""
    missing = [number for number in range(len(baskets)) if number not in ids]
    if not missing:
        return {}
    pairs = {(baskets[n].origin, baskets[n].reference) for n in missing}
    wanted = Q()
    if len(pairs) == 1:
        ((origin, reference),) = pairs
        wanted = Q(origin=origin, reference=reference)
    else:
        wanted = Q(reference__in=[reference for _, reference in pairs])
    known = {
        (p.origin, p.reference): p.pk
        for p in Purchase.objects.filter(wanted).only("pk", "origin", "reference")
    }
    for origin, reference in sorted(pairs - known.keys()):
        raise PurchaseConflict(f"'{reference}' of {origin} was sold to a guest, who may claim it.")
    awards: dict[int, tuple[Awarded, ...]] = {}
    rows = Award.objects.filter(
        fact=EarnRule.Fact.PURCHASE, fact_id__in=[known[pair] for pair in pairs]
    )
    for award in rows.select_related("rule").order_by("rule__slug"):
        said = Awarded(award.rule.slug, award.points, f"{award.rule.name}: on {award.base:.2f}")
        awards[award.fact_id] = (*awards.get(award.fact_id, ()), said)
    result = {}
    for number in missing:
        pk = known[baskets[number].origin, baskets[number].reference]
        given = awards.get(pk, ())
        balance = balances[baskets[number].member_id]
        result[number] = Receipt(pk, False, given, sum(a.points for a in given), balance)
    return result


def _refuse_other_content(basket: Basket, purchase_id: int) -> None:
    """`PurchaseConflict` unless the purchase was recorded with what this basket says."""
    before = Purchase.objects.get(pk=purchase_id)
    is_paid_alike = (
        vouchers.were_used(typed=basket.voucher_codes, purchase_id=purchase_id)
        and tender.was_used(hold_id=basket.hold, purchase_id=purchase_id)
        and (bool(basket.hold) or before.points_spent == basket.points)
    )
    if not is_paid_alike or not are_alike([(basket, purchase_id)])[0]:
        raise other_content(basket)


def other_content(basket: Basket) -> PurchaseConflict:
    return PurchaseConflict(f"'{basket.reference}' is another purchase of {basket.origin}.")


def are_alike(pairs: Sequence[tuple[Basket, int]]) -> list[bool]:
    """Whether each basket, vouchers and points aside, says what the purchase of that id says."""
    ids = {pk for _, pk in pairs}
    kept = Purchase.objects.in_bulk(ids)
    lines: dict[int, list[tuple[str, int, Decimal]]] = {}
    for line in PurchaseLine.objects.filter(purchase__in=ids).order_by("purchase", "position"):
        said = (line.sku, line.quantity, line.unit_price)
        lines.setdefault(line.purchase_id, []).append(said)
    return [_says(basket) == _keeps(kept[pk], lines[pk]) for basket, pk in pairs]


def _says(basket: Basket) -> tuple[object, ...]:
    lines = [(line.sku, line.quantity, line.unit_price) for line in basket.lines]
    pickup = basket.pickup_store.pk if basket.pickup_store else None
    return basket.member_id, basket.occurred_at, basket.currency, pickup, lines


def _keeps(purchase: Purchase, lines: list[tuple[str, int, Decimal]]) -> tuple[object, ...]:
    pickup = purchase.pickup_store_id
    return purchase.member_id, purchase.occurred_at, purchase.currency, pickup, lines
