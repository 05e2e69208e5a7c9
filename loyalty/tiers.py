"""Tiers: what a member earned, or spent, within the window decides the tier held.

One statement for one member and for all. Returns count against the purchases they belong to, so a
tier that was reached with goods that came back is lost at once, whatever the policy keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from loyalty.models import PointsPolicy, Tier
from members import interactions, prepared
from members.arrays import array
from members.models import Member


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands. `to_next` (points or money, as the policy counts) is None at the top.

    `projected_tier` is the one held at `projected_at` if nothing is earned or returned until then.
    """

    tier: Tier | None
    kept_until: datetime | None
    next_tier: Tier | None
    to_next: Decimal | None
    projected_tier: Tier | None
    projected_at: datetime

    @property
    def points_to_next(self) -> int | None:
        return None if self.to_next is None else -int(-self.to_next // 1)


def qualify(*, member_ids: Sequence[int] | None = None, at: datetime) -> int:
    """Give these members (or all) the tier they are due; how many changed theirs.

    Each change is recorded as an interaction `tier-change` whose category is the new tier.
    """
    changed: list[Any] = []
    if member_ids is None:
        with connection.cursor() as cursor:
            cursor.execute(_QUALIFY.format(accounts="true"), [at])
            changed = cursor.fetchall()
    elif member_ids:
        ids = sorted(set(member_ids))
        some = "a.member_id = ANY(%s::bigint[])"
        changed = prepared.execute(_QUALIFY.format(accounts=some), [at, array(ids)], rows=len(ids))
    facts = [
        interactions.Fact(
            member_id=member_id,
            kind="tier-change",
            occurred_at=at,
            reference=f"{slug or 'none'}:{at:%Y-%m-%dT%H:%M}",
            category=slug,
        )
        for member_id, slug, is_other in changed
        if is_other
    ]
    interactions.record(facts, now=at)
    return len(facts)


def standing(*, member: Member, at: datetime) -> Standing:
    """The tier held, the next one with what is missing for it, and what is to come."""
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [at, member.pk])
        row = cursor.fetchone()
    if row is None:
        held_id, kept_until, earned, projected_at, later, keeps = None, None, Decimal(0), at, 0, ""
    else:
        held_id, kept_until, earned, projected_at, later, keeps = row
    held = tiers.get(held_id) if held_id else None
    higher = [tier for tier in tiers.values() if held is None or tier.threshold > held.threshold]
    next_tier = min(higher, key=lambda tier: tier.threshold, default=None)
    reached = [tier for tier in tiers.values() if tier.threshold <= later]
    projected = max(reached, key=lambda tier: tier.threshold, default=None)
    if keeps == PointsPolicy.Downgrade.ONE_STEP and held is not None:
        below = [tier for tier in tiers.values() if tier.threshold < held.threshold]
        projected = max(
            [*below, *([projected] if projected else [])],
            key=lambda tier: tier.threshold,
            default=None,
        )
    return Standing(
        tier=held,
        kept_until=kept_until if keeps else None,
        next_tier=next_tier,
        to_next=max(next_tier.threshold - Decimal(earned), Decimal(0)) if next_tier else None,
        projected_tier=projected,
        projected_at=projected_at,
    )


def _earned(*, until: str) -> str:
    """SQL: what account `a` earned (or spent) within the policy's window that ends at `until`.

    Points by award, less what returns took back of them; money by line, less what came back.
    """
    since = f"""
        CASE p.tier_window WHEN 'rolling'
             THEN {until} - make_interval(days => p.tier_window_days)
             ELSE date_trunc('year', {until}, p.time_zone) - interval '1 microsecond' END"""
    return f"""(
        SELECT coalesce(sum(w.points - w.taken_back), 0)
          FROM loyalty_entry e
          JOIN loyalty_award w ON w.id = e.award_id
          JOIN loyalty_earnrule r ON r.id = w.rule_id AND r.counts_for_tier
         WHERE p.tier_basis = 'points' AND e.kind = 'earned' AND e.account_id = ANY(ARRAY(
                   -- What was earned under a number that was merged into this one counts here, not
                   -- there.
                   SELECT id FROM members_member WHERE id = a.member_id AND merged_into_id IS NULL
                    UNION ALL
                   SELECT id FROM members_member WHERE merged_into_id = a.member_id))
           AND e.at > {since} AND e.at <= {until}
      ) + (
        SELECT coalesce(round(sum((l.quantity * l.unit_price - l.discount)
                                  * (l.quantity - l.returned) / l.quantity), 2), 0)
          FROM loyalty_purchase b
          JOIN loyalty_purchaseline l ON l.purchase_id = b.id
         WHERE p.tier_basis = 'spend' AND b.member_id = a.member_id
           AND b.occurred_at > {since} AND b.occurred_at <= {until})"""


