"""What time does to points: pending ones come available, old ones lapse.

Both sweeps ask which rows are due, take them in batches, and change nothing when run again: a
missed night is harmless.
"""

from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet

from loyalty import ledger
from loyalty.models import Lot

BATCH = 500


def mature(*, now: datetime) -> int:
    """Make due pending points available; returns how many members it concerned."""
    due = Lot.objects.filter(is_pending=True, available_at__lte=now)
    return _sweep(due, now=now, each=lambda book, pk: book.mature(member_id=pk))


def expire(*, now: datetime) -> int:
    """Remove points past their date; returns how many members it concerned."""
    due = Lot.objects.filter(is_pending=False, expires_at__lte=now)
    return _sweep(due, now=now, each=lambda book, pk: book.expire(member_id=pk))


def _sweep(due: QuerySet[Lot], *, now: datetime, each: Callable[[ledger.Book, int], object]) -> int:
    total = 0
    while True:
        accounts = due.filter(remaining__gt=0).values_list("account_id", flat=True)
        batch = list(accounts.order_by("account_id").distinct()[:BATCH])
        if not batch:
            return total
        with ledger.open_book(batch, now=now, with_lots=True) as book:
            for member_id in batch:
                each(book, member_id)
        total += len(batch)
