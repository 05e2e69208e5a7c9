"""Whose call it becomes, and whether there is a seat left today.

A member's call goes to the home store while that store takes calls, else to the call centre. Seats
are counted under a lock on the desks concerned, in the transaction that writes the calls: however
many workers ask at once, a desk never gets more than it has time for.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from campaigns import timing
from campaigns.models import Desk, StaffTask
from members.models import Member, Programme

MORNING = time(9)
EVENING = time(20)


def waking(*, at: datetime, zone: str) -> datetime:
    """That moment, or the next at which the phone of somebody who lives there may ring."""
    return timing.quiet_until(at=at, zone=zone, starts=EVENING, ends=MORNING)


def next_morning(*, at: datetime, zone: str) -> datetime:
    """The morning of the day after, by the clock of the zone."""
    tomorrow = at.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return timing.resolve(day=tomorrow, wall=MORNING, zone=zone)


def zone_of(desk: Desk) -> str:
    """The store's zone; a call centre goes by the programme's."""
    return desk.store.time_zone if desk.store else Programme.objects.get().time_zone


def new_today(desks: Iterable[Desk], *, now: datetime) -> dict[int | None, int]:
    """{store id: calls it got so far on its own day}; one query, whatever became of the calls."""
    asked = Q(pk__in=[])
    for desk in desks:
        zone = zone_of(desk)
        day = now.astimezone(ZoneInfo(zone)).date()
        began = timing.resolve(day=day, wall=time(0), zone=zone)
        of_it = Q(store=desk.store_id) if desk.store_id else Q(store__isnull=True)
        asked |= of_it & Q(created_at__gte=began)
    rows = StaffTask.objects.filter(asked).order_by().values_list("store")
    return dict(rows.annotate(n=Count("pk")))


class Seats:
    """The desks of some members, locked until the transaction ends, and what they got today."""

    def __init__(self, members: Iterable[Member], *, now: datetime) -> None:
        self._now = now
        self._desks: dict[int | None, Desk] = {}
        self._given: Counter[int | None] = Counter()
        homes = {member.home_store_id for member in members}
        if not homes:  # Nobody is to be called: nothing is locked.
            return
        rows = (
            Desk.objects.filter(Q(store__in=homes - {None}) | Q(store__isnull=True))
            .select_related("store")
            .order_by("pk")
            .select_for_update(no_key=True, of=("self",))
        )
        self._desks.update((desk.store_id, desk) for desk in rows)
        self._given.update(new_today(self._desks.values(), now=now))

    def desk(self, member: Member) -> Desk | None:
        """Where the member's calls go; None when nobody takes them."""
        for store_id in (member.home_store_id, None):
            desk = self._desks.get(store_id)
            if desk is not None and desk.is_open:
                return desk
        return None

    def has_one(self, desk: Desk) -> bool:
        return self._given[desk.store_id] < desk.seats_per_day

    def take(self, desk: Desk) -> None:
        self._given[desk.store_id] += 1

    def free_again_at(self, desk: Desk) -> datetime:
        """When the desk has time again: the next morning on its clock."""
        return next_morning(at=self._now, zone=zone_of(desk))
