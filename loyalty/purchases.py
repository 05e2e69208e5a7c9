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
from loyalty import accounts, awarding, challenges, ledger, purchase_rows, tiers, vouchers
from loyalty.awarding import Awarded
from loyalty.baskets import Basket, check, discounted, fact_of, interaction_of
from loyalty.catalog import Catalog, look_up
from loyalty.models import Award, EarnRule, Purchase, PurchaseLine, Tier
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


def record(basket: Basket, *, now: datetime, held_by: str = "") -> Receipt:
    """Record one purchase and award its points.

    Reported again with the same content, answers as the first time (`is_new` False); with other
    content raises `PurchaseConflict`. Vouchers are redeemed in the same transaction.
    """
    check(basket, now=now)
    with transaction.atomic(savepoint=False):
        if basket.voucher_codes:
            return _record_with_vouchers(basket, now=now, held_by=held_by)
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
    its content is not compared.
    """
    if not baskets:
        return []
    order = sorted(range(len(baskets)), key=lambda n: (baskets[n].occurred_at, n))
    ordered = [baskets[n] for n in order]
    rules = awarding.rules_of(EarnRule.Fact.PURCHASE) if with_points else []
    catalog = look_up(skus=(line.sku for basket in ordered for line in basket.lines))
    with ledger.open_book((b.member_id for b in ordered), now=now) as book:
        ids = purchase_rows.write(ordered, catalog=catalog, now=now)
        fresh = [(basket, ids[number]) for number, basket in enumerate(ordered) if number in ids]
        awarded = _award(fresh, book=book, rules=rules, catalog=catalog)
    interactions.record([interaction_of(b, pk, catalog) for b, pk in fresh], now=now)
    balances = {pk: account.balance for pk, account in book.accounts.items()}
    if fresh and with_points:
        buyers = {basket.member_id for basket, _ in fresh}
        tiers.qualify(member_ids=sorted(buyers), at=now)
        balances |= challenges.advance(member_ids=buyers, at=now).balances
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


def _record_with_vouchers(basket: Basket, *, now: datetime, held_by: str) -> Receipt:
    # The account before its vouchers, as everywhere; the same purchase sent twice waits here.
    accounts.lock([basket.member_id])
    existing = Purchase.objects.filter(origin=basket.origin, reference=basket.reference).first()
    if existing is not None:
        _refuse_other_content(basket, existing.pk)
        return record_many([basket], now=now)[0]
    used = vouchers.take(
        codes=basket.voucher_codes,
        member_id=basket.member_id,
        currency=basket.currency,
        total=basket.total,
        held_by=held_by,
        now=now,
    )
    off = min(sum((voucher.value for voucher in used), Decimal(0)), basket.total)
    receipt = record_many([replace(basket, lines=discounted(basket.lines, off))], now=now)[0]
    vouchers.attach(used, purchase_id=receipt.purchase_id)
    return receipt


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
    before = Purchase.objects.get(pk=purchase_id)
    lines = [
        (line.sku, line.quantity, line.unit_price)
        for line in PurchaseLine.objects.filter(purchase=before).order_by("position")
    ]
    said = [(line.sku, line.quantity, line.unit_price) for line in basket.lines]
    same = (before.member_id, before.occurred_at, before.currency, lines) == (
        basket.member_id,
        basket.occurred_at,
        basket.currency,
        said,
    )
    if not same or not vouchers.were_used(codes=basket.voucher_codes, purchase_id=purchase_id):
        raise PurchaseConflict(f"'{basket.reference}' is another purchase of {basket.origin}.")