_POLICY = """
p AS (
    SELECT policy.*, programme.time_zone, moment.at,
           CASE tier_window WHEN 'rolling' THEN at + make_interval(days => tier_window_days)
                ELSE (date_trunc('year', at AT TIME ZONE time_zone) + interval '2 years')
                     AT TIME ZONE time_zone END AS keep_until
      FROM loyalty_pointspolicy policy, members_programme programme,
           (SELECT %s::timestamptz AS at) moment
)"""
_QUALIFY = f"""
WITH {_POLICY}, due AS (
    SELECT a.member_id, a.tier_id AS held_id, p.at, p.keep_until, p.tier_window, p.tier_downgrade,
           a.tier_until, held.threshold AS held, q.id AS earned_id, q.threshold AS earned,
           p.tier_downgrade <> 'at_once' AND p.at < a.tier_until
             AND (a.tier_since IS NULL
                  OR held.threshold <= {_earned(until="a.tier_since")}) AS is_kept
      FROM p CROSS JOIN loyalty_account a
      LEFT JOIN loyalty_tier held ON held.id = a.tier_id
      LEFT JOIN LATERAL (
        SELECT t.id, t.threshold FROM loyalty_tier t
         WHERE t.threshold <= {_earned(until="p.at")}
         ORDER BY t.threshold DESC LIMIT 1) q ON true
     WHERE {{accounts}} AND (a.tier_id IS NOT NULL OR EXISTS (SELECT FROM loyalty_tier))
), decided AS (
    SELECT due.*,
           CASE WHEN coalesce(earned, -1) >= coalesce(held, -1) THEN earned_id
                WHEN is_kept THEN held_id
                WHEN tier_downgrade = 'one_step' AND at >= tier_until
                THEN (SELECT id FROM loyalty_tier t WHERE t.threshold < held
                       ORDER BY t.threshold DESC LIMIT 1)
                ELSE earned_id END AS tier_id
      FROM due
), changed AS (
    UPDATE loyalty_account a
       SET tier_id = d.tier_id,
           tier_since = CASE WHEN d.tier_id = d.earned_id THEN d.at END,
           tier_until = CASE WHEN d.tier_id IS NOT NULL THEN d.keep_until END
      FROM decided d
     WHERE a.member_id = d.member_id
       AND (d.tier_id IS DISTINCT FROM d.held_id
            OR d.tier_id = d.earned_id AND d.tier_downgrade <> 'at_once'
               -- Earned again: in a new year, or when its rolling time is over.
               AND (a.tier_until IS NULL
                    OR CASE d.tier_window WHEN 'calendar' THEN a.tier_until < d.keep_until
                            ELSE a.tier_until <= d.at END))
    RETURNING a.member_id, d.tier_id, d.tier_id IS DISTINCT FROM d.held_id AS is_other
)
SELECT changed.member_id, t.slug, is_other
  FROM changed LEFT JOIN loyalty_tier t ON t.id = changed.tier_id
"""
_STANDING = f"""
WITH {_POLICY}, soon AS (
    SELECT a.member_id, a.tier_id, a.tier_until,
           CASE WHEN p.tier_downgrade <> 'at_once' AND a.tier_until > p.at THEN a.tier_until
                WHEN p.tier_window = 'rolling' THEN p.at + interval '30 days'
                ELSE (date_trunc('year', p.at AT TIME ZONE p.time_zone) + interval '1 year')
                     AT TIME ZONE p.time_zone END AS projected_at
      FROM p, loyalty_account a WHERE a.member_id = %s
)
SELECT a.tier_id, a.tier_until, {_earned(until="p.at")}, a.projected_at,
       {_earned(until="a.projected_at")},
       CASE WHEN p.tier_downgrade <> 'at_once' THEN p.tier_downgrade ELSE '' END
  FROM p, soon a
"""
