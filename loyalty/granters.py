"""Who of the staff gives points by hand, who gets them, and what is unusual about it.

Unusual is more than three scaled median deviations above the median of the period (Leys et al.
2013, Journal of Experimental Social Psychology 49) and more than twice the median, once there are
eight of its kind to compare with: one large grant among small ones, one granter among many. A
grant to one's own member account is always told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty import snapshots

MOST = 20


@dataclass(frozen=True, slots=True)
class Granter:
    """Somebody of the staff; `largest` is the most given at once, `unusual` counts single grants
    of unusual size, `own` points to their own account."""

    email: str
    store: str
    grants: int
    points: int
    members: int
    largest: int
    unusual: int
    own: int
    is_unusual: bool


@dataclass(frozen=True, slots=True)
class Taker:
    """A member; `granters` is by how many of the staff."""

    number: str
    name: str
    grants: int
    points: int
    granters: int
    is_unusual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """The most generous and the most favoured, at most twenty each, by points."""

    since: datetime
    until: datetime
    granters: Sequence[Granter]
    takers: Sequence[Taker]


def ranked(*, since: datetime, until: datetime) -> Grants:
    """Grants by hand that were recorded from `since` to before `until`."""
    period: dict[str, datetime | int] = {"since": since, "until": until, "most": MOST}
    with snapshots.take() as cursor:
        cursor.execute(_GRANTERS, period)
        granters = tuple(Granter(*row) for row in cursor.fetchall())
        cursor.execute(_TAKERS, period)
        takers = tuple(Taker(*row) for row in cursor.fetchall())
    return Grants(since=since, until=until, granters=granters, takers=takers)


def _fence(column: str, of: str) -> str:
    """SQL: above which value of a column a row of `of` is unusual; infinite with fewer than 8."""
    middle = f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {column})"
    return f"""(
        SELECT CASE WHEN count(*) < 8 THEN 'infinity'
                    ELSE greatest(min(median) + 3 * 1.4826
                                    * percentile_cont(0.5) WITHIN GROUP
                                      (ORDER BY abs({column} - median)), 2 * min(median)) END
          FROM {of}, (SELECT {middle} AS median FROM {of}) middle)"""


_GRANTED = """
WITH granted AS MATERIALIZED (
    SELECT account_id, actor_id, amount + pending_change AS points
      FROM loyalty_entry
     WHERE kind = 'granted' AND actor_id IS NOT NULL AND amount + pending_change > 0
       AND recorded_at >= %(since)s AND recorded_at < %(until)s
)"""
_GRANTERS = f"""{_GRANTED}, granter AS (
    SELECT actor_id, count(*) AS grants, sum(g.points)::bigint AS points,
           count(DISTINCT account_id) AS members, max(g.points) AS largest,
           count(*) FILTER (WHERE g.points > fence.points) AS unusual,
           coalesce(sum(g.points) FILTER (WHERE m.user_id = actor_id), 0)::bigint AS own
      FROM granted g
      JOIN members_member m ON m.id = g.account_id,
           {_fence("points", "granted")} AS fence(points)
     GROUP BY actor_id
)
SELECT u.email, coalesce(s.code, ''), g.grants, g.points, g.members, g.largest, g.unusual, g.own,
       g.points > fence.points OR g.unusual > 0 OR g.own > 0
  FROM granter g
  JOIN members_user u ON u.id = g.actor_id
  LEFT JOIN members_store s ON s.id = u.store_id,
       {_fence("points", "granter")} AS fence(points)
 ORDER BY g.points DESC, u.email LIMIT %(most)s
"""
_TAKERS = f"""{_GRANTED}, taker AS (
    SELECT account_id, count(*) AS grants, sum(points)::bigint AS points,
           count(DISTINCT actor_id) AS granters
      FROM granted GROUP BY account_id
)
SELECT m.number, trim(m.given_name || ' ' || m.family_name), t.grants, t.points, t.granters,
       t.points > fence.points
  FROM taker t
  JOIN members_member m ON m.id = t.account_id,
       {_fence("points", "taker")} AS fence(points)
 ORDER BY t.points DESC, m.number LIMIT %(most)s
"""
