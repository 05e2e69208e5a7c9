"""How far members are with their challenges: for one of them, and for staff who look at all."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet

from loyalty import awarding, challenge_facts, challenges, counting, earning
from loyalty.models import Challenge, ChallengeJoining, EarnRule
from members.models import Member

MOST = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A challenge as one member sees it; `points` is what completing it gives, or gave."""

    challenge: Challenge
    progress: counting.Progress
    joined_at: datetime | None
    completed_at: datetime | None
    points: int
    winners_left: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a challenge goes, for staff; `leading` are (member id, progress) of who is on the way."""

    joined: int
    on_the_way: int
    completed: int
    leading: list[tuple[int, counting.Progress]]


def listed(*, member: Member, now: datetime) -> list[Listed]:
    """What is on or to come for this member, soonest to end first; a constant number of queries."""
    rows = list(
        challenges.for_member(member)
        .filter(ends_at__gt=now)
        .select_related("collection")
        .order_by("ends_at", "pk")[:MOST]
    )
    joined = dict(
        ChallengeJoining.objects.filter(member=member).values_list("challenge", "joined_at")
    )
    completed = {one.challenge_id: one for one in member.challenge_completions.all()}
    facts = {
        found.challenge_id: found.facts
        for found in challenge_facts.of(challenges=rows, member_ids=[member.pk])
    }
    rules = awarding.rules_of(EarnRule.Fact.CHALLENGE)
    tier = challenges.tier_of(member)
    result = []
    for challenge in rows:
        won = completed.get(challenge.pk)
        progress = counting.progress(
            goal=challenges.goal_of(challenge),
            facts=facts.get(challenge.pk, ()),
            zone=member.zone,
            now=now,
        )
        fact = challenges.fact_of(challenge, at=max(now, challenge.starts_at), tier=tier)
        offer = sum(d.points for d in earning.decide(rules=rules, fact=fact))
        result.append(
            Listed(
                challenge=challenge,
                progress=replace(progress, done=challenge.target) if won else progress,
                joined_at=joined.get(challenge.pk),
                completed_at=won.completed_at if won else None,
                points=won.points if won else offer,
                winners_left=challenges.winners_left(challenge),
            )
        )
    return result


def standing(*, challenge: Challenge, members: "QuerySet[Member]", now: datetime) -> Standing:
    """How these members are doing; `leading` are the first of those on the way."""
    begun, found = challenge_facts.under_way(challenge=challenge, members=members, most=MOST)
    until = min(now, challenge.ends_at)
    leading = [
        (
            one.member_id,
            counting.progress(
                goal=challenges.goal_of(challenge), facts=one.facts, zone=one.zone, now=until
            ),
        )
        for one in found
    ]
    return Standing(
        joined=challenge.joinings.filter(member__in=members).count(),
        on_the_way=begun,
        completed=challenge.completions.filter(member__in=members).count(),
        leading=sorted(leading, key=lambda pair: (-pair[1].done, pair[0])),
    )
