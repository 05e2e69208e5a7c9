"""Points by hand, with a reason; above what one person may give in a day a second one decides.

Nobody grants to themselves, nobody decides on their own grant (`grant_decided_by_another`), and the
counter of the day is raised under its own lock, so two pages open at once do not double it.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from config.errors import Invalid, Refusal
from loyalty import accounts, ledger, periods, tiers
from loyalty.models import Entry, Grant, GrantCounter, PointsPolicy
from members import ownership
from members.models import Member, Programme, User

VALID_MONTHS = 24
MOST_POINTS = 1_000_000
SHORTEST_REASON = 5


class OwnGrant(Refusal):
    """Staff may be members too, and are not served by their own hand."""

    code = "own_grant"
    status = 409


class GrantDecided(Refusal):
    code = "grant_decided"
    status = 409


def grant(*, member: Member, points: int, reason: str, by: User, now: datetime) -> Grant:
    """Give points (or, negative, take them); beyond the day's allowance the grant only waits."""
    if not points or abs(points) > MOST_POINTS:
        raise Invalid(f"From 1 to {MOST_POINTS:,}, or as many less.", pointer="/points")
    if len(reason.strip()) < SHORTEST_REASON:
        raise Invalid("Say why, so that a colleague understands it in a year.", pointer="/reason")
    if ownership.is_own(member=member, user=by):
        raise OwnGrant("Nobody grants points to themselves; ask a colleague.")
    with transaction.atomic():
        row = Grant(
            member=member,
            points=points,
            reason=reason.strip(),
            state=Grant.State.WAITING,
            asked_by=by,
            asked_at=now,
        )
        row.save()
        if _is_within_the_day(by, abs(points), now):
            _give(row, actor=by, now=now)
    return row


def approve(*, grant: Grant, by: User, now: datetime) -> Grant:
    """Agree to a grant that waits, and give its points."""
    with transaction.atomic():
        row = _waiting(grant, by)
        if ownership.is_own(member=row.member, user=by):
            raise OwnGrant("Nobody agrees to points for themselves.")
        row.decided_by, row.decided_at = by, now
        _give(row, actor=by, now=now)
    return row


def refuse(*, grant: Grant, by: User, now: datetime) -> Grant:
    """Do not agree to a grant that waits."""
    with transaction.atomic():
        row = _waiting(grant, by)
        row.state, row.decided_by, row.decided_at = Grant.State.REFUSED, by, now
        row.save()
    return row


def _waiting(grant: Grant, by: User) -> Grant:
    accounts.lock([grant.member_id])  # The account before its rows, as everywhere.
    row = Grant.objects.select_for_update().get(pk=grant.pk)
    if row.state != Grant.State.WAITING:
        raise GrantDecided("Somebody has decided on this grant already.")
    if row.asked_by_id == by.pk:
        raise OwnGrant("A second person decides on this; ask a colleague.")
    return row


def _is_within_the_day(by: User, points: int, now: datetime) -> bool:
    day = now.astimezone(ZoneInfo(Programme.objects.get().time_zone)).date()
    most = PointsPolicy.objects.get().grants_a_day
    GrantCounter.objects.bulk_create([GrantCounter(user=by, day=day)], ignore_conflicts=True)
    room = GrantCounter.objects.filter(user=by, day=day, used__lte=most - points)
    return bool(room.update(used=F("used") + points))


def _give(row: Grant, *, actor: User, now: datetime) -> None:
    with ledger.open_book([row.member_id], now=now, with_lots=True) as book:
        if row.points > 0:
            entry = book.earn(
                member_id=row.member_id,
                points=row.points,
                at=now,
                expires_at=periods.months_later(moment=now, months=VALID_MONTHS),
                kind=Entry.Kind.GRANTED,
                actor_id=actor.pk,
                why=f"grant {row.pk}",
            )
        else:
            entry = book.spend(
                member_id=row.member_id,
                points=-row.points,
                at=now,
                actor_id=actor.pk,
                why=f"correction {row.pk}",
            )
    row.state, row.entry_id = Grant.State.GIVEN, entry.written_id
    row.save()
    tiers.qualify(member_ids=[row.member_id], at=now)
