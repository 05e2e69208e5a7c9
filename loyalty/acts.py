"""Acts that earn by their name: interactions of the kinds that a rule of fact `interaction` names.

What apps and shops report is paid as it is recorded, in the same transaction. What Cairn itself
records on any floor (a birthday, a completed profile, a new tier) and what files bring is paid by a
sweep. Either way an interaction is paid once per rule, and what is told late teaches but earns
nothing: who tells of many days at once must not get the caps of all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty import awarding, earning, ledger, tiers
from loyalty.models import EarnRule
from members import interactions, prepared
from members.arrays import array

EARNS_FOR = timedelta(days=7)
SWEPT_FOR = timedelta(days=2)
BATCH = 500
NAMED = EarnRule.Fact.INTERACTION


@dataclass(frozen=True, slots=True)
class Recorded:
    """`points` are those of each member to whom the new interactions gave some."""

    recorded: int
    repeated: int
    points: dict[int, int]


def record(facts: Sequence[interactions.Fact], *, now: datetime) -> Recorded:
    """Record what was done, each once, and pay what earns; a constant number of statements."""
    rules = awarding.rules_of(NAMED)
    kinds = set(_kinds(rules))
    members = {fact.member_id for fact in facts if fact.kind in kinds}
    if not members:
        done = interactions.record(facts, now=now)
        return Recorded(done.recorded, done.repeated, {})
    with ledger.open_book(members, now=now) as book:
        done = interactions.record(facts, now=now)
        paid = _pay(done.ids, rules=rules, book=book)
    return Recorded(done.recorded, done.repeated, _by_member(paid, now=now))


def pay_recent(*, now: datetime) -> int:
    """Pay what was recorded of late and is not paid yet; returns how many interactions were.

    What earns nothing, because of a cap or a condition, is looked at again until it is too old.
    """
    rules = awarding.rules_of(NAMED)
    total = last = 0
    while rules and (waiting := _unpaid(_kinds(rules), after=last, now=now)):
        with ledger.open_book({member_id for _, member_id in waiting}, now=now) as book:
            paid = _pay([pk for pk, _ in waiting], rules=rules, book=book)
        _by_member(paid, now=now)
        total += len(paid)
        last = waiting[-1][0]
    return total


def _kinds(rules: Iterable[EarnRule]) -> list[str]:
    return sorted({kind for rule in rules for kind in rule.subjects})


def _by_member(paid: Sequence[tuple[int, int]], *, now: datetime) -> dict[int, int]:
    """{member: points} of (member, points), each with the tier they are due."""
    points: dict[int, int] = {}
    for member_id, given in paid:
        points[member_id] = points.get(member_id, 0) + given
    if points:
        tiers.qualify(member_ids=list(points), at=now)
    return points


def _unpaid(kinds: Sequence[str], *, after: int, now: datetime) -> list[tuple[int, int]]:
    """The next (interaction, member) that no rule has paid."""
    values = [now - SWEPT_FOR, now - EARNS_FOR, array(kinds), after, BATCH]
    return [(pk, member_id) for pk, member_id in prepared.execute(_UNPAID, values)]


def _pay(
    ids: Sequence[int], *, rules: Sequence[EarnRule], book: ledger.Book
) -> list[tuple[int, int]]:
    """Pay these interactions under the open book of their members: (member, points) of each."""
    given = [array(ids), array(_kinds(rules)), book.now - EARNS_FOR]
    rows = prepared.execute(_CLAIMS, given, rows=len(ids))
    claims = [
        awarding.Claim(
            member_id=member_id,
            fact_id=pk,
            zone=zone,
            fact=earning.ActFact(
                occurred_at=occurred_at,
                subject=kind,
                interests=frozenset(interests),
                tier=tier or "",
            ),
        )
        for pk, member_id, kind, occurred_at, zone, tier, interests in rows
    ]
    owner = {claim.fact_id: claim.member_id for claim in claims}
    paid = awarding.award(claims, kind=NAMED, rules=rules, book=book)
    return [(owner[pk], sum(a.points for a in awarded)) for pk, awarded in paid.items()]


_NOT_PAID = (
    "NOT EXISTS (SELECT FROM loyalty_award w WHERE w.fact = 'interaction' AND w.fact_id = i.id)"
)
_UNPAID = f"""
SELECT i.id, i.member_id
  FROM members_interaction i
  JOIN members_interactionkind k ON k.id = i.kind_id
  JOIN members_member m ON m.id = i.member_id AND m.merged_into_id IS NULL
 WHERE i.recorded_at >= %s AND i.occurred_at >= %s AND k.slug = ANY(%s::text[]) AND i.id > %s
   AND {_NOT_PAID}
 ORDER BY i.id LIMIT %s
"""
# Read under the accounts' locks: who paid meanwhile is seen here.
_CLAIMS = f"""
SELECT i.id, i.member_id, k.slug, i.occurred_at, m.zone, t.slug,
       ARRAY(SELECT slug::text FROM members_interest WHERE id = ANY(i.interests))
  FROM members_interaction i
  JOIN members_interactionkind k ON k.id = i.kind_id
  JOIN members_member m ON m.id = i.member_id
  LEFT JOIN loyalty_account a ON a.member_id = i.member_id
  LEFT JOIN loyalty_tier t ON t.id = a.tier_id
 WHERE i.id = ANY(%s::bigint[]) AND k.slug = ANY(%s::text[]) AND i.occurred_at >= %s
   AND {_NOT_PAID}
 ORDER BY i.id
"""
