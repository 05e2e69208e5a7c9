"""Learning which pursuit a member loves, and showing from which facts.

Every interaction teaches at once: its interests' evidence rows are folded forward in the same
transaction. A rebuild from the interactions gives the same numbers (to rounding). The member's
own word outranks all inference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from config.errors import Invalid
from members import scoring
from members.models import Interest, InterestEvidence, InterestStatement, Member


@dataclass(frozen=True, slots=True)
class Evidence:
    """One kind of fact behind a score; `share` is its part of the inferred mass, 0 to 1."""

    kind: str
    name: str
    facts: int
    last_at: datetime
    share: float


@dataclass(frozen=True, slots=True)
class Score:
    """How much a member loves one interest, 0 to 1, and why."""

    interest: Interest
    score: float
    is_stated: bool
    evidence: tuple[Evidence, ...]


def folding(source: str) -> str:
    """SQL that folds interactions into the evidence: those of `source`, a table or a WITH of newly
    recorded ones. Each interaction must be folded once, in the transaction that records it."""
    return _FOLD.format(source=source)


def rebuild(*, member_ids: Sequence[int] | None = None) -> int:
    """Recompute the evidence of these members (or all) from their interactions; rows written."""
    which, values = (
        ("true", []) if member_ids is None else ("member_id = ANY(%s)", [list(member_ids)])
    )
    with transaction.atomic(), connection.cursor() as cursor:
        # Nobody may teach between the deletion and the new sum.
        cursor.execute("LOCK TABLE members_interestevidence IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM members_interestevidence WHERE " + which, values)
        of_them = f"(SELECT * FROM members_interaction WHERE {which})"
        cursor.execute(folding(of_them), values)
        return int(cursor.rowcount)


def profile(*, member: Member, at: datetime) -> list[Score]:
    """Every interest the member shows, best first: what was stated with conviction
    comes before everything inferred."""
    rows = (
        InterestEvidence.objects.filter(member=member)
        .weighed(at=at)
        .select_related("interest", "kind")
    )
    by_interest: dict[Interest, list[InterestEvidence]] = {}
    for row in rows:
        by_interest.setdefault(row.interest, []).append(row)
    stated = {
        statement.interest: statement.level
        for statement in InterestStatement.objects.filter(member=member).select_related("interest")
    }
    scores = [
        _score(interest, by_interest.get(interest, []), stated.get(interest))
        for interest in {**by_interest, **stated}
    ]
    return sorted(
        scores,
        key=lambda s: (
            not (s.is_stated and s.score >= scoring.STATED_LEVEL),
            -s.score,
            s.interest.slug,
        ),
    )


def state(*, member: Member, levels: Mapping[str, float], now: datetime) -> None:
    """Replace the member's own word: {slug: level 0 to 1}. Slugs left out are no longer stated."""
    known = {interest.slug: interest for interest in Interest.objects.filter(slug__in=levels)}
    for slug, level in levels.items():
        if slug not in known:
            raise Invalid(f"There is no interest '{slug}'.", pointer=f"/interests/{slug}")
        if not 0 <= level <= 1:
            raise Invalid("A level lies between 0 and 1.", pointer=f"/interests/{slug}")
    with transaction.atomic():
        InterestStatement.objects.filter(member=member).exclude(interest__slug__in=levels).delete()
        InterestStatement.objects.bulk_create(
            [
                InterestStatement(member=member, interest=known[slug], level=level, stated_at=now)
                for slug, level in levels.items()
            ],
            update_conflicts=True,
            unique_fields=["member", "interest"],
            update_fields=["level", "stated_at"],
        )


def _score(interest: Interest, rows: list[InterestEvidence], stated: float | None) -> Score:
    masses: list[tuple[InterestEvidence, float]] = [
        (row, float(getattr(row, "weighed", 0.0))) for row in rows
    ]
    total = sum(mass for _, mass in masses)
    evidence = tuple(
        Evidence(
            kind=row.kind.slug,
            name=row.kind.name,
            facts=row.facts,
            last_at=row.last_at,
            share=mass / total if total else 0.0,
        )
        for row, mass in sorted(masses, key=lambda pair: -pair[1])
    )
    inferred = scoring.score(mass=total)
    return Score(
        interest=interest,
        score=inferred if stated is None else stated,
        is_stated=stated is not None,
        evidence=evidence,
    )


# The same statement teaches one interaction and rebuilds a million members.
_FOLD = """
INSERT INTO members_interestevidence AS e
       (member_id, interest_id, kind_id, mass, facts, as_of, last_at)
SELECT member_id, interest_id, kind_id,
       sum(power(0.5::float8, least(
           extract(epoch FROM (latest - occurred_at))::float8 / 86400 / half_life_days, 900))),
       count(*), latest, latest
  FROM (
    SELECT i.member_id, taught.interest_id, i.kind_id, i.occurred_at, k.half_life_days,
           max(i.occurred_at) OVER (PARTITION BY i.member_id, taught.interest_id, i.kind_id)
               AS latest
      FROM {source} AS i
      JOIN members_interactionkind k ON k.id = i.kind_id
     CROSS JOIN LATERAL unnest(i.interests) AS taught(interest_id)
  ) AS facts
 GROUP BY member_id, interest_id, kind_id, latest
 ORDER BY member_id, interest_id, kind_id
ON CONFLICT (member_id, interest_id, kind_id) DO UPDATE
   SET (mass, facts, as_of, last_at) = (
       SELECT e.mass * power(0.5::float8, least(greatest(gap, 0), 900))
                  + excluded.mass * power(0.5::float8, least(greatest(-gap, 0), 900)),
              e.facts + excluded.facts,
              greatest(e.as_of, excluded.as_of),
              greatest(e.last_at, excluded.last_at)
         FROM (SELECT extract(epoch FROM (excluded.as_of - e.as_of))::float8
                      / 86400 / half_life_days AS gap
                 FROM members_interactionkind WHERE id = excluded.kind_id) AS half_lives)
"""
