"""What became of points at which age: the rows that `breakage` estimates from.

By the same clock as `liability`: what was recorded by the moment. Ages are in months of 30.44 days
since the points were earned. A spend that was cancelled did not happen; what a return, a debt or a
transfer took is no longer observed from then on.
"""

from datetime import datetime
from typing import Any

from loyalty import breakage, snapshots
from loyalty.breakage import Fate, Held, History


def history(*, at: datetime) -> History:
    """What was known at `at` of all points ever given."""
    with snapshots.take() as cursor:
        cursor.execute(_AGES, {"at": at, "groups": breakage.GROUPS, "last": breakage.LAST})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return History(
        fates=[
            Fate(group, kind, age, points)
            for kind, group, age, _, points in rows
            if kind in breakage.KINDS
        ],
        held=[Held(age, end, points) for kind, _, age, end, points in rows if kind == "held"],
        spenders=next(points for kind, _, _, _, points in rows if kind == "spenders"),
    )


def breakage_of(*, at: datetime) -> breakage.Breakage:
    """The share of the points outstanding at `at` that will never be spent."""
    return breakage.estimate(history(at=at))


def _age(moment: str) -> str:
    """SQL: how many whole months of age a lot had at a moment, at most the last that counts."""
    seconds = f"extract(epoch FROM {moment} - earned_at)"
    return f"least(greatest(floor({seconds} / 2629746), 0), %(last)s)::int"


_AGES = f"""
WITH lot AS MATERIALIZED (
    SELECT l.id, l.account_id, l.amount, l.expires_at, e.at AS earned_at, e.recorded_at
      FROM loyalty_lot l JOIN loyalty_entry e ON e.id = l.entry_id
     WHERE e.recorded_at <= %(at)s
), taken AS MATERIALIZED (
    SELECT l.id, l.account_id, l.earned_at, l.recorded_at, l.expires_at, u.amount, e.kind, e.at,
           CASE e.kind WHEN 'expired' THEN l.expires_at END AS gone_at,
           e.kind = 'restored' OR undone.id IS NOT NULL AS is_undone
      FROM loyalty_lotuse u
      JOIN loyalty_entry e ON e.id = u.entry_id AND e.recorded_at <= %(at)s
      JOIN lot l ON l.id = u.lot_id
      LEFT JOIN loyalty_entry undone ON undone.reverses_id = e.id AND undone.recorded_at <= %(at)s
), remaining AS MATERIALIZED (
    SELECT l.account_id, l.earned_at, l.recorded_at, l.expires_at,
           l.amount - coalesce(u.amount, 0) AS points
      FROM lot l LEFT JOIN (SELECT id, sum(amount) AS amount FROM taken GROUP BY id) u
                        ON u.id = l.id
     WHERE l.amount <> coalesce(u.amount, 0)
), fate AS (
    SELECT 'entered' AS kind, account_id, {_age("recorded_at")} AS age, amount AS points FROM lot
    UNION ALL
    SELECT CASE WHEN kind = 'spent' THEN 'spent'
                WHEN kind = 'expired' AND (gone_at > at OR gone_at IS NULL) THEN 'lapsed'
                ELSE 'censored' END,
           account_id,
           {_age("greatest(least(at, gone_at), recorded_at)")}, amount
      FROM taken WHERE NOT is_undone
    UNION ALL
    SELECT 'censored', account_id,
           {_age("greatest(least(%(at)s, expires_at), recorded_at)")}, points
      FROM remaining
)
SELECT kind, (account_id %% %(groups)s)::int, age, NULL, sum(points)::bigint
  FROM fate GROUP BY 1, 2, 3
UNION ALL
SELECT 'held', NULL, {_age("%(at)s")},
       CASE WHEN expires_at <= %(at)s THEN -1
            WHEN expires_at IS NOT NULL THEN {_age("expires_at")} END,
       sum(points)::bigint
  FROM remaining GROUP BY 3, 4
UNION ALL
SELECT 'spenders', NULL, NULL, NULL, count(DISTINCT account_id)
  FROM taken WHERE kind = 'spent' AND NOT is_undone
"""
