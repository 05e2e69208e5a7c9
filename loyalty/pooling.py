"""Points of a household are for all of it: who spends takes their own first, then the others'.

What is taken from another comes over as a transfer, soonest-expiring first, in the same transaction
and under the locks of all accounts, taken in one order. What is given back later is the spender's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from loyalty import ledger
from loyalty.ledger_rows import EntryRow
from loyalty.models import Account
from members import households


@contextmanager
def open_book(member_id: int, *, now: datetime) -> Iterator[ledger.Book]:
    """The book of a member and of all who share points with them."""
    ids = [member_id, *households.sharers(member_id=member_id)]
    with ledger.open_book(ids, now=now, with_lots=True) as book:
        yield book


def spend(book: ledger.Book, *, member_id: int, points: int, at: datetime, why: str) -> EntryRow:
    """Spend from the member's account, topped up by the household's where that is too little.

    `InsufficientPoints` when all of them together have too few; then nothing has moved.
    """
    others = sorted(pk for pk in book.accounts if pk != member_id)
    missing = points - book.spendable(member_id)
    if missing > 0 and missing <= sum(book.spendable(pk) for pk in others):
        for pk in others:
            share = min(missing, book.spendable(pk))
            if share:
                book.transfer(giver_id=pk, taker_id=member_id, points=share, why="household")
                missing -= share
    return book.spend(member_id=member_id, points=points, at=at, why=why)


def shared(*, member_id: int) -> int:
    """What the others of the household have, available to this member too."""
    others = households.sharers(member_id=member_id)
    balances = Account.objects.filter(pk__in=others).values_list("balance", flat=True)
    return sum(balances)
