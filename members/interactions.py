"""Recording what members do.

An interaction is written once per (member, kind, reference), teaches its interests in the same
transaction, and waits in a short queue until campaigns have looked at it. Facts from long ago
(imports) teach but ask for no answer: nobody wants a greeting for last year's walk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction

from config.errors import Invalid
from members import interests, prepared, webhooks
from members.arrays import array
from members.models import InteractionKind

ANSWERABLE_FOR = timedelta(days=2)
MOST_PER_CALL = 500
EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
CLOCK_SKEW = timedelta(minutes=5)
NOT_NULL_VIOLATION = "23502"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing a member did; `reference` is the source's own name for it."""

    member_id: int
    kind: str
    occurred_at: datetime
    reference: str
    interest_ids: tuple[int, ...] = ()
    sku: str | None = None
    category: str | None = None
    place: str | None = None
    campaign: str | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """`ids` are the rows that were new, in no particular order."""

    recorded: int
    repeated: int
    ids: tuple[int, ...] = ()


class UnknownKind(Invalid):
    code = "unknown_kind"


def kinds(*, open_only: bool = False) -> dict[str, InteractionKind]:
    """Every kind by slug; `open_only` leaves those that apps and shops may report."""
    rows = InteractionKind.objects.all()
    return {kind.slug: kind for kind in (rows.filter(is_open=True) if open_only else rows)}


def check_time(*, occurred_at: datetime, now: datetime, pointer: str = "/occurred_at") -> None:
    """Refuse a fact from the future (beyond a clock's error) or from before all records."""
    if occurred_at > now + CLOCK_SKEW:
        raise Invalid("This lies in the future.", pointer=pointer)
    if occurred_at < EARLIEST:
        raise Invalid("This lies before 1970.", pointer=pointer)


def record(facts: Sequence[Fact], *, now: datetime) -> Recorded:
    """Record facts, skipping those already known; teach; queue the fresh ones for an answer.

    One statement, whatever the number of facts. `UnknownKind` where one of them has none.
    """
    if not facts:
        return Recorded(0, 0)
    columns: list[list[object]] = [[] for _ in range(10)]
    for fact in facts:
        values = (
            fact.member_id,
            fact.kind,
            fact.occurred_at,
            fact.reference,
            f"{{{','.join(map(str, sorted(set(fact.interest_ids))))}}}",
            fact.sku,
            fact.category,
            fact.place,
            fact.campaign,
            fact.value,
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    try:
        with transaction.atomic(savepoint=False):
            given = [*map(array, columns), now, now - ANSWERABLE_FOR]
            written = prepared.execute(_RECORD, given, rows=len(facts))
            ids = tuple(row[0] for row in written)
    except IntegrityError as error:
        if getattr(error.__cause__, "sqlstate", None) != NOT_NULL_VIOLATION:
            raise
        said = ", ".join(sorted({fact.kind for fact in facts}))
        raise UnknownKind(f"One of these is no kind of interaction: {said}.") from error
    return Recorded(recorded=len(ids), repeated=len(facts) - len(ids), ids=ids)


# What is too old to be answered is not announced either.
_FRESH = """(SELECT written.*, k.slug AS kind, occurred_at AS at
               FROM written
               JOIN queued ON queued.interaction_id = written.id
               JOIN members_interactionkind k ON k.id = written.kind_id)"""
_TOLD = """'reference', fact.reference, 'sku', fact.sku, 'category', fact.category,
           'place', fact.place, 'campaign', fact.campaign, 'value', fact.value::text"""
# Arrays instead of a VALUES list: one prepared shape for any number of facts.
_RECORD = f"""
WITH given AS (
    SELECT g.*, k.id AS kind_id FROM unnest(
        %s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[]
    ) AS g(member_id, kind, occurred_at, reference, interests,
           sku, category, place, campaign, value)
      LEFT JOIN members_interactionkind k ON k.slug = g.kind
), written AS (
    INSERT INTO members_interaction
        (member_id, kind_id, occurred_at, recorded_at, reference, interests,
         sku, category, place, campaign, value)
    SELECT member_id, kind_id, occurred_at, %s, reference, interests::smallint[],
           sku, category, place, campaign, value
      FROM given
     ORDER BY member_id, kind_id, reference
    ON CONFLICT (member_id, kind_id, reference) DO NOTHING
    RETURNING *
), taught AS (
    {interests.folding("written")}
), queued AS (
    INSERT INTO members_unansweredinteraction (interaction_id)
    SELECT id FROM written WHERE occurred_at >= %s
    RETURNING interaction_id
), announced AS (
    {webhooks.planning(_FRESH, family="interaction", facts=_TOLD)}
)
SELECT id FROM written
"""
