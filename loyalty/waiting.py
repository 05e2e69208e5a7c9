"""The lines of those who wait for a seat: who is next, and whether somebody is.

Who is passed over goes to the end of the line, so that nobody waits for ever behind others who
cannot pay.
"""

from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import RowNumber

from loyalty.models import Session, Waiting
from members.models import HouseholdMember


def is_awaited(*, session: Session) -> bool:
    """Whether somebody waits who could pay and was not passed over."""
    joined = HouseholdMember.State.JOINED
    home = HouseholdMember.objects.filter(member=OuterRef("member"), state=joined).annotate(
        total=Sum(
            "household__people__member__account__balance",
            filter=Q(household__people__state=joined),
        )
    )
    rows = Waiting.objects.filter(session=session, passed_over="", member__erased_at__isnull=True)
    rows = rows.annotate(together=Subquery(home.values("total")[:1]))
    points = session.reward.points
    able = Q(member__account__balance__gte=points) | Q(together__gte=points)
    return rows.filter(able).exists()


def in_turn(*, now: datetime) -> QuerySet[Waiting]:
    """Who waits for a free seat that is still on sale: the first of every line, the seconds, …"""
    rows = Waiting.objects.filter(
        Q(session__reward__starts_at__isnull=True) | Q(session__reward__starts_at__lte=now),
        Q(session__reward__ends_at__isnull=True) | Q(session__reward__ends_at__gt=now),
        session__taken__lt=F("session__seats"),
        session__starts_at__gt=now,
        member__erased_at__isnull=True,
        member__merged_into__isnull=True,
    )
    place = Window(RowNumber(), partition_by=[F("session")], order_by=["asked_at", "pk"])
    rows = rows.annotate(place=place).order_by("place", "asked_at", "pk")
    return rows.select_related("session__reward", "member")
