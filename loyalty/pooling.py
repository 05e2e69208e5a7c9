"""Points of a household are for all of it: who spends takes their own first, then the others'.

What is taken from another comes over as a transfer, soonest-expiring first, in the same transaction
and under the locks of all accounts, taken in one order. What is given back later goes back to who
gave it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from loyalty import ledger
from loyalty.ledger_rows import EntryRow
from loyalty.lot_history import HOUSEHOLD
from loyalty.models import Account
from members import households


def everybody(member_ids: Iterable[int]) -> set[int]:
    """These members and all who share points with them: what to lock before one of them spends."""
    found = set(member_ids)
    for member_id in list(found):
        found |= set(households.sharers(member_id=member_id))
    return found


@contextmanager
def open_book(member_id: int, *, now: datetime) -> Iterator[ledger.Book]:
    """The book of a member and of all who share points with them."""
    others = households.sharers(member_id=member_id)
    with ledger.open_book([member_id], now=now, with_lots=True, besides=others) as book:
        yield book


def spend(book: ledger.Book, *, member_id: int, points: int, at: datetime, why: str) -> EntryRow:
    """Spend from the member's account, topped up by the household's where that is too little.

    `InsufficientPoints` when all of them together have too few; then nothing has moved.
    """
    # What comes over pays a debt first.
    missing = points + book.accounts[member_id].debt - book.spendable(member_id)
    if missing > 0:
        # Asked again under the locks: who has left in the meantime shares no more.
        others = [pk for pk in households.sharers(member_id=member_id) if pk in book.accounts]
        if missing <= sum(book.spendable(pk) for pk in others):
            for pk in others:
                share = min(missing, book.spendable(pk))
                if share:
                    book.transfer(giver_id=pk, taker_id=member_id, points=share, why=HOUSEHOLD)
                    missing -= share
    return book.spend(member_id=member_id, points=points, at=at, why=why)


def shared(*, member_id: int) -> int:
    """What the others of the household have, available to this member too."""
    others = households.sharers(member_id=member_id)
    balances = Account.objects.filter(pk__in=others).values_list("balance", flat=True)
    return sum(balances)
