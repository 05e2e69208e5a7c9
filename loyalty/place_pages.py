"""The pages of places: one place, and a collection of them, as one member sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Min, Q, QuerySet

from config.errors import NotFound
from loyalty import awarding, caps, challenges, checkins, offers, trails, verification
from loyalty.models import Challenge, Collection, EarnRule, Place
from members.models import Member

MOST = 1_000
_WHY_NOT = {
    "closed": "{place} takes no check-ins at present.",
    "no_points_here": "{place} gives no points at present.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """`reason` is a stable word for why a check-in gives nothing now; empty where it gives."""

    place: Place
    interests: list[str]
    points: int
    reason: str
    visits: int
    last_visit_at: datetime | None
    collections: list[Collection]
    challenges: list[Challenge]

    @property
    def explanation(self) -> str:
        if not self.reason:
            return ""
        if self.reason in _WHY_NOT:
            return _WHY_NOT[self.reason].format(place=self.place.name)
        return verification.explain(reason=self.reason, place=self.place.name)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection: how many places it has, and how many of them one has been to."""

    collection: Collection
    size: int
    been: int


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of a collection, and when one was first there."""

    place: Place
    visited_at: datetime | None


def page(*, member: Member, code: str, now: datetime) -> Page:
    """A place as the member sees it; a constant number of queries."""
    place = Place.objects.prefetch_related("interests").filter(code=code).first()
    if place is None:
        raise NotFound(f"There is no place '{code}'.")
    interests = sorted(interest.slug for interest in place.interests.all())
    points, reason = _offer(place, interests, member=member, now=now)
    visits = member.check_ins.counted().filter(place=place)
    been = visits.aggregate(days=Count("local_day", distinct=True), last_at=Max("occurred_at"))
    return Page(
        place=place,
        interests=interests,
        points=points,
        reason=reason,
        visits=been["days"],
        last_visit_at=been["last_at"],
        collections=list(place.collections.filter(is_shown=True)),
        challenges=list(_challenges(place, interests, member=member, now=now)),
    )


def shelves(*, member: Member) -> list[Shelf]:
    """The collections that are shown, by name."""
    visited = member.check_ins.counted().filter(place__isnull=False).values("place")
    rows = Collection.objects.filter(is_shown=True).annotate(
        size=Count("places", distinct=True),
        been=Count("places", distinct=True, filter=Q(places__in=visited)),
    )
    return [Shelf(row, row.size, row.been) for row in rows.order_by("name", "pk")[:MOST]]


def shelf(*, member: Member, slug: str) -> tuple[Shelf, list[Spot]]:
    """A collection and its places, by name; `NotFound` where it is not shown."""
    collection = Collection.objects.filter(slug=slug, is_shown=True).first()
    if collection is None:
        raise NotFound(f"There is no collection '{slug}'.")
    first = dict(
        member.check_ins.counted()
        .filter(place__collections=collection)
        .values_list("place")
        .annotate(first_at=Min("occurred_at"))
    )
    places = collection.places.defer("boundary").order_by("name", "pk")[:MOST]
    spots = [Spot(place, first.get(place.pk)) for place in places]
    been = sum(spot.visited_at is not None for spot in spots)
    return Shelf(collection, len(spots), been), spots


def _offer(
    place: Place, interests: Sequence[str], *, member: Member, now: datetime
) -> tuple[int, str]:
    """What a check-in at this moment gives the member, and why nothing."""
    if not place.is_open:
        return 0, "closed"
    rules = awarding.rules_of(EarnRule.Fact.CHECK_IN)
    tier = challenges.tier_of(member)
    worth = offers.decided(place, interests, rules=rules, tier=tier, at=now)
    if worth is None:
        return 0, "no_points_here"
    day = now.astimezone(ZoneInfo(member.zone)).date()
    history = trails.history(member=member, place=place, at=now, limits=checkins.LIMITS)
    if spent := verification.exhausted(history=history, limits=checkins.LIMITS):
        return 0, spent
    points = 0
    for decision in worth[1]:
        left = caps.left(rule=decision.rule, member_id=member.pk, day=day)
        points += decision.points if left is None else min(decision.points, left)
    return points, "" if points else "limit_reached"


def _challenges(
    place: Place, interests: Sequence[str], *, member: Member, now: datetime
) -> "QuerySet[Challenge]":
    """What a check-in here counts for, now or soon."""
    here = Q(collection=None) | Q(collection__in=place.collections.all())
    about = Q(interests=[]) | Q(interests__overlap=list(interests))
    rows = challenges.for_member(member).filter(
        here, about, counts=Challenge.Counts.CHECK_IN, ends_at__gt=now
    )
    return rows.order_by("ends_at", "pk")
