"""What became of points at which age: the rows that `breakage` estimates from.

By the same clock as `liability`: what was recorded by the moment. Ages are in months of 30.44 days
since the points were earned. A spend that was cancelled did not happen; what a return, a debt or a
transfer took is no longer observed from then on.
"""

from collections import Counter
from datetime import datetime

from loyalty import breakage, snapshots
from loyalty.breakage import Fate, Held, History


def history(*, at: datetime) -> History:
    """What was known at `at` of all points ever given."""
    asked: dict[str, datetime | int] = {
        "at": at, "groups": breakage.GROUPS, "last": breakage.LAST,
    }  # fmt: skip
    fates: Counter[tuple[int, breakage.Kind, int]] = Counter()
    held: Counter[tuple[int, int | None]] = Counter()
    with snapshots.take() as cursor:
        cursor.execute(_LOTS, asked)
        for group, seen_from, age, end, is_past, points, left in cursor.fetchall():
            fates[group, "entered", seen_from] += points
            # Points past their date were watched until then, and are lost.
            fates[group, "censored", max(seen_from, end if is_past else age)] += left
            held[age, -1 if is_past else end] += left
        cursor.execute(_USES, asked)
        for group, kind, age, points in cursor.fetchall():
            fates[group, kind, age] += points
        cursor.execute(_SPENDERS, asked)
        (spenders,) = cursor.fetchone()
    return History(
        fates=[Fate(*key, points) for key, points in fates.items() if points],
        held=[Held(*key, points) for key, points in held.items() if points],
        spenders=spenders,
    )


def breakage_of(*, at: datetime) -> breakage.Breakage:
    """The share of the points outstanding at `at` that will never be spent."""
    return breakage.estimate(history(at=at))


def _age(moment: str) -> str:
    """SQL: how many whole months of age a lot had at a moment, at most the last that counts."""
    months = f"floor(date_part('epoch', {moment} - earned.at) / 2629746)"
    return f"least(greatest({months}, 0), %(last)s)::int"


# Of each lot what it gave and what was left of it at the moment.
_LOTS = f"""
SELECT (l.account_id %% %(groups)s)::int AS members, {_age("earned.recorded_at")} AS seen_from,
       {_age("%(at)s")} AS age,
       CASE WHEN l.expires_at IS NOT NULL THEN {_age("l.expires_at")} END AS ending,
       coalesce(l.expires_at <= %(at)s, false) AS is_past,
       sum(l.amount)::bigint,
       sum(l.amount - coalesce(used.points, 0) + coalesce(later.points, 0))::bigint
  FROM loyalty_lot l
  JOIN loyalty_entry earned ON earned.id = l.entry_id
  LEFT JOIN ({snapshots.USED}) used ON used.lot_id = l.id
  LEFT JOIN ({snapshots.LATER}) later ON later.lot_id = l.id
 WHERE earned.recorded_at <= %(at)s
 GROUP BY members, seen_from, age, ending, is_past
"""
_UNDONE = """
    EXISTS (SELECT FROM loyalty_entry back
             WHERE back.reverses_id = e.id AND back.recorded_at <= %(at)s)"""
_USES = f"""
SELECT (l.account_id %% %(groups)s)::int AS members,
       CASE WHEN e.kind = 'spent' THEN 'spent'
            WHEN e.kind = 'expired' AND (l.expires_at > e.at OR l.expires_at IS NULL) THEN 'lapsed'
            ELSE 'censored' END AS fate,
       {_age("greatest(least(e.at, gone.at), earned.recorded_at)")} AS age, sum(u.amount)::bigint
  FROM loyalty_lotuse u
  JOIN loyalty_entry e ON e.id = u.entry_id
  JOIN loyalty_lot l ON l.id = u.lot_id
  JOIN loyalty_entry earned ON earned.id = l.entry_id
 CROSS JOIN LATERAL (SELECT CASE e.kind WHEN 'expired' THEN l.expires_at END AS at) gone
 WHERE e.recorded_at <= %(at)s AND e.kind <> 'restored' AND NOT {_UNDONE}
 GROUP BY members, fate, age
"""
_SPENDERS = f"""
SELECT count(DISTINCT e.account_id) FROM loyalty_entry e
 WHERE e.kind = 'spent' AND e.recorded_at <= %(at)s AND NOT {_UNDONE}
"""
