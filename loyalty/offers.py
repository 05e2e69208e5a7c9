"""What a check-in at a place is worth to a member: one award, and what multiplies it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty import awarding, earning
from loyalty.models import Account, EarnRule, Place
from members.models import Interest, Member

type Decided = tuple[earning.ActFact, list[earning.Decision[EarnRule]]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a check-in at a place gives a member at this moment."""

    points: int
    interests: list[str]


def at_places(*, member: Member, places: Sequence[Place], now: datetime) -> dict[int, Offer]:
    """The offers of places to a member, by place id; a constant number of queries."""
    rules = awarding.rules_of(EarnRule.Fact.CHECK_IN)
    account = Account.objects.select_related("tier").filter(pk=member.pk).first()
    tier = account.tier.slug if account and account.tier else ""
    ids = [place.pk for place in places]
    taught: dict[int, list[str]] = {pk: [] for pk in ids}
    for pk, slug in Interest.objects.filter(places__in=ids).values_list("places", "slug"):
        taught[pk].append(slug)
    found = {}
    for place in places:
        worth = decided(place, taught[place.pk], rules=rules, tier=tier, at=now)
        points = sum(decision.points for decision in worth[1]) if worth else 0
        found[place.pk] = Offer(points, sorted(taught[place.pk]))
    return found


def decided(
    place: Place, interests: Sequence[str], *, rules: Sequence[EarnRule], tier: str, at: datetime
) -> Decided | None:
    """A place is worth one award, that of the first rule which speaks of it, and its multiples."""
    if place.points == 0:
        return None
    fact = earning.ActFact(
        occurred_at=at,
        subject=place.code,
        interests=frozenset(interests),
        tier=tier,
        points=place.points,
        is_single=True,
    )
    decisions = earning.decide(rules=rules, fact=fact)
    return (fact, decisions) if decisions else None
