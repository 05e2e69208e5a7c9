"""Which version of a step fits whom: of those that fit a member the most specific one wins.

Language comes first, because a text one cannot read is worth nothing; then interest, then tier.
Planning asks the same of everybody at once (`choosing_sql`). A version that is learned is chosen
among those in the best language there is for the member, whatever they love.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Step, Variant
from loyalty.models import Account
from members import scoring
from members.models import InterestEvidence, InterestStatement, Member


@dataclass(frozen=True, slots=True, order=True)
class Reader:
    """Readers whom a step's versions tell apart, by the language and the tier that versions are
    for; '' and 0 are all others."""

    language: str = ""
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What decides which version a member gets; `loves` are interests that the step has versions
    for, the most loved first."""

    reader: Reader
    loves: tuple[int, ...]


def readers(variants: Iterable[Variant]) -> list[Reader]:
    """All kinds of readers of these versions, the least specific first."""
    languages, tiers = {""}, {0}
    for variant in variants:
        languages.add(variant.language or "")
        tiers.add(variant.tier_id or 0)
    return sorted(Reader(language, tier) for language in languages for tier in tiers)


def best(variants: Iterable[Variant], *, reading: Reading) -> Variant:
    """The most specific version that fits; there always is one for everybody."""
    places = {interest: place for place, interest in enumerate(reading.loves)}

    def specific(variant: Variant) -> tuple[bool, int, bool]:
        place = places.get(variant.interest_id or 0, len(places))
        return variant.language is None, place, variant.tier_id is None

    loved = {None, *places}
    fitting = [each for each in _fitting(variants, reading.reader) if each.interest_id in loved]
    return min(fitting, key=specific)


def arms(variants: Iterable[Variant], *, reader: Reader) -> list[Variant]:
    """Whom learning chooses among: of the versions in the best language one for each interest,
    that of the reader's tier if there is one; by id."""
    fitting = _fitting(variants, reader)
    readable = [each for each in fitting if each.language is not None] or fitting
    # Those of a tier come last and take the place of those of any.
    ordered = sorted(readable, key=lambda each: each.tier_id is not None)
    return sorted({each.interest_id: each for each in ordered}.values(), key=lambda each: each.pk)


def readings(step: Step, *, members: Sequence[Member], at: datetime) -> dict[int, Reading]:
    """{member: what decides which version of the step they get}."""
    variants = list(step.variants.all())
    known = set(readers(variants))
    languages, tiers = {each.language for each in known}, {each.tier for each in known}
    accounts = Account.objects.filter(member__in=[member.pk for member in members])
    held = dict(accounts.values_list("member_id", "tier_id"))
    loved = _loves(variants, members=members, at=at)
    return {
        member.pk: Reading(
            Reader(
                member.language if member.language in languages else "",
                tier if (tier := held.get(member.pk) or 0) in tiers else 0,
            ),
            loved[member.pk],
        )
        for member in members
    }


def _fitting(variants: Iterable[Variant], reader: Reader) -> list[Variant]:
    return [
        each
        for each in variants
        if each.language in {None, reader.language} and each.tier_id in {None, reader.tier}
    ]


def _loves(
    variants: Iterable[Variant], *, members: Sequence[Member], at: datetime
) -> dict[int, tuple[int, ...]]:
    interests = {each.interest_id for each in variants if each.interest_id is not None}
    scores: dict[int, dict[int, tuple[bool, float, int]]] = {m.pk: {} for m in members}
    facts = InterestEvidence.objects.filter(member__in=scores, interest__in=interests)
    for row in facts.masses(at=at):
        value = scoring.score(mass=float(row["total"]))
        scores[row["member_id"]][row["interest_id"]] = (False, value, -row["interest_id"])
    for said in InterestStatement.objects.filter(member__in=scores, interest__in=interests):
        is_sure = said.level >= scoring.STATED_LEVEL
        scores[said.member_id][said.interest_id] = (is_sure, said.level, -said.interest_id)
    return {pk: _in_order(found) for pk, found in scores.items()}


def _in_order(scores: dict[int, tuple[bool, float, int]]) -> tuple[int, ...]:
    loved = [pk for pk, said in scores.items() if said[1] >= scoring.LEAST_SCORE]
    return tuple(sorted(loved, key=scores.__getitem__, reverse=True))
