"""Claiming a guest's receipt: the purchase becomes the member's, as if they had been named.

Once ever: the receipt is locked, marked and tied to its purchase (`guest_receipt_claimed_once`)
in the transaction that awards it. What came back or was sent in the meantime is done again.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from config.errors import Refusal
from loyalty import accounts, codes, fulfilment, guests, purchases, returns
from loyalty.models import GuestReceipt, Purchase
from members.models import Member


class ReceiptRefused(Refusal):
    """One answer for unknown, claimed and expired codes: a guesser learns nothing."""

    code = "receipt_not_valid"
    status = 409

    def __init__(self, detail: str = "This receipt cannot be claimed.") -> None:
        super().__init__(detail)


def claim(*, member: Member, code: str, now: datetime) -> tuple[str, purchases.Receipt]:
    """Make the receipt with this code the member's purchase: its reference and what it gave.

    `ReceiptRefused` for every code that is not good now.
    """
    with transaction.atomic():
        accounts.lock([member.pk])
        row = (
            GuestReceipt.objects.filter(
                code_hash=codes.hash_of(code=code, purpose=guests.PURPOSE),
                claimed_at__isnull=True,
                claimable_until__gt=now,
            )
            .select_related("store", "pickup_store")
            .select_for_update(of=("self",))
            .first()
        )
        if row is None:
            raise ReceiptRefused
        row.claimed_at = now
        row.save(update_fields=["claimed_at"])
        basket = guests.basket_of(row, member_id=member.pk, zone=member.zone)
        receipt = purchases.record_many([basket], now=now)[0]
        if not receipt.is_new:
            raise ReceiptRefused
        row.purchase_id = receipt.purchase_id
        row.save(update_fields=["purchase"])
        return row.reference, _caught_up(row, receipt, now=now)


def _caught_up(
    row: GuestReceipt, receipt: purchases.Receipt, *, now: datetime
) -> purchases.Receipt:
    """The receipt after what happened to the goods before they were claimed."""
    purchase = Purchase.objects.get(pk=receipt.purchase_id)
    for back in row.returns:
        taken = returns.record(
            purchase=purchase,
            reference=back["reference"],
            lines=[returns.ReturnedLine(sku, pieces) for sku, pieces in back["lines"]],
            occurred_at=datetime.fromisoformat(back["occurred_at"]),
            now=now,
        )
        points = receipt.points - taken.points_taken - taken.debt
        receipt = replace(receipt, points=points, balance=taken.balance or 0)
    if row.shipped_at is not None:
        moved = fulfilment.move(
            purchase=purchase, shipped_at=row.shipped_at, picked_up_at=row.picked_up_at, now=now
        )
        receipt = replace(receipt, balance=moved.balance or 0)
    return receipt
