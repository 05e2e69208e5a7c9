"""Goods on their way: sent, or picked up in a store though bought elsewhere.

Both happen once, the first time counts, and each starts the waiting of points that awaited it. A
pick-up is also an interaction at that store, for campaigns to answer.
"""

from dataclasses import dataclass
from datetime import datetime

from config.errors import Invalid, NotFound
from loyalty import guests, ledger, returns
from loyalty.models import Award, EarnRule, GuestReceipt, Purchase
from members import interactions


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """Where a purchase's goods are now; `balance` and `pending` are nobody's for a guest's."""

    reference: str
    shipped_at: datetime | None
    picked_up_at: datetime | None
    pickup_store: str | None
    balance: int | None
    pending: int | None


def ship(*, reference: str, store_code: str, occurred_at: datetime, now: datetime) -> Fulfilled:
    """The goods were sent. `NotFound` where the till has no such purchase."""
    interactions.check_time(occurred_at=occurred_at, now=now)
    try:
        purchase = returns.find_purchase(reference=reference, store_code=store_code)
    except NotFound:
        kept = guests.note_goods(receipt=reference, store_code=store_code, at=occurred_at)
        if kept is not None:
            return _told(kept)
        # A claim may have been faster by a moment.
        purchase = returns.find_purchase(reference=reference, store_code=store_code)
    return move(purchase=purchase, shipped_at=occurred_at, now=now)


def pick_up(*, reference: str, store_code: str, occurred_at: datetime, now: datetime) -> Fulfilled:
    """The goods were picked up in this store. `NotFound` where none of that name wait there."""
    interactions.check_time(occurred_at=occurred_at, now=now)
    purchase = _waiting(reference, store_code)
    if purchase is None:
        kept = guests.note_goods(receipt=reference, pickup_code=store_code, at=occurred_at)
        if kept is not None:
            return _told(kept)
        purchase = _waiting(reference, store_code)
    if purchase is None:
        raise NotFound(f"No purchase '{reference}' is to be picked up in this store.")
    return move(purchase=purchase, picked_up_at=occurred_at, now=now)


def move(
    *,
    purchase: Purchase,
    shipped_at: datetime | None = None,
    picked_up_at: datetime | None = None,
    now: datetime,
) -> Fulfilled:
    """Note where the goods are, and start the waiting of the points that awaited them."""
    with ledger.open_book([purchase.member_id], now=now, with_lots=True) as book:
        purchase.refresh_from_db()
        sent_at = shipped_at or picked_up_at
        for at in (shipped_at, picked_up_at):
            if at and at < purchase.occurred_at - interactions.CLOCK_SKEW:
                raise Invalid("This lies before the purchase.", pointer="/occurred_at")
        if sent_at and purchase.shipped_at is None:
            purchase.shipped_at = sent_at
            _start_waiting(book, purchase, sent_at)
        facts = []
        if picked_up_at and purchase.picked_up_at is None:
            purchase.picked_up_at = picked_up_at
            facts = [_picked_up(purchase, picked_up_at)]
        purchase.save(update_fields=["shipped_at", "picked_up_at"])
    interactions.record(facts, now=now)
    account = book.accounts[purchase.member_id]
    return _told(purchase, balance=account.balance, pending=account.pending)


def _start_waiting(book: ledger.Book, purchase: Purchase, shipped_at: datetime) -> None:
    waits: dict[int, set[int]] = {}
    rows = Award.objects.filter(fact=EarnRule.Fact.PURCHASE, fact_id=purchase.pk)
    for award_id, days in rows.values_list("pk", "rule__pending_days"):
        waits.setdefault(days, set()).add(award_id)
    for days, award_ids in waits.items():
        book.ship(award_ids=award_ids, shipped_at=shipped_at, days=days)
    book.mature(member_id=purchase.member_id)  # Those that wait no longer are there at once.


def _waiting(reference: str, store_code: str) -> Purchase | None:
    rows = Purchase.objects.filter(reference=reference, pickup_store__code=store_code)
    found = list(rows.order_by("pk")[:2])
    if len(found) > 1:
        raise Invalid("Several purchases of that name are to be picked up.", pointer="/reference")
    return found[0] if found else None


def _picked_up(purchase: Purchase, at: datetime) -> interactions.Fact:
    return interactions.Fact(
        member_id=purchase.member_id,
        kind="pick-up",
        occurred_at=at,
        reference=f"purchase:{purchase.pk}",
        place=purchase.pickup_store.code if purchase.pickup_store else None,
        value=purchase.total,
    )


def _told(
    row: Purchase | GuestReceipt, *, balance: int | None = None, pending: int | None = None
) -> Fulfilled:
    return Fulfilled(
        reference=row.reference,
        shipped_at=row.shipped_at,
        picked_up_at=row.picked_up_at,
        pickup_store=row.pickup_store.code if row.pickup_store else None,
        balance=balance,
        pending=pending,
    )
