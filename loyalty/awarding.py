"""Paying facts: rules decide, caps allow, the book is credited.

The one way from a fact of any kind to points: purchases, check-ins and everything else that earns
come through here, so that each is awarded once per rule (`awarded_once_per_fact`), within every
cap, and on its rule's terms of waiting and expiry.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from loyalty import caps, catalog, earning, ledger, periods
from loyalty.models import EarnRule, Tier
from members import prepared
from members.arrays import array
from members.models import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A fact that asks for points: row `fact_id` of its kind; `zone` is the member's, for caps.

    Of goods that were taken along nothing awaits a shipment.
    """

    member_id: int
    fact_id: int
    zone: str
    fact: earning.Fact
    is_taken_along: bool = False

    @property
    def day(self) -> date:
        return self.fact.occurred_at.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Awarded:
    rule: str
    points: int
    because: str


type Decided = tuple[Claim, earning.Decision[EarnRule]]


def rules_of(kind: str) -> list[EarnRule]:
    """Every published version of the rules for facts of this kind; `earning` picks by moment."""
    return prepared.read(EarnRule, f"WHERE {_OF_KIND}", [kind])


def rules_and_catalog(*, kind: str, skus: Iterable[str]) -> tuple[list[EarnRule], catalog.Catalog]:
    """`rules_of` and `catalog.look_up` in one query: every purchase asks both."""
    wanted = catalog.named(skus)
    rules: list[EarnRule] = []
    things: list[Sequence[Any]] = []
    for row in prepared.execute(_RULES_AND_CATALOG, [kind, array(wanted)], rows=len(wanted)):
        rule = prepared.made(EarnRule, row)
        if rule is None:
            things.append(row[-_LOOKED_UP:])
        else:
            rules.append(rule)
    return rules, catalog.read(things)


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


def act(
    *, member: Member, kind: str, fact_id: int, fact: earning.ActFact, book: ledger.Book
) -> int:
    """Award one act of a member under its open book; returns the points given."""
    claim = Claim(member_id=member.pk, fact_id=fact_id, zone=member.zone, fact=fact)
    paid = award([claim], kind=kind, rules=rules_of(kind), book=book)
    return sum(awarded.points for awarded in paid.get(fact_id, ()))


def tier_of(member_id: int, *, book: ledger.Book) -> str:
    """The slug of the tier a member of the book holds, or empty."""
    held = book.accounts[member_id].tier_id
    if held is None:
        return ""
    return Tier.objects.values_list("slug", flat=True).get(pk=held)


def settle(
    decisions: Sequence[earning.Decision[EarnRule]],
    *,
    fact: earning.Fact,
    allow: Callable[..., int],
) -> list[tuple[earning.Decision[EarnRule], int]]:
    """What these decisions on one fact come to within caps: (decision, points), without zeros.

    A rule that multiplies others, which `earning` puts last, multiplies what caps let through.
    """
    granted: list[tuple[earning.Decision[EarnRule], int]] = []
    for decision in decisions:
        found: earning.Decision[EarnRule] | None = decision
        if decision.rule.per == EarnRule.Per.POINT:
            found = earning.multiplied(rule=decision.rule, given=granted, fact=fact)
        points = allow(rule=found.rule, points=found.points) if found else 0
        if found and points:
            granted.append((found, points))
    return granted


def pay(
    decided: Sequence[Decided], *, kind: str, book: ledger.Book
) -> dict[int, tuple[Awarded, ...]]:
    """Credit what was decided, as far as caps allow."""
    allowance = caps.Allowance((d.rule, claim.member_id, claim.day) for claim, d in decided)
    granted: list[tuple[Claim, earning.Decision[EarnRule], int]] = []
    for _, of_one in groupby(decided, key=lambda pair: pair[0].fact_id):
        pairs = list(of_one)
        claim = pairs[0][0]
        within = partial(allowance.allow, member_id=claim.member_id, day=claim.day)
        for decision, points in settle([d for _, d in pairs], fact=claim.fact, allow=within):
            granted.append((claim, decision, points))
    allowance.save()
    award_ids = _insert(granted, kind)
    result: dict[int, tuple[Awarded, ...]] = {}
    for claim, decision, points in granted:
        rule = decision.rule
        _credit(book, claim, rule, points, award_ids[claim.fact_id, rule.id])
        capped = " (up to the cap)" if points < decision.points else ""
        said = Awarded(rule.slug, points, decision.because + capped)
        result[claim.fact_id] = (*result.get(claim.fact_id, ()), said)
    return result


def _credit(book: ledger.Book, claim: Claim, rule: EarnRule, points: int, award_id: int) -> None:
    at = claim.fact.occurred_at
    expires_at = None
    if rule.valid_months:
        expires_at = periods.months_later(moment=at, months=rule.valid_months)
        if rule.valid_to_end_of:
            expires_at = periods.end_of(
                moment=expires_at, period=rule.valid_to_end_of, zone=claim.zone
            )
    book.earn(
        member_id=claim.member_id,
        points=points,
        at=at,
        award_id=award_id,
        available_at=at + timedelta(days=rule.pending_days) if rule.pending_days else None,
        awaits_shipment=rule.is_pending_shipment and not claim.is_taken_along,
        expires_at=expires_at,
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


_OF_KIND = "is_published AND fact = %s::text"
_LOOKED_UP = 6  # columns
# Two lists that have nothing in common, one after the other.
_RULES_AND_CATALOG = f"""
SELECT {prepared.columns(EarnRule, of="r")}, i.*
  FROM (SELECT * FROM loyalty_earnrule WHERE {_OF_KIND}) AS r
  FULL JOIN ({catalog.LOOK_UP}) AS i ON false
"""
# One row's lines are an array within an array of rows: written as text, cast row by row.
_INSERT = """
INSERT INTO loyalty_award (member_id, rule_id, fact, fact_id, points, taken_back, base, lines)
SELECT g.member_id, g.rule_id, %s::text, g.fact_id, g.points, 0, g.base, g.lines::smallint[]
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::numeric[], %s::text[])
       AS g(member_id, rule_id, fact_id, points, base, lines)
RETURNING id, fact_id, rule_id
"""
