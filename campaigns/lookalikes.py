"""Members like this one who buy more, and what worked on them.

Alike are members of the same tier, and of the same country or home store, by the cosine of their
interests' evidence (what it still counts at the moment asked about); of these the five nearest who
made at least one purchase more within a year. A campaign worked on one of them when a purchase
followed its message within the goal's days.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from campaigns import goals
from members.models import Member

MOST = 5
YEAR = timedelta(days=365)
# Of each of store and country those who joined last: a page must not weigh a million members.
MOST_WEIGHED = 2_000


@dataclass(frozen=True, slots=True)
class Alike:
    """`similarity` is the cosine, above 0 and up to 1; `purchases` those of the last year."""

    member_id: int
    number: str
    similarity: float
    purchases: int


@dataclass(frozen=True, slots=True)
class Worked:
    """A campaign, and how many of those alike bought after its message."""

    campaign_id: int
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """The nearest first; what worked on most of them first."""

    people: tuple[Alike, ...]
    worked: tuple[Worked, ...]


def find(*, member: Member, at: datetime) -> LookAlikes:
    """Who is like this member and buys more, and by what; one statement."""
    asked: dict[str, int | datetime] = {
        "member": member.pk,
        "at": at,
        "since": at - YEAR,
        "default": goals.DAYS,
        "most": MOST,
        "weighed": MOST_WEIGHED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, asked)
        rows = cursor.fetchall()
    people = {pk: Alike(pk, number, near, bought) for pk, number, near, bought, *_ in rows}
    answered: dict[tuple[int, str], int] = {}
    for *_, campaign_id, name in rows:
        if campaign_id is not None:
            answered[campaign_id, name] = answered.get((campaign_id, name), 0) + 1
    worked = [Worked(pk, name, count) for (pk, name), count in answered.items()]
    return LookAlikes(
        people=tuple(people.values()),
        worked=tuple(sorted(worked, key=lambda w: (-w.people, w.name))),
    )


_BOUGHT = """
    (SELECT count(*) FROM loyalty_purchase p
      WHERE p.member_id = {member} AND p.occurred_at > %(since)s AND p.occurred_at <= %(at)s)
"""
_WEIGHED = """
    sum(x.mass * k.weight * power(0.5::float8, greatest(least(
        date_part('epoch', %(at)s - x.as_of) / 86400 / k.half_life_days, 900), 0)))
"""
_NEAR = """
    SELECT m.id, m.number FROM me
      JOIN members_member m ON {where}
      LEFT JOIN members_address ad ON ad.member_id = m.id
      LEFT JOIN loyalty_account a ON a.member_id = m.id
     WHERE m.id <> me.id AND m.erased_at IS NULL AND m.merged_into_id IS NULL
       AND a.tier_id IS NOT DISTINCT FROM me.tier_id {also}
     ORDER BY m.id DESC LIMIT %(weighed)s
"""
_FIND = f"""
WITH me AS MATERIALIZED (
    SELECT m.id, m.home_store_id, nullif(ad.country, '') AS country, a.tier_id,
           {_BOUGHT.format(member="m.id")} AS bought
      FROM members_member m
      LEFT JOIN members_address ad ON ad.member_id = m.id
      LEFT JOIN loyalty_account a ON a.member_id = m.id
     WHERE m.id = %(member)s
), near AS MATERIALIZED (
    ({_NEAR.format(where="m.home_store_id = me.home_store_id", also="")})
    UNION
    ({_NEAR.format(where="true", also="AND ad.country = me.country")})
), mass AS MATERIALIZED (
    SELECT x.member_id, x.interest_id, {_WEIGHED} AS mass
      FROM members_interestevidence x
      JOIN members_interactionkind k ON k.id = x.kind_id
     WHERE x.member_id IN (SELECT id FROM near UNION SELECT id FROM me)
     GROUP BY x.member_id, x.interest_id
), size AS (
    SELECT member_id, sqrt(sum(mass * mass)) AS size FROM mass GROUP BY member_id
), cosine AS (
    SELECT theirs.member_id,
           sum(mine.mass * theirs.mass) / nullif(max(my.size) * max(their.size), 0) AS similarity
      FROM me
      JOIN mass mine ON mine.member_id = me.id
      JOIN mass theirs ON theirs.interest_id = mine.interest_id AND theirs.member_id <> me.id
      JOIN size my ON my.member_id = me.id
      JOIN size their ON their.member_id = theirs.member_id
     GROUP BY theirs.member_id
), alike AS MATERIALIZED (
    SELECT near.id, near.number, least(cosine.similarity, 1) AS similarity, b.bought
      FROM me, cosine
      JOIN near ON near.id = cosine.member_id
     CROSS JOIN LATERAL (SELECT {_BOUGHT.format(member="near.id")} AS bought) b
     WHERE cosine.similarity > 0 AND b.bought > me.bought
     ORDER BY cosine.similarity DESC, b.bought DESC, near.id
     LIMIT %(most)s
)
SELECT alike.id, alike.number, alike.similarity, alike.bought, answered.id, answered.name
  FROM alike
  LEFT JOIN LATERAL (
    SELECT DISTINCT c.id, c.name
      FROM campaigns_delivery d
      JOIN campaigns_campaign c ON c.id = d.campaign_id
      JOIN loyalty_purchase p ON p.member_id = d.member_id AND p.occurred_at > d.sent_at
       AND p.occurred_at <= d.sent_at + make_interval(
               days => coalesce((c.goal ->> 'within_days')::int, %(default)s))
     WHERE d.member_id = alike.id AND d.state = 'sent' AND d.sent_at <= %(at)s
       AND p.occurred_at <= %(at)s
  ) answered ON true
 ORDER BY alike.similarity DESC, alike.bought DESC, alike.id, answered.name
"""
