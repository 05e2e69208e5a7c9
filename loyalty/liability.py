"""What we owe our members, as of any moment, and how it came to that month by month.

Recomputed from entries, lots and lot uses, by the ledger's own clock: a movement counts from the
moment it was recorded, so a month that is over never changes, and what was loaded late shows in
the month it was loaded. Only a lot's cohort goes by when it was earned. Two things are as they are
today, whatever the moment: a lot's date, which a restore may have moved, and the value of a point.

Months are those of the programme's zone. Debt is never netted: nobody can be made to pay it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty import snapshots
from loyalty.models import PointsPolicy
from members.models import Programme

# The kinds of entry there is a column for; another one would show as a month that does not add up.
KINDS = (
    "earned", "granted", "restored", "spent", "returned", "debt_paid", "expired", "transferred",
    "matured",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Points of one cohort (the first of the month they were earned in) that expire in one month;
    `expires` is None for never."""

    cohort: date
    expires: date | None
    available: int
    pending: int

    @property
    def points(self) -> int:
        return self.available + self.pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """`month` is the one `at` lies in; `point_value` is money a point, None while the policy does
    not say."""

    at: datetime
    month: date
    parts: Sequence[Part]
    debt: int
    point_value: Decimal | None
    currency: str

    @property
    def available(self) -> int:
        return sum(part.available for part in self.parts)

    @property
    def pending(self) -> int:
        return sum(part.pending for part in self.parts)

    @property
    def points(self) -> int:
        return self.available + self.pending

    def money(self, points: float) -> Decimal | None:
        """What so many points are worth, to the cent."""
        if self.point_value is None:
            return None
        return (self.point_value * Decimal(points)).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Points outstanding (available and pending together) at a month's beginning and end, and what
    moved them. Takings are negative. `debt` is what members owed at its end."""

    month: date
    opening: int
    earned: int = 0
    granted: int = 0
    restored: int = 0
    spent: int = 0
    returned: int = 0
    debt_paid: int = 0
    expired: int = 0
    transferred: int = 0
    matured: int = 0
    closing: int
    debt: int

    @property
    def adds_up(self) -> bool:
        """Maturing and moving between members change nothing in sum."""
        told = self.opening + sum(int(getattr(self, kind)) for kind in KINDS)
        return told == self.closing and not self.matured and not self.transferred


def outstanding(*, at: datetime) -> Owed:
    """The points outstanding at `at`, by month of earning and of expiry, and the debt apart."""
    with snapshots.take() as cursor:
        programme, policy = Programme.objects.get(), PointsPolicy.objects.get()
        cursor.execute(_PARTS, {"at": at, "zone": programme.time_zone})
        parts = tuple(Part(*row) for row in cursor.fetchall())
        cursor.execute(
            "SELECT coalesce(sum(debt_change), 0) FROM loyalty_entry WHERE recorded_at <= %s", [at]
        )
        (debt,) = cursor.fetchone()
    return Owed(
        at=at,
        month=at.astimezone(ZoneInfo(programme.time_zone)).date().replace(day=1),
        parts=parts,
        debt=debt,
        point_value=policy.point_value,
        currency=policy.point_currency or programme.currency,
    )


def movements(*, at: datetime) -> list[Month]:
    """Every month from the first entry until `at`, oldest first; the last one ends at `at`."""
    with snapshots.take() as cursor:
        cursor.execute(_MOVED, {"at": at, "zone": Programme.objects.get().time_zone})
        rows = cursor.fetchall()
    months: list[Month] = []
    by_month: dict[date, dict[str, int]] = {}
    debts: dict[date, int] = {}
    for month, kind, points, debt in rows:
        moved = by_month.setdefault(month, {})
        if kind is not None:
            moved[kind] = points
        debts[month] = debts.get(month, 0) + debt
    closing = debt = 0
    for month, moved in by_month.items():
        opening, closing, debt = closing, closing + sum(moved.values()), debt + debts[month]
        known = {kind: points for kind, points in moved.items() if kind in KINDS}
        months.append(Month(month=month, opening=opening, closing=closing, debt=debt, **known))
    return months


# A lot waits from its own entry on until the entry that matured its award.
_PARTS = f"""
WITH matured AS (
    SELECT award_id, min(recorded_at) AS recorded_at FROM loyalty_entry
     WHERE kind = 'matured' AND award_id IS NOT NULL GROUP BY award_id
), lot AS (
    SELECT date_trunc('month', e.at AT TIME ZONE %(zone)s)::date AS cohort,
           date_trunc('month', l.expires_at AT TIME ZONE %(zone)s)::date AS expires,
           l.amount - coalesce(used.points, 0) + coalesce(later.points, 0) AS points,
           e.pending_change > 0
             AND (l.is_pending
                  OR coalesce(matured.recorded_at, l.available_at, 'infinity') > %(at)s)
             AS is_pending
      FROM loyalty_lot l
      JOIN loyalty_entry e ON e.id = l.entry_id
      LEFT JOIN ({snapshots.USED}) used ON used.lot_id = l.id
      LEFT JOIN ({snapshots.LATER}) later ON later.lot_id = l.id
      LEFT JOIN matured ON matured.award_id = l.award_id
     WHERE e.recorded_at <= %(at)s
)
SELECT cohort, expires, coalesce(sum(points) FILTER (WHERE NOT is_pending), 0)::bigint,
       coalesce(sum(points) FILTER (WHERE is_pending), 0)::bigint
  FROM lot GROUP BY cohort, expires HAVING sum(points) <> 0
 ORDER BY cohort, expires NULLS LAST
"""
# Every month is there, also one in which nothing moved.
_MOVED = """
WITH moved AS (
    SELECT date_trunc('month', recorded_at AT TIME ZONE %(zone)s)::date AS month, kind,
           sum(amount) + sum(pending_change) AS points, sum(debt_change) AS debt
      FROM loyalty_entry WHERE recorded_at <= %(at)s GROUP BY 1, 2
), month AS (
    SELECT generate_series(min(month), date_trunc('month', %(at)s AT TIME ZONE %(zone)s),
                           interval '1 month')::date AS month
      FROM moved
)
SELECT month.month, kind, coalesce(points, 0)::bigint, coalesce(debt, 0)::bigint
  FROM month LEFT JOIN moved ON moved.month = month.month ORDER BY month.month
"""
