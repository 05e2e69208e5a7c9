"""What a member has, in points: the summary and the statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q, QuerySet, Sum

from loyalty import pooling, tiers
from loyalty.models import Account, Entry, Lot
from members.models import Member


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    on: date


@dataclass(frozen=True, slots=True)
class Summary:
    """`spendable` is `available` less points past their date that the sweep has not reached;
    `household` is what those who share with the member have."""

    available: int
    pending: int
    spendable: int
    debt: int
    household: int
    expiring: tuple[Expiring, ...]
    standing: tiers.Standing


def summary(*, member: Member, at: datetime) -> Summary:
    """The member's points at a moment; `expiring` lists the next twelve dates, in local days."""
    account = Account.objects.filter(pk=member.pk).first() or Account(member=member)
    open_lots = Lot.objects.filter(account_id=member.pk, remaining__gt=0, is_pending=False)
    live = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
    spendable = open_lots.filter(live).aggregate(points=Sum("remaining"))["points"] or 0
    zone = ZoneInfo(member.zone)
    by_day: dict[date, int] = {}
    for expires_at, points in (
        open_lots.filter(expires_at__gt=at)
        .order_by("expires_at")
        .values_list("expires_at")
        .annotate(points=Sum("remaining"))[:200]
    ):
        day = expires_at.astimezone(zone).date()
        by_day[day] = by_day.get(day, 0) + points
    return Summary(
        available=account.balance,
        pending=account.pending,
        spendable=spendable,
        debt=account.debt,
        household=pooling.shared(member_id=member.pk),
        expiring=tuple(Expiring(points, day) for day, points in list(by_day.items())[:12]),
        standing=tiers.standing(member=member, at=at),
    )


def next_expiring(*, member_ids: Sequence[int], at: datetime) -> dict[int, Expiring]:
    """What goes first of each member's points, and on which of their days; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"members": list(member_ids), "at": at})
        return {member_id: Expiring(points, day) for member_id, day, points in cursor.fetchall()}


def entries(*, member: Member) -> QuerySet[Entry]:
    """The member's movements of points, with the rule behind each award."""
    return (
        Entry.objects.filter(account_id=member.pk)
        .select_related("award__rule")
        .annotate(rule_name=F("award__rule__name"))
    )


_NEXT = """
SELECT DISTINCT ON (m.id) m.id, local.day, sum(l.remaining)::int
  FROM loyalty_lot l
  JOIN members_member m ON m.id = l.account_id
 CROSS JOIN LATERAL (SELECT (l.expires_at AT TIME ZONE m.zone)::date AS day) local
 WHERE m.id = ANY(%(members)s) AND l.remaining > 0 AND NOT l.is_pending
   AND l.expires_at > %(at)s
 GROUP BY m.id, local.day
 ORDER BY m.id, local.day
"""
