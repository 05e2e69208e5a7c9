"""What time does to points: pending ones come available, old ones lapse, warnings go ahead.

Every sweep asks which rows are due, takes them in batches, and changes nothing when run again: a
missed night is harmless.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet

from loyalty import ledger, periods
from loyalty.models import Lot, PointsPolicy
from members import interactions

BATCH = 500
WARNINGS = (timedelta(days=30), timedelta(days=7))


def mature(*, now: datetime) -> int:
    """Make due pending points available; returns how many members it concerned."""
    due = Lot.objects.filter(is_pending=True, available_at__lte=now)
    return _sweep(due, now=now, each=lambda book, pk: book.mature(member_id=pk))


def expire(*, now: datetime) -> int:
    """Remove points past their date; returns how many members it concerned."""
    due = Lot.objects.filter(is_pending=False, expires_at__lte=now)
    return _sweep(due, now=now, each=lambda book, pk: book.expire(member_id=pk))


def lapse_inactive(*, now: datetime) -> int:
    """Remove the points of members away longer than the policy allows; how many members."""
    months = PointsPolicy.objects.get().inactive_months
    if months is None:
        return 0
    return _sweep(
        Lot.objects.filter(
            is_pending=False,
            account__active_at__lte=periods.months_later(moment=now, months=-months),
        ),
        now=now,
        each=lambda book, pk: book.lapse(member_id=pk),
    )


def warn(*, now: datetime) -> int:
    """Record an interaction for points that go within 30 or 7 days; returns how many.

    Its reference is the day they go and the days ahead, so that each warning is given once; its
    value is the number of points. Campaigns answer it like any other.
    """
    policy = PointsPolicy.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            _EXPIRING,
            {
                "now": now,
                "most": now.date() + WARNINGS[0],
                "months": policy.inactive_months,
            },
        )
        rows = cursor.fetchall()
    facts = []
    for member_id, day, points in rows:
        ahead = min(w for w in WARNINGS if w >= day - now.date())
        facts.append(
            interactions.Fact(
                member_id=member_id,
                kind="points-expiring",
                occurred_at=now,
                reference=f"{day.isoformat()}:{ahead.days}",
                value=Decimal(points),
            )
        )
    recorded = 0
    for start in range(0, len(facts), BATCH):
        recorded += interactions.record(facts[start : start + BATCH], now=now).recorded
    return recorded


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


# Lots by their own day, and everything at once on the day that silence takes it.
_EXPIRING = """
SELECT account_id, (expires_at AT TIME ZONE 'UTC')::date AS day, sum(remaining)
  FROM loyalty_lot
 WHERE remaining > 0 AND NOT is_pending AND expires_at > %(now)s
   AND expires_at < (%(most)s::date + 1)::timestamp AT TIME ZONE 'UTC'
 GROUP BY account_id, day
UNION ALL
SELECT member_id, ((active_at + make_interval(months => %(months)s)) AT TIME ZONE 'UTC')::date,
       balance
  FROM loyalty_account
 WHERE %(months)s::int IS NOT NULL AND balance > 0
   AND active_at + make_interval(months => %(months)s) > %(now)s
   AND active_at + make_interval(months => %(months)s)
       < (%(most)s::date + 1)::timestamp AT TIME ZONE 'UTC'
"""
