"""Challenges: what members are dared to do, how far they are, and being paid for having done it.

Progress is counted from the facts each time, so a return, a review or an import can never make it
wrong. Completing is a row, once per member and challenge (`challenge_completed_once`), within the
number of winners (`challenge_winners_never_exceeded`), and is never taken back: what is returned
before counts no more, what is returned after changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched

from django.db import transaction
from django.db.models import F, Q, QuerySet

from config.errors import NotFound, Refusal
from loyalty import accounts, awarding, challenge_facts, counting, earning, ledger, tiers
from loyalty.models import (
    Account,
    Challenge,
    ChallengeCompletion,
    ChallengeJoining,
    EarnRule,
    Tier,
)
from members import interactions
from members.models import Interest, Member

BATCH = 500


class ChallengeOver(Refusal):
    code = "challenge_over"
    status = 409


class ChallengeFull(Refusal):
    """As many have won as may win."""

    code = "challenge_full"
    status = 409


@dataclass(frozen=True, slots=True)
class Advanced:
    """What was completed, and the new balances of those who did."""

    completions: Sequence[ChallengeCompletion] = ()
    balances: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody has done it; `completed_at` is the moment of the fact that decided."""

    challenge: Challenge
    member_id: int
    zone: str
    completed_at: datetime


def advance(*, member_ids: Collection[int], at: datetime) -> Advanced:
    """Complete and pay what these members have done by now; call it once their facts are in.

    One query where nobody has. In the transaction of the facts, so that the answer to a check-in
    or a purchase knows the new balance.
    """
    due = _due(sorted(set(member_ids)), now=at)
    if not due:
        return Advanced()
    with ledger.open_book((one.member_id for one in due), now=at) as book:
        # Once more under the locks: somebody else may have paid meanwhile.
        due = _due(sorted(book.accounts), now=at)
        rows = _pay(due, book, now=at)
    winners = sorted({row.member_id for row in rows})
    if winners:
        _remember(rows, now=at)
        tiers.qualify(member_ids=winners, at=at)
    return Advanced(rows, {pk: book.accounts[pk].balance for pk in winners})


def counts_interactions(*, at: datetime) -> bool:
    """Whether any challenge that is on counts what apps and shops report."""
    return challenge_facts.is_counted(counts=Challenge.Counts.INTERACTION, at=at)


def complete_missed(*, now: datetime) -> int:
    """Complete what no verb has noticed: facts loaded from files, terms that were changed."""
    completed = 0
    for batch in batched(challenge_facts.hopefuls(at=now), BATCH):
        with transaction.atomic():
            accounts.lock(list(batch))
            completed += len(advance(member_ids=batch, at=now).completions)
    return completed


def join(*, member: Member, slug: str, now: datetime) -> ChallengeJoining:
    """Take a challenge up; again changes nothing. What was done before counts at once."""
    with transaction.atomic():
        accounts.lock([member.pk])
        challenge = for_member(member).filter(slug=slug).first()
        if challenge is None:
            raise NotFound(f"There is no challenge '{slug}'.")
        row = ChallengeJoining.objects.filter(challenge=challenge, member=member).first()
        if row is not None:
            return row
        if now >= challenge.ends_at:
            raise ChallengeOver("This challenge is over.")
        if winners_left(challenge) == 0:
            raise ChallengeFull("As many have won this challenge as could.")
        row = ChallengeJoining.objects.create(challenge=challenge, member=member, joined_at=now)
        advance(member_ids=[member.pk], at=now)
    return row


def for_member(member: Member) -> "QuerySet[Challenge]":
    """The challenges that speak to a member: open, and for the tier held."""
    return Challenge.objects.filter(
        Q(tiers=[]) | Q(tiers__contains=[tier_of(member)]), is_open=True
    )


def goal_of(challenge: Challenge) -> counting.Goal:
    return counting.Goal(
        how=challenge.how,
        target=challenge.target,
        unit=challenge.unit,
        forgiven=challenge.forgiven,
    )


def fact_of(challenge: Challenge, *, at: datetime, tier: str) -> earning.ActFact:
    return earning.ActFact(
        occurred_at=at,
        subject=challenge.slug,
        interests=frozenset(challenge.interests),
        tier=tier,
        points=challenge.points,
    )


def winners_left(challenge: Challenge) -> int | None:
    most = challenge.max_winners
    return None if most is None else max(most - challenge.winners, 0)


def tier_of(member: Member) -> str:
    account = Account.objects.select_related("tier").filter(pk=member.pk).first()
    return account.tier.slug if account and account.tier else ""


def _due(member_ids: Sequence[int], *, now: datetime) -> list[Due]:
    """Who has done it and has no completion yet, in the order in which they did."""
    due = []
    enough = challenge_facts.enough(member_ids=member_ids, at=now) if member_ids else []
    for challenge, found in enough:
        goal = goal_of(challenge)
        reached_at = counting.progress(
            goal=goal, facts=found.facts, zone=found.zone, now=now
        ).reached_at
        if reached_at is not None:
            due.append(Due(challenge, found.member_id, found.zone, min(reached_at, now)))
    return sorted(due, key=lambda one: (one.completed_at, one.member_id, one.challenge.pk))


def _pay(due: Sequence[Due], book: ledger.Book, *, now: datetime) -> list[ChallengeCompletion]:
    winning = _within_limits(due)
    if not winning:
        return []
    rows = ChallengeCompletion.objects.bulk_create(
        ChallengeCompletion(
            challenge=one.challenge,
            member_id=one.member_id,
            completed_at=one.completed_at,
            recorded_at=now,
        )
        for one in winning
    )
    slugs = dict(Tier.objects.values_list("pk", "slug"))
    claims = [
        awarding.Claim(
            member_id=one.member_id,
            fact_id=row.pk,
            zone=one.zone,
            fact=fact_of(
                one.challenge,
                at=one.completed_at,
                tier=slugs.get(book.accounts[one.member_id].tier_id or 0, ""),
            ),
        )
        for one, row in zip(winning, rows, strict=True)
    ]
    kind = EarnRule.Fact.CHALLENGE
    paid = awarding.award(claims, kind=kind, rules=awarding.rules_of(kind), book=book)
    for row in rows:
        row.points = sum(awarded.points for awarded in paid.get(row.pk, ()))
    ChallengeCompletion.objects.bulk_update(rows, ["points"])
    return rows


def _within_limits(due: Sequence[Due]) -> list[Due]:
    """Count who wins, under the lock of each challenge; the first to have done it come first."""
    winning: list[Due] = []
    locked = Challenge.objects.select_for_update(no_key=True)
    for row in locked.filter(pk__in={one.challenge.pk for one in due}).order_by("pk"):
        mine = [one for one in due if one.challenge.pk == row.pk][: winners_left(row)]
        Challenge.objects.filter(pk=row.pk).update(winners=F("winners") + len(mine))
        winning += mine
    return winning


def _remember(rows: Sequence[ChallengeCompletion], *, now: datetime) -> None:
    """Completing is an interaction of this moment: whoever is paid now is congratulated now."""
    known = dict(Interest.objects.values_list("slug", "pk"))
    facts = [
        interactions.Fact(
            member_id=row.member_id,
            kind="challenge",
            occurred_at=now,
            reference=f"challenge:{row.challenge.slug}",
            category=row.challenge.slug,
            interest_ids=tuple(known[x] for x in row.challenge.interests if x in known),
        )
        for row in rows
    ]
    interactions.record(facts, now=now)
