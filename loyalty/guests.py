"""Purchases of nobody in particular, kept until their buyer says who they are.

A till reports them as any other and prints a code; `claims` turns the code into the member's
purchase. Guarantees: a receipt is kept once per origin and reference, and not beside a purchase of
that name; goods that come back before the claim are not paid for after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from config.errors import Invalid, NotFound, Refusal
from loyalty import awarding, baskets, codes, earning, purchases
from loyalty.baskets import Basket, Line
from loyalty.models import EarnRule, GuestReceipt, PointsPolicy, Purchase
from loyalty.models.guest_receipt import new_seed
from members import interactions

PURPOSE = "receipt"
KEPT_AFTERWARDS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Kept:
    """A guest's receipt as the till hears of it; `points` is what claiming it would give."""

    receipt: GuestReceipt
    is_new: bool
    points: int

    @property
    def code(self) -> str:
        return code_of(self.receipt)


class GuestReturnConflict(Refusal):
    """The reference is taken by another return of the same receipt."""

    code = "return_conflict"


def code_of(receipt: GuestReceipt) -> str:
    """The code to print for the buyer: ABCD-EFGH-JKMN."""
    return codes.code_of(seed=bytes(receipt.seed), purpose=PURPOSE)


def keep(basket: Basket, *, now: datetime) -> Kept:
    """Keep a guest's purchase. The same again is answered as before; `PurchaseConflict` where the
    reference is taken by something else."""
    baskets.check(basket, now=now)
    if basket.voucher_codes:
        raise Invalid("A voucher belongs to a member; name them.", pointer="/vouchers")
    if not basket.is_plain:
        raise Invalid("Points belong to a member; name them.", pointer="/points")
    days = timedelta(days=PointsPolicy.objects.get().claim_days)
    seed = new_seed()
    code = codes.code_of(seed=seed, purpose=PURPOSE)
    row = GuestReceipt(
        store=basket.store,
        pickup_store=basket.pickup_store,
        channel=basket.channel,
        origin=basket.origin,
        reference=basket.reference,
        occurred_at=basket.occurred_at,
        recorded_at=now,
        currency=basket.currency,
        lines=[_written(line) for line in basket.lines],
        seed=seed,
        code_hash=codes.hash_of(code=code, purpose=PURPOSE),
        claimable_until=now + days,
    )
    with transaction.atomic():
        GuestReceipt.objects.bulk_create([row], ignore_conflicts=True)
        kept = GuestReceipt.objects.get(origin=row.origin, reference=row.reference)
        is_new = bytes(kept.seed) == seed
        taken = Purchase.objects.filter(origin=row.origin, reference=row.reference)
        if (is_new and taken.exists()) or _content(kept) != _content(row):
            raise purchases.other_content(basket)
    return Kept(kept, is_new, points_of(basket))


def points_of(basket: Basket) -> int:
    """What the rules of its moment give somebody without a tier for this basket, before caps."""
    rules, catalog = awarding.rules_and_catalog(
        kind=EarnRule.Fact.PURCHASE, skus=(line.sku for line in basket.lines)
    )
    fact = baskets.fact_of(basket, catalog=catalog, tier="", is_first=False)
    return sum(decision.points for decision in earning.decide(rules=rules, fact=fact))


def basket_of(receipt: GuestReceipt, *, member_id: int, zone: str) -> Basket:
    """The basket that was kept, as this member's."""
    return Basket(
        reference=receipt.reference,
        member_id=member_id,
        zone=zone,
        occurred_at=receipt.occurred_at,
        channel=receipt.channel,
        store=receipt.store,
        pickup_store=receipt.pickup_store,
        currency=receipt.currency,
        lines=tuple(
            Line(**{**line, "unit_price": Decimal(line["unit_price"])}) for line in receipt.lines
        ),
    )


def note_return(
    *, receipt: str, store_code: str, reference: str, lines: Sequence[tuple[str, int]],
    occurred_at: datetime,
) -> bool:  # fmt: skip
    """Note what came back of a guest's purchase; `lines` are (sku, pieces). Whether it is new.

    `NotFound` where no unclaimed receipt is meant, `Invalid` for more than was sold.
    """
    with transaction.atomic():
        row = _locked(_unclaimed(receipt, store_code))
        if row is None:
            raise NotFound(f"There is no purchase '{receipt}'.")
        said = {"reference": reference, "lines": sorted(map(list, lines))}
        for before in row.returns:
            if before["reference"] == reference:
                if before["lines"] != said["lines"]:
                    raise GuestReturnConflict(f"'{reference}' is another return of this purchase.")
                return False
        left = _left(row)
        for number, (sku, pieces) in enumerate(lines):
            left[sku] = left.get(sku, 0) - pieces
            if left[sku] < 0:
                raise Invalid(
                    f"More of '{sku}' than was bought and is not back yet.",
                    pointer=f"/lines/{number}/quantity",
                )
        row.returns.append({**said, "occurred_at": occurred_at.isoformat()})
        row.save(update_fields=["returns"])
    return True


def note_goods(
    *, receipt: str, store_code: str = "", pickup_code: str = "", at: datetime
) -> GuestReceipt | None:
    """Note that the goods were sent or, at `pickup_code`, picked up; the first time counts.

    None where no unclaimed receipt is meant.
    """
    with transaction.atomic():
        rows = _unclaimed(receipt, store_code)
        if pickup_code:
            rows = rows.filter(pickup_store__code=pickup_code)
        row = _locked(rows)
        if row is not None:
            if at < row.occurred_at - interactions.CLOCK_SKEW:
                raise Invalid("This lies before the purchase.", pointer="/occurred_at")
            row.shipped_at = row.shipped_at or at
            if pickup_code:
                row.picked_up_at = row.picked_up_at or at
            row.save(update_fields=["shipped_at", "picked_up_at"])
    return row


def drop(*, now: datetime) -> int:
    """Forget the receipts whose time to be claimed is over for a month; what was claimed is a
    purchase."""
    rows = GuestReceipt.objects.filter(claimable_until__lte=now - KEPT_AFTERWARDS)
    return rows.delete()[1].get("loyalty.GuestReceipt", 0)


def _unclaimed(reference: str, store_code: str) -> QuerySet[GuestReceipt]:
    rows = GuestReceipt.objects.filter(reference=reference, claimed_at__isnull=True)
    return rows.filter(origin=store_code) if store_code else rows


def _locked(rows: QuerySet[GuestReceipt]) -> GuestReceipt | None:
    found = list(rows.select_for_update(of=("self",)).order_by("pk")[:2])
    if len(found) > 1:
        raise Invalid("More than one store or channel uses this reference.", pointer="/reference")
    return found[0] if found else None


def _left(receipt: GuestReceipt) -> dict[str, int]:
    """Pieces by sku that were sold and did not come back."""
    left: dict[str, int] = {}
    for line in receipt.lines:
        left[line["sku"]] = left.get(line["sku"], 0) + line["quantity"]
    for back in receipt.returns:
        for sku, pieces in back["lines"]:
            left[sku] -= pieces
    return left


def _written(line: Line) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": str(line.unit_price),
        "category": line.category,
    }


def _content(row: GuestReceipt) -> tuple[object, ...]:
    lines = [(line["sku"], line["quantity"], Decimal(line["unit_price"])) for line in row.lines]
    return row.occurred_at, row.currency, row.pickup_store_id, lines
