"""Recording purchases: once each, with their points in the answer.

One purchase and ten thousand take the same path and the same number of statements, so an import
earns exactly what the till would have given. Guarantees: a purchase is recorded once per origin
(store, else channel) and reference; points, lots, interests and purchase commit together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Q

from config.errors import Invalid, Refusal
from loyalty import caps, earning, ledger, tiers, vouchers
from loyalty.catalog import Catalog, look_up
from loyalty.models import Account, Award, EarnRule, Purchase, PurchaseLine, Tier
from members import interactions, prepared
from members.arrays import array
from members.models import Store

CENT = Decimal("0.01")
MOST_LINES = 500
MOST_MONEY = Decimal("9999999999.99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    sku: str = ""
    quantity: int
    unit_price: Decimal
    category: str = ""
    discount: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return self.quantity * self.unit_price - self.discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """A purchase as it is reported; `zone` is the member's, for the days of caps."""

    reference: str
    member_id: int
    zone: str
    occurred_at: datetime
    channel: str
    store: Store | None
    currency: str
    lines: tuple[Line, ...]
    voucher_codes: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return self.store.code if self.store else self.channel

    @property
    def total(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Awarded:
    rule: str
    points: int
    because: str


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


def check(basket: Basket, *, now: datetime) -> None:
    """Refuse what cannot be a purchase; `Invalid` names the field."""
    interactions.check_time(occurred_at=basket.occurred_at, now=now)
    if not basket.lines:
        raise Invalid("A purchase has at least one line.", pointer="/lines")
    if len(basket.lines) > MOST_LINES:
        raise Invalid(f"A purchase has at most {MOST_LINES} lines.", pointer="/lines")
    if basket.store is None and basket.channel == "store":
        raise Invalid("A purchase in a store names the store.", pointer="/store")
    for number, line in enumerate(basket.lines):
        if not 0 < line.quantity <= 1_000_000:
            raise Invalid("A quantity is 1 or more.", pointer=f"/lines/{number}/quantity")
        if line.unit_price < 0 or line.unit_price != line.unit_price.quantize(CENT):
            raise Invalid(
                "A price is 0 or more, with at most two decimals.",
                pointer=f"/lines/{number}/unit_price",
            )
    if basket.total > MOST_MONEY:
        raise Invalid("The purchase is larger than any till can take.", pointer="/lines")


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
    rules = _rules() if with_points else []
    catalog = look_up(skus=(line.sku for basket in ordered for line in basket.lines))
    with ledger.open_book((b.member_id for b in ordered), now=now) as book:
        ids = _insert(ordered, catalog=catalog, now=now)
        fresh = [(basket, ids[number]) for number, basket in enumerate(ordered) if number in ids]
        awarded = _award(fresh, book=book, rules=rules, catalog=catalog)
    interactions.record([_interaction(b, pk, catalog) for b, pk in fresh], now=now)
    if fresh and with_points:
        tiers.qualify(member_ids=[basket.member_id for basket, _ in fresh], at=now)
    receipts: dict[int, Receipt] = {}
    for number, basket in enumerate(ordered):
        if number in ids:
            awards = awarded.get(ids[number], ())
            balance = book.accounts[basket.member_id].balance
            receipts[order[number]] = Receipt(
                ids[number], True, awards, sum(a.points for a in awards), balance
            )
    for number, receipt in _repeated(ordered, ids, book.accounts).items():
        receipts[order[number]] = receipt
    return [receipts[number] for number in range(len(baskets))]


def _record_with_vouchers(basket: Basket, *, now: datetime, held_by: str) -> Receipt:
    # The account before its vouchers, as everywhere; the same purchase sent twice waits here.
    ledger.lock([basket.member_id])
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
    receipt = record_many([replace(basket, lines=_discounted(basket.lines, off))], now=now)[0]
    vouchers.attach(used, purchase_id=receipt.purchase_id)
    return receipt


def _discounted(lines: tuple[Line, ...], off: Decimal) -> tuple[Line, ...]:
    """Share a discount over the lines by price, to the cent; the shares add up to it."""
    total = sum((line.net for line in lines), Decimal(0))
    shared: list[Line] = []
    for line in lines:
        share = (off * line.net / total).quantize(CENT) if total else Decimal(0)
        share = min(share, line.net)
        off, total = off - share, total - line.net
        shared.append(replace(line, discount=share))
    return tuple(shared)


def _rules() -> list[EarnRule]:
    return prepared.read(EarnRule, "WHERE is_current AND fact = 'purchase'")


def _insert(baskets: Sequence[Basket], *, catalog: Catalog, now: datetime) -> dict[int, int]:
    """Write the purchases that are new, with their lines: {position in the batch: id}."""
    first: dict[tuple[str, str], int] = {}
    for number, basket in enumerate(baskets):
        first.setdefault((basket.origin, basket.reference), number)
    chosen = [(number, baskets[number]) for number in first.values()]
    lines = [
        (number, position, line) for number, b in chosen for position, line in enumerate(b.lines, 1)
    ]
    items = [catalog.items.get(line.sku) for _, _, line in lines]
    return dict(
        prepared.execute(
            _INSERT,
            [
                array(number for number, _ in chosen),
                array(b.member_id for _, b in chosen),
                array(b.store.pk if b.store else None for _, b in chosen),
                array(b.channel for _, b in chosen),
                array(b.origin for _, b in chosen),
                array(b.reference for _, b in chosen),
                array(b.occurred_at for _, b in chosen),
                array(b.currency for _, b in chosen),
                array(b.total for _, b in chosen),
                now,
                array(number for number, _, _ in lines),
                array(position for _, position, _ in lines),
                array(line.sku for _, _, line in lines),
                array(item.product_id if item else None for item in items),
                array(catalog.category_of(sku=x.sku, category=x.category) for _, _, x in lines),
                array(line.quantity for _, _, line in lines),
                array(line.unit_price for _, _, line in lines),
                array(line.discount for _, _, line in lines),
            ],
            rows=len(lines),
        )
    )


def facts_of(
    basket: Basket, *, catalog: Catalog, tier: str, is_first: bool
) -> earning.PurchaseFact:
    """The basket as the rules see it."""
    return earning.PurchaseFact(
        occurred_at=basket.occurred_at,
        store=basket.store.code if basket.store else "",
        channel=basket.channel,
        currency=basket.currency,
        tier=tier,
        is_first=is_first,
        lines=tuple(
            earning.Line(
                position=position,
                sku=line.sku,
                category=catalog.category_of(sku=line.sku, category=line.category),
                interests=frozenset(catalog.interests_of(sku=line.sku, category=line.category)),
                quantity=line.quantity,
                net=line.net,
            )
            for position, line in enumerate(basket.lines, start=1)
        ),
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
    decided: list[tuple[Basket, int, earning.Decision[EarnRule]]] = []
    for basket, purchase_id in fresh:
        tier = tier_slugs.get(book.accounts[basket.member_id].tier_id or 0, "")
        fact = facts_of(basket, catalog=catalog, tier=tier, is_first=purchase_id in firsts)
        decided.extend(
            (basket, purchase_id, decision) for decision in earning.decide(rules=rules, fact=fact)
        )
    days = {id(basket): _day(basket) for basket, _ in fresh}
    allowance = caps.Allowance((d.rule, b.member_id, days[id(b)]) for b, _, d in decided)
    granted: list[tuple[Basket, int, earning.Decision[EarnRule], int]] = []
    for basket, purchase_id, decision in decided:
        points = allowance.allow(
            rule=decision.rule,
            member_id=basket.member_id,
            day=days[id(basket)],
            points=decision.points,
        )
        if points:
            granted.append((basket, purchase_id, decision, points))
    allowance.save()
    award_ids = _insert_awards(granted)
    result: dict[int, tuple[Awarded, ...]] = {}
    for basket, purchase_id, decision, points in granted:
        rule = decision.rule
        earn(
            book=book,
            rule=rule,
            member_id=basket.member_id,
            points=points,
            award_id=award_ids[purchase_id, rule.id],
            at=basket.occurred_at,
        )
        capped = " (up to the cap)" if points < decision.points else ""
        said = Awarded(rule.slug, points, decision.because + capped)
        result[purchase_id] = (*result.get(purchase_id, ()), said)
    return result


def _insert_awards(
    granted: Sequence[tuple[Basket, int, earning.Decision[EarnRule], int]],
) -> dict[tuple[int, int], int]:
    """Write the awards: {(purchase, rule): id}."""
    if not granted:
        return {}
    written = prepared.execute(
        _INSERT_AWARDS,
        [
            array(basket.member_id for basket, _, _, _ in granted),
            array(decision.rule.id for _, _, decision, _ in granted),
            array(purchase_id for _, purchase_id, _, _ in granted),
            array(points for _, _, _, points in granted),
            array(decision.base for _, _, decision, _ in granted),
            array(f"{{{','.join(map(str, decision.lines))}}}" for _, _, decision, _ in granted),
        ],
        rows=len(granted),
    )
    return {(fact_id, rule_id): pk for pk, fact_id, rule_id in written}


def earn(
    *, book: ledger.Book, rule: EarnRule, member_id: int, points: int, award_id: int, at: datetime
) -> None:
    """Credit a saved award on its rule's terms of waiting and expiry."""
    book.earn(
        member_id=member_id,
        points=points,
        at=at,
        award_id=award_id,
        available_at=at + timedelta(days=rule.pending_days) if rule.pending_days else None,
        expires_at=earning.months_later(moment=at, months=rule.valid_months)
        if rule.valid_months
        else None,
    )


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


def _day(basket: Basket) -> date:
    return basket.occurred_at.astimezone(ZoneInfo(basket.zone)).date()


def _interaction(basket: Basket, purchase_id: int, catalog: Catalog) -> interactions.Fact:
    taught: dict[str, int] = {}
    for line in basket.lines:
        taught |= catalog.interests_of(sku=line.sku, category=line.category)
    first = max(basket.lines, key=lambda line: line.net)
    return interactions.Fact(
        member_id=basket.member_id,
        kind="purchase",
        occurred_at=basket.occurred_at,
        reference=f"purchase:{purchase_id}",
        interest_ids=tuple(taught.values()),
        sku=first.sku or None,
        category=catalog.category_of(sku=first.sku, category=first.category) or None,
        value=basket.total,
    )


def _repeated(
    baskets: Sequence[Basket], ids: Mapping[int, int], accounts: Mapping[int, Account]
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
        balance = accounts[baskets[number].member_id].balance
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


_INSERT = """
WITH given AS (
    SELECT * FROM unnest(
        %s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
        %s::timestamptz[], %s::text[], %s::numeric[])
      AS g(number, member_id, store_id, channel, origin, reference, occurred_at, currency, total)
), written AS (
    INSERT INTO loyalty_purchase
        (member_id, store_id, channel, origin, reference, occurred_at, recorded_at, currency, total)
    SELECT member_id, store_id, channel, origin, reference, occurred_at, %s, currency, total
      FROM given
    ON CONFLICT (origin, reference) DO NOTHING
    RETURNING id, origin, reference
), numbered AS (
    SELECT given.number, written.id FROM written JOIN given USING (origin, reference)
), lined AS (
    INSERT INTO loyalty_purchaseline
        (purchase_id, position, sku, product_id, category, quantity, unit_price, discount, returned)
    SELECT numbered.id, g.position, g.sku, g.product_id, g.category, g.quantity, g.unit_price,
           g.discount, 0
      FROM unnest(%s::int[], %s::smallint[], %s::text[], %s::bigint[], %s::text[], %s::int[],
                  %s::numeric[], %s::numeric[])
           AS g(number, position, sku, product_id, category, quantity, unit_price, discount)
      JOIN numbered USING (number)
)
SELECT number, id FROM numbered
"""
# One row's lines are an array within an array of rows: written as text, cast row by row.
_INSERT_AWARDS = """
INSERT INTO loyalty_award (member_id, rule_id, fact, fact_id, points, taken_back, base, lines)
SELECT g.member_id, g.rule_id, 'purchase', g.fact_id, g.points, 0, g.base, g.lines::smallint[]
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::numeric[], %s::text[])
       AS g(member_id, rule_id, fact_id, points, base, lines)
RETURNING id, fact_id, rule_id
"""
