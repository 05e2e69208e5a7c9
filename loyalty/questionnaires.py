"""Surveys that earn: what each offers a member, and paying who answered.

Questions and answers are the members floor's; here an answered survey is a fact like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty import awarding, earning, ledger, tiers
from loyalty.models import Account, EarnRule
from members import surveys
from members.models import Member, Survey

SURVEY = EarnRule.Fact.SURVEY


@dataclass(frozen=True, slots=True)
class Offered:
    """A survey as one member sees it; `points` is what answering gives, before interests."""

    survey: Survey
    points: int


@dataclass(frozen=True, slots=True)
class Answered:
    points: int
    balance: int


def offered(*, member: Member, now: datetime) -> list[Offered]:
    """The surveys that wait for this member; a constant number of queries."""
    rules = awarding.rules_of(SURVEY)
    account = Account.objects.select_related("tier").filter(pk=member.pk).first()
    tier = account.tier.slug if account and account.tier else ""
    return [
        Offered(survey, _worth(rules, survey.slug, tier=tier, now=now))
        for survey in surveys.open_to(member=member, now=now)
    ]


def answer(*, member: Member, slug: str, answers: Mapping[str, Any], now: datetime) -> Answered:
    """Record a member's answers and pay for them, as `surveys.submit` allows."""
    with ledger.open_book([member.pk], now=now) as book:
        submission, taught = surveys.submit(member=member, slug=slug, answers=answers, now=now)
        fact = earning.ActFact(
            occurred_at=now,
            subject=slug,
            interests=frozenset(taught),
            tier=awarding.tier_of(member.pk, book=book),
        )
        points = awarding.act(
            member=member, kind=SURVEY, fact_id=submission.pk, fact=fact, book=book
        )
    tiers.qualify(member_ids=[member.pk], at=now)
    return Answered(points, book.accounts[member.pk].balance)


def _worth(rules: list[EarnRule], slug: str, *, tier: str, now: datetime) -> int:
    fact = earning.ActFact(occurred_at=now, subject=slug, interests=frozenset(), tier=tier)
    return sum(decision.points for decision in earning.decide(rules=rules, fact=fact))
