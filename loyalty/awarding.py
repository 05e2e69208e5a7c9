"""Paying facts: rules decide, caps allow, the book is credited.

The one way from a fact of any kind to points: purchases, check-ins and everything else that earns
come through here, so that each is awarded once per rule (`awarded_once_per_fact`), within every
cap, and on its rule's terms of waiting and expiry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty import caps, earning, ledger
from loyalty.models import EarnRule
from members import prepared
from members.arrays import array


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A fact that asks for points: row `fact_id` of its kind, on a `day` of the member's own."""

    member_id: int
    fact_id: int
    day: date
    fact: earning.Fact


@dataclass(frozen=True, slots=True)
class Awarded:
    rule: str
    points: int
    because: str


type Decided = tuple[Claim, earning.Decision[EarnRule]]


def rules_of(kind: str) -> list[EarnRule]:
    """The rules that award facts of this kind now."""
    return prepared.read(EarnRule, "WHERE is_current AND fact = %s::text", [kind])


def award(
    claims: Sequence[Claim], *, kind: str, rules: Sequence[EarnRule], book: ledger.Book
) -> dict[int, tuple[Awarded, ...]]:
    """Decide and pay these facts of one kind; what each fact (by its id) was given."""
    decided = [
        (claim, decision)
        for claim in claims
        for decision in earning.decide(rules=rules, fact=claim.fact)
    ]
    return pay(decided, kind=kind, book=book)


def pay(
    decided: Sequence[Decided], *, kind: str, book: ledger.Book
) -> dict[int, tuple[Awarded, ...]]:
    """Credit what was decided, as far as caps allow."""
    allowance = caps.Allowance((d.rule, claim.member_id, claim.day) for claim, d in decided)
    granted: list[tuple[Claim, earning.Decision[EarnRule], int]] = []
    for claim, decision in decided:
        points = allowance.allow(
            rule=decision.rule,
            member_id=claim.member_id,
            day=claim.day,
            points=decision.points,
        )
        if points:
            granted.append((claim, decision, points))
    allowance.save()
    award_ids = _insert(granted, kind)
    result: dict[int, tuple[Awarded, ...]] = {}
    for claim, decision, points in granted:
        rule = decision.rule
        _credit(
            book=book,
            rule=rule,
            member_id=claim.member_id,
            points=points,
            award_id=award_ids[claim.fact_id, rule.id],
            at=claim.fact.occurred_at,
        )
        capped = " (up to the cap)" if points < decision.points else ""
        said = Awarded(rule.slug, points, decision.because + capped)
        result[claim.fact_id] = (*result.get(claim.fact_id, ()), said)
    return result


def _credit(
    *, book: ledger.Book, rule: EarnRule, member_id: int, points: int, award_id: int, at: datetime
) -> None:
    book.earn(
        member_id=member_id,
        points=points,
        at=at,
        award_id=award_id,
        available_at=at + timedelta(days=rule.pending_days) if rule.pending_days else None,
        expires_at=earning.months_later(moment=at, months=rule.valid_months)
        if rule.valid_months
        else None,
    )


def _insert(
    granted: Sequence[tuple[Claim, earning.Decision[EarnRule], int]], kind: str
) -> dict[tuple[int, int], int]:
    """Write the awards: {(fact, rule): id}."""
    if not granted:
        return {}
    written = prepared.execute(
        _INSERT,
        [
            kind,
            array(claim.member_id for claim, _, _ in granted),
            array(decision.rule.id for _, decision, _ in granted),
            array(claim.fact_id for claim, _, _ in granted),
            array(points for _, _, points in granted),
            array(decision.base for _, decision, _ in granted),
            array(f"{{{','.join(map(str, decision.lines))}}}" for _, decision, _ in granted),
        ],
        rows=len(granted),
    )
    return {(fact_id, rule_id): pk for pk, fact_id, rule_id in written}


# One row's lines are an array within an array of rows: written as text, cast row by row.
_INSERT = """
INSERT INTO loyalty_award (member_id, rule_id, fact, fact_id, points, taken_back, base, lines)
SELECT g.member_id, g.rule_id, %s::text, g.fact_id, g.points, 0, g.base, g.lines::smallint[]
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::numeric[], %s::text[])
       AS g(member_id, rule_id, fact_id, points, base, lines)
RETURNING id, fact_id, rule_id
"""
