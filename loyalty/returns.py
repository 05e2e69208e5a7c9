"""Goods that come back take back exactly the points they gave.

What is taken is computed with the rule version that paid, over the lines that were kept: any
sequence of purchases and returns nets to the points of what was kept. Today's rules play no part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import F, Sum

from config.errors import Invalid, NotFound, Refusal
from loyalty import discounts, earning, guests, keeping, ledger, tiers
from loyalty.models import Award, EarnRule, Purchase, PurchaseLine, Return, ReturnLine
from members import interactions

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ReturnReceipt:
    is_new: bool
    points_taken: int
    debt: int
    balance: int | None
    points_restored: int = 0


class ReturnConflict(Refusal):
    code = "return_conflict"
    status = 409


def find_purchase(*, reference: str, store_code: str = "") -> Purchase:
    """The purchase a till means: its own store's when the key is bound to one."""
    rows = Purchase.objects.filter(reference=reference)
    found = list((rows.filter(origin=store_code) if store_code else rows)[:2])
    if not found:
        raise NotFound(f"There is no purchase '{reference}'.")
    if len(found) > 1:
        raise Invalid(
            "More than one store or channel uses this reference; use the store's own key.",
            pointer="/reference",
        )
    return found[0]


def take_back(
    *,
    purchase_reference: str,
    store_code: str = "",
    reference: str,
    lines: Sequence[ReturnedLine],
    occurred_at: datetime,
    now: datetime,
) -> ReturnReceipt:
    """Record a return of the purchase a till means; a guest's gave nothing yet, and will give
    less. `NotFound` where there is neither."""

    def of_purchase() -> ReturnReceipt:
        purchase = find_purchase(reference=purchase_reference, store_code=store_code)
        return record(
            purchase=purchase, reference=reference, lines=lines, occurred_at=occurred_at, now=now
        )

    try:
        return of_purchase()
    except NotFound:
        _check(lines, occurred_at=occurred_at, now=now)
    try:
        is_new = guests.note_return(
            receipt=purchase_reference,
            store_code=store_code,
            reference=reference,
            lines=[(line.sku, line.quantity) for line in lines],
            occurred_at=occurred_at,
        )
    except NotFound:
        return of_purchase()  # A claim may have been faster by a moment.
    return ReturnReceipt(is_new, 0, 0, None)


def record(
    *,
    purchase: Purchase,
    reference: str,
    lines: Sequence[ReturnedLine],
    occurred_at: datetime,
    now: datetime,
) -> ReturnReceipt:
    """Record a return and take back its points; reported again, answers as the first time."""
    _check(lines, occurred_at=occurred_at, now=now)
    others = ledger.holders(spent=purchase.points_entry, member_id=purchase.member_id)
    with ledger.open_book([purchase.member_id], now=now, with_lots=True, besides=others) as book:
        account = book.accounts[purchase.member_id]
        before = Return.objects.filter(purchase=purchase, reference=reference).first()
        if before is not None:
            _refuse_other_content(before, lines)
            return ReturnReceipt(
                False,
                before.points_taken,
                before.debt_made,
                account.balance,
                before.points_restored,
            )
        row = Return.objects.create(
            purchase=purchase, reference=reference, occurred_at=occurred_at, recorded_at=now
        )
        bought = list(PurchaseLine.objects.filter(purchase=purchase).order_by("position"))
        _give_back(row, bought, lines)
        # First, so that what is taken back finds it.
        restored = _restore_payment(purchase, reference, bought, book)
        taken = debt = 0
        paid = Award.objects.filter(fact=EarnRule.Fact.PURCHASE, fact_id=purchase.pk)
        awards = list(paid.select_related("rule").order_by("pk"))
        left = keeping.left_of(paid=awards, lines=kept_of(bought))
        for award, points in zip(awards, left, strict=True):
            over = award.points - award.taken_back - points
            if over > 0:
                result = book.take_back(
                    member_id=purchase.member_id,
                    points=over,
                    award_id=award.pk,
                    at=occurred_at,
                    why=f"return {reference}",
                )
                Award.objects.filter(pk=award.pk).update(taken_back=F("taken_back") + over)
                taken, debt = taken + result.points, debt + result.debt
        Return.objects.filter(pk=row.pk).update(
            points_taken=taken, debt_made=debt, points_restored=restored
        )
    tiers.qualify(member_ids=[purchase.member_id], at=now)
    return ReturnReceipt(True, taken, debt, account.balance, restored)


