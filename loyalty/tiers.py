"""Tiers: what a member earned within the window decides the tier held."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from loyalty.models import Tier
from members import prepared
from members.arrays import array
from members.models import Member


@dataclass(frozen=True, slots=True)
class Standing:
    """`points_to_next` is None at the top."""

    tier: Tier | None
    next_tier: Tier | None
    points_to_next: int | None


def qualify(*, member_ids: Sequence[int] | None = None, at: datetime) -> int:
    """Give these members (or all) the tier their points within its window earn; rows changed."""
    if member_ids is None:
        with connection.cursor() as cursor:
            cursor.execute(_QUALIFY.format(accounts="true"), [at])
            return int(cursor.fetchone()[0])
    ids = sorted(set(member_ids))
    some = "a.member_id = ANY(%s::bigint[])"
    changed = prepared.execute(_QUALIFY.format(accounts=some), [at, array(ids)], rows=len(ids))
    return int(changed[0][0])


def standing(*, member: Member, at: datetime) -> Standing:
    """The tier held, the next one, and how many points are missing for it."""
    tiers = list(Tier.objects.all())
    account = getattr(member, "account", None)
    held = next((t for t in tiers if account is not None and t.pk == account.tier_id), None)
    higher = [t for t in tiers if held is None or t.threshold > held.threshold]
    if not higher:
        return Standing(held, None, None)
    earned = _earned(member_id=member.pk, window_days=higher[0].window_days, at=at)
    return Standing(held, higher[0], max(higher[0].threshold - earned, 0))


def _earned(*, member_id: int, window_days: int, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(amount + pending_change - debt_change), 0) FROM loyalty_entry"
            " WHERE account_id = %s AND kind IN ('earned', 'returned')"
            "   AND at > %s - make_interval(days => %s)",
            [member_id, at, window_days],
        )
        return int(cursor.fetchone()[0])


# Returns count against the window: taken points, and the debt made of those already spent.
_QUALIFY = """
WITH changed AS (
    UPDATE loyalty_account a SET tier_id = q.tier_id
      FROM (
        SELECT a.member_id, (
            SELECT t.id FROM loyalty_tier t
             WHERE t.threshold <= (
                SELECT coalesce(sum(e.amount + e.pending_change - e.debt_change), 0)
                  FROM loyalty_entry e
                 WHERE e.account_id = a.member_id AND e.kind IN ('earned', 'returned')
                   AND e.at > %s::timestamptz - make_interval(days => t.window_days))
             ORDER BY t.threshold DESC LIMIT 1) AS tier_id
          FROM loyalty_account a WHERE {accounts}
      ) q
     WHERE a.member_id = q.member_id AND a.tier_id IS DISTINCT FROM q.tier_id
    RETURNING 1)
SELECT count(*) FROM changed
"""
