"""What happened to lots: what took points out of them and gave some back, whose they had been."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Why of points that one of a household spent for another.
HOUSEHOLD = "household"


def lapsed_of(award_id: int) -> int:
    """Points of an award that expired, less those that earlier returns left untaken for it.

    What returns called for is `taken_back`; what they took stands in their entries.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce((SELECT sum(u.amount) FROM loyalty_lotuse u
                               JOIN loyalty_lot l ON l.id = u.lot_id AND l.award_id = w.id
                               JOIN loyalty_entry e ON e.id = u.entry_id AND e.kind = 'expired'), 0)
                 - w.taken_back
                 + coalesce((SELECT sum(debt_change - amount - pending_change) FROM loyalty_entry
                              WHERE award_id = w.id AND kind = 'returned'), 0)
              FROM loyalty_award w WHERE w.id = %s
            """,
            [award_id],
        )
        return int(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class TakenLot:
    pk: int
    expires_at: datetime | None


def still_taken(*, entry_id: int) -> dict[TakenLot, int]:
    """The lots that an entry took points from, with what has not been given back yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.id, l.expires_at, sum(u.amount)
              FROM loyalty_entry e
              JOIN loyalty_lotuse u ON u.entry_id = e.id
              JOIN loyalty_lot l ON l.id = u.lot_id
             WHERE e.id = %s OR e.reverses_id = %s
             GROUP BY l.id HAVING sum(u.amount) > 0
            """,
            [entry_id, entry_id],
        )
        return {TakenLot(pk, expires_at): int(points) for pk, expires_at, points in cursor}


def givers_of(*, entry_id: int) -> dict[int, int]:
    """{lot: account} of the lots that an entry took from and that came from a household's other."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT l.id, source.account_id
              FROM loyalty_lotuse u
              JOIN loyalty_lot l ON l.id = u.lot_id
              JOIN loyalty_entry came ON came.id = l.entry_id AND came.why = %s
              JOIN loyalty_lot source ON source.id = l.came_from_id
              JOIN loyalty_account giver ON giver.member_id = source.account_id
               AND NOT giver.is_closed
             WHERE u.entry_id = %s
            """,
            [HOUSEHOLD, entry_id],
        )
        return dict(cursor.fetchall())


def once_of(*, account_id: int, lot_ids: Sequence[int]) -> set[int]:
    """Those of the lots whose points were this account's at some time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE up(lot, ancestor) AS (
                SELECT id, came_from_id FROM loyalty_lot
                 WHERE id = ANY(%s) AND came_from_id IS NOT NULL
                 UNION
                SELECT up.lot, l.came_from_id
                  FROM up JOIN loyalty_lot l ON l.id = up.ancestor
                 WHERE l.came_from_id IS NOT NULL
            )
            SELECT up.lot FROM up JOIN loyalty_lot l ON l.id = up.ancestor WHERE l.account_id = %s
            """,
            [list(lot_ids), account_id],
        )
        return {pk for (pk,) in cursor.fetchall()}
