"""What counts for challenges, read from the facts themselves: nothing here can drift.

One statement for any number of challenges and members. A check-in counts when it was awarded, or
got no points only because there were none to get, and a place counts once a local day; an outing
counts for who came; a purchase counts while a line of it that fits is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from loyalty import counting
from loyalty.models import Challenge
from members import prepared
from members.arrays import array
from members.models import Member

# A check-in may be accepted, a purchase loaded, so long after the end and still count.
LATE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Found:
    """The facts of one member for one challenge."""

    challenge_id: int
    member_id: int
    zone: str
    facts: tuple[counting.Fact, ...]


def of(*, challenges: Sequence[Challenge], member_ids: Sequence[int]) -> list[Found]:
    """Every fact of these members; who has none is left out."""
    if not challenges or not member_ids:
        return []
    values = [array(challenge.pk for challenge in challenges), array(member_ids)]
    return [_read(row) for row in prepared.execute(_OF, values, rows=len(member_ids))]


def enough(*, member_ids: Sequence[int], at: datetime) -> list[tuple[Challenge, Found]]:
    """The facts of those who may win what is on and have at least as many of them as it takes.

    One query, whatever is on: it is asked within every purchase.
    """
    rows = prepared.execute(_ENOUGH, [at, at - LATE, array(member_ids)], rows=len(member_ids))
    found = []
    for row in rows:
        challenge = prepared.made(Challenge, row[_FACTS_COLUMNS:])
        if challenge is not None:
            found.append((challenge, _read(row)))
    return found


def hopefuls(*, at: datetime) -> list[int]:
    """Of all members those who may win something and have at least as many facts as it takes."""
    with connection.cursor() as cursor:
        cursor.execute(_HOPEFULS, [at, at - LATE])
        return [row[0] for row in cursor.fetchall()]


def is_counted(*, counts: str, at: datetime) -> bool:
    """Whether anything that is on counts facts of this kind."""
    ((is_on,),) = prepared.execute(_IS_COUNTED, [at, at - LATE, counts])
    return bool(is_on)


def under_way(
    *, challenge: Challenge, members: QuerySet[Member], most: int
) -> tuple[int, list[Found]]:
    """How many of these members may win and have begun, and the facts of those with the most."""
    who, values = members.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT f.*, count(*) OVER () FROM ({_facts(who, _MAY_WIN)}) AS f"
            " ORDER BY cardinality(f.at) DESC, f.member_id LIMIT %s",
            [[challenge.pk], *values, most],
        )
        rows = cursor.fetchall()
    return (rows[0][-1] if rows else 0), [_read(row) for row in rows]


def _read(row: tuple[Any, ...]) -> Found:
    challenge_id, member_id, zone, moments, things = row[:_FACTS_COLUMNS]
    facts = tuple(map(counting.Fact, moments, things))
    return Found(challenge_id, member_id, zone, facts)


def _facts(who: str, *conditions: str, asked: str = "id = ANY(%s::bigint[])") -> str:
    """SQL: a row for each challenge asked for and each member who did something for it."""
    return f"""
WITH asked AS (SELECT * FROM loyalty_challenge WHERE {asked}),
who(member_id) AS ({who}),
done AS ({_DONE})
SELECT d.challenge_id, d.member_id, m.zone,
       array_agg(d.at ORDER BY d.at, d.thing) AS at,
       array_agg(d.thing ORDER BY d.at, d.thing) AS thing
  FROM done d
  JOIN asked ch ON ch.id = d.challenge_id
  JOIN members_member m ON m.id = d.member_id AND m.erased_at IS NULL AND m.merged_into_id IS NULL
 {" ".join(conditions)}
"""


_FACTS_COLUMNS = 5
# What can be completed at a moment: late facts of what is over are waited for.
_ON = """is_open AND starts_at <= %s::timestamptz AND ends_at > %s::timestamptz
         AND (max_winners IS NULL OR winners < max_winners)"""
_EVERYBODY = "SELECT id FROM members_member WHERE erased_at IS NULL AND merged_into_id IS NULL"
_THESE = "SELECT unnest(%s::bigint[])"
# Of each kind: which challenge, who, when, and the place or category it was about. Which
# check-ins count is said by `CheckIn.objects.counted()` too.
_DONE = """
SELECT * FROM (
    SELECT DISTINCT ON (ch.id, c.member_id, c.place_id, c.local_day)
           ch.id AS challenge_id, c.member_id, c.occurred_at AS at, p.code AS thing
      FROM asked ch
      JOIN who ON ch.counts = 'check_in'
      JOIN loyalty_checkin c ON c.member_id = who.member_id
           AND c.occurred_at >= ch.starts_at AND c.occurred_at < ch.ends_at
           AND (c.status = 'awarded' OR (c.status = 'no_award' AND (c.reason = 'reviewed' OR (
                NOT c.is_mocked AND c.reason IN ('limit_reached', 'no_points_here')))))
      JOIN loyalty_place p ON p.id = c.place_id
     WHERE (ch.collection_id IS NULL OR EXISTS (
            SELECT FROM loyalty_collection_places cp
             WHERE cp.collection_id = ch.collection_id AND cp.place_id = p.id))
       AND (ch.interests = '{}' OR EXISTS (
            SELECT FROM loyalty_place_interests pi JOIN members_interest i ON i.id = pi.interest_id
             WHERE pi.place_id = p.id AND i.slug = ANY(ch.interests)))
     ORDER BY ch.id, c.member_id, c.place_id, c.local_day, c.occurred_at) AS check_ins