def _restore_payment(
    purchase: Purchase, reference: str, bought: Sequence[PurchaseLine], book: ledger.Book
) -> int:
    """Give back the points that had paid for what came back; returns how many."""
    if purchase.points_entry is None:
        return 0
    gross = sum((line.quantity * line.unit_price for line in bought), Decimal(0))
    kept = sum(((line.quantity - line.returned) * line.unit_price for line in bought), Decimal(0))
    before = Return.objects.filter(purchase=purchase).aggregate(n=Sum("points_restored"))["n"]
    due = purchase.points_spent - before
    due -= discounts.kept(points=purchase.points_spent, gross=gross, kept_gross=kept)
    return book.restore(
        member_id=purchase.member_id,
        spent=purchase.points_entry,
        points=max(due, 0),
        why=f"return {reference}",
    )


def _check(lines: Sequence[ReturnedLine], *, occurred_at: datetime, now: datetime) -> None:
    if not lines:
        raise Invalid("A return has at least one line.", pointer="/lines")
    for number, line in enumerate(lines):
        if line.quantity < 1:
            raise Invalid("A quantity is 1 or more.", pointer=f"/lines/{number}/quantity")
    interactions.check_time(occurred_at=occurred_at, now=now)


def _give_back(row: Return, bought: Sequence[PurchaseLine], lines: Sequence[ReturnedLine]) -> None:
    """Count the returned pieces against the lines that sold them; never more than were sold."""
    rows: list[ReturnLine] = []
    for number, wanted in enumerate(lines):
        left = wanted.quantity
        for line in bought:
            pieces = min(left, line.quantity - line.returned) if line.sku == wanted.sku else 0
            if pieces:
                line.returned += pieces
                left -= pieces
                rows.append(ReturnLine(of_return=row, line=line, quantity=pieces))
        if left:
            raise Invalid(
                f"More of '{wanted.sku}' than was bought and is not back yet.",
                pointer=f"/lines/{number}/quantity",
            )
    merged: dict[int, ReturnLine] = {}
    for part in rows:
        if part.line_id in merged:
            merged[part.line_id].quantity += part.quantity
        else:
            merged[part.line_id] = part
    ReturnLine.objects.bulk_create(merged.values())
    PurchaseLine.objects.bulk_update(bought, ["returned"])


def kept_of(bought: Iterable[PurchaseLine]) -> list[earning.Line]:
    """What was kept of these lines, as the rules see it."""
    return [_kept(line) for line in bought if line.quantity > line.returned]


def _kept(line: PurchaseLine) -> earning.Line:
    pieces = line.quantity - line.returned
    net = (line.quantity * line.unit_price - line.discount) * pieces / line.quantity
    return earning.Line(
        position=line.position,
        sku=line.sku,
        category=line.category,
        interests=frozenset(),
        quantity=pieces,
        net=net.quantize(CENT, rounding=ROUND_HALF_UP),
        gross=pieces * line.unit_price,
    )


def _refuse_other_content(before: Return, lines: Sequence[ReturnedLine]) -> None:
    had: dict[str, int] = {}
    for part in ReturnLine.objects.filter(of_return=before).select_related("line"):
        had[part.line.sku] = had.get(part.line.sku, 0) + part.quantity
    said: dict[str, int] = {}
    for line in lines:
        said[line.sku] = said.get(line.sku, 0) + line.quantity
    if had != said:
        raise ReturnConflict(f"'{before.reference}' is another return of this purchase.")