UNION ALL
SELECT ch.id, r.member_id, least(r.attended_at, o.ends_at),
       CASE ch.unit WHEN 'place' THEN coalesce(p.code, '') ELSE o.code END
  FROM asked ch
  JOIN who ON ch.counts = 'outing'
  JOIN loyalty_registration r ON r.member_id = who.member_id AND r.state = 'attended'
  JOIN loyalty_outing o ON o.id = r.outing_id
       AND least(r.attended_at, o.ends_at) >= ch.starts_at
       AND least(r.attended_at, o.ends_at) < ch.ends_at
  LEFT JOIN loyalty_place p ON p.id = o.place_id
  LEFT JOIN members_store s ON s.id = o.store_id
 WHERE (ch.stores = '{}' OR s.code = ANY(ch.stores))
   AND (ch.collection_id IS NULL OR EXISTS (
        SELECT FROM loyalty_collection_places cp
         WHERE cp.collection_id = ch.collection_id AND cp.place_id = p.id))
   AND (ch.interests = '{}' OR EXISTS (
        SELECT FROM loyalty_outing_interests oi JOIN members_interest i ON i.id = oi.interest_id
         WHERE oi.outing_id = o.id AND i.slug = ANY(ch.interests)))
UNION ALL
SELECT challenge_id, member_id, at, thing FROM (
    SELECT DISTINCT ch.id AS challenge_id, b.id, b.member_id, b.occurred_at AS at,
           CASE ch.unit WHEN 'category' THEN l.category ELSE '' END AS thing
      FROM asked ch
      JOIN who ON ch.counts = 'purchase'
      JOIN loyalty_purchase b ON b.member_id = who.member_id
           AND b.occurred_at >= ch.starts_at AND b.occurred_at < ch.ends_at
      JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.quantity > l.returned
      LEFT JOIN members_store s ON s.id = b.store_id
     WHERE (ch.stores = '{}' OR s.code = ANY(ch.stores))
       AND (ch.categories = '{}' OR l.category = ANY(ch.categories))
       AND (ch.interests = '{}' OR l.category = ANY(ch.interests) OR EXISTS (
            SELECT FROM loyalty_product_interests pi
              JOIN members_interest i ON i.id = pi.interest_id
             WHERE pi.product_id = l.product_id AND i.slug = ANY(ch.interests)))) AS purchases
UNION ALL
SELECT ch.id, a.member_id, a.occurred_at,
       CASE ch.unit WHEN 'place' THEN coalesce(a.place, '')
                    WHEN 'category' THEN coalesce(a.category, '')
                    ELSE coalesce(a.place, a.category, a.sku, '') END
  FROM asked ch
  JOIN who ON ch.counts = 'interaction'
  JOIN members_interaction a ON a.member_id = who.member_id AND a.kind_id = ch.kind_id
       AND a.occurred_at >= ch.starts_at AND a.occurred_at < ch.ends_at
 WHERE (ch.categories = '{}' OR a.category = ANY(ch.categories))
   AND (ch.collection_id IS NULL OR EXISTS (
        SELECT FROM loyalty_collection_places cp JOIN loyalty_place p ON p.id = cp.place_id
         WHERE cp.collection_id = ch.collection_id AND p.code = a.place))
   AND (ch.interests = '{}' OR EXISTS (
        SELECT FROM members_interest i
         WHERE i.slug = ANY(ch.interests) AND i.id = ANY(a.interests)))
"""
_MAY_WIN = """
 WHERE NOT EXISTS (SELECT FROM loyalty_challengecompletion w
                    WHERE w.challenge_id = ch.id AND w.member_id = m.id)
   AND (NOT ch.needs_joining OR EXISTS (
        SELECT FROM loyalty_challengejoining j
         WHERE j.challenge_id = ch.id AND j.member_id = m.id))
   AND (ch.tiers = '{}' OR EXISTS (
        SELECT FROM loyalty_account a JOIN loyalty_tier t ON t.id = a.tier_id
         WHERE a.member_id = m.id AND t.slug = ANY(ch.tiers)))
 GROUP BY d.challenge_id, d.member_id, m.zone, ch.target
"""
_ENOUGH_OF_THEM = "HAVING count(*) >= ch.target"
_OF = _facts(_THESE, "GROUP BY d.challenge_id, d.member_id, m.zone")
_ENOUGH = f"""
SELECT f.*, {prepared.columns(Challenge, of="c")}
  FROM ({_facts(_THESE, _MAY_WIN, _ENOUGH_OF_THEM, asked=_ON)}) AS f
  JOIN loyalty_challenge c ON c.id = f.challenge_id
"""
_HOPEFULS = f"""
SELECT DISTINCT member_id
  FROM ({_facts(_EVERYBODY, _MAY_WIN, _ENOUGH_OF_THEM, asked=_ON)}) AS f ORDER BY 1
"""
_IS_COUNTED = f"SELECT EXISTS (SELECT FROM loyalty_challenge WHERE {_ON} AND counts = %s::text)"
