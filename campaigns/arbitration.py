"""Next best action: which of the messages that are planned for a member may go, and which yield.

Within a cap the messages worth most win. A loser is written with whom it lost to, how many the
member had, and the first moment it may go; then it gives way for good or waits for that moment, as
its campaign says. Where a message has a price, one that is not worth it any more loses as well.
One statement a cap; the last gate counts again under the members' locks.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from campaigns.models import ContactCap

# So far ahead rivals are looked for: what is planned later is not known yet.
HORIZON = timedelta(days=1)


def arbitrate(*, now: datetime) -> int:
    """Let what is due soon compete for the caps; returns how many deliveries lost or wait."""
    # The tightest first: what it leaves has to pass the wider ones too.
    caps = ContactCap.objects.filter(is_active=True).order_by("max_messages", "window_days", "pk")
    return sum(_arbitrate(cap, now=now) for cap in caps)


def _arbitrate(cap: ContactCap, *, now: datetime) -> int:
    asked: dict[str, Any] = {
        "cap": cap.pk,
        "allowed": cap.max_messages,
        "window": timedelta(days=cap.window_days),
        "price": float(cap.price),
        "purpose": cap.purpose,
        "channels": cap.channels,
        "now": now,
        "soon": now + HORIZON,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # Two at once would lock the same rows in different orders; one is enough.
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('campaigns.arbitration'))")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("SET LOCAL work_mem = '32MB'")
        cursor.execute(_ARBITRATE, asked)
        return int(cursor.fetchone()[0])


# A member with one message and nothing before it has no rivals: most of a programme drops out at
# `crowded`, before anything of theirs is looked up. What waits already has its turn at `passes_at`.
_ARBITRATE = """
WITH rival AS MATERIALIZED (
    SELECT d.id, d.member_id, d.value, d.due_at, d.expires_at, c.when_beaten = 'wait' AS waits
      FROM campaigns_delivery d
      JOIN campaigns_campaign c ON c.id = d.campaign_id
     WHERE d.state = 'planned' AND d.due_at <= %(soon)s AND d.expires_at > %(now)s
       AND d.channel = ANY(%(channels)s) AND c.purpose = %(purpose)s AND c.state = 'live'
), had AS (
    SELECT d.member_id, count(*) AS many, array_agg(d.sent_at ORDER BY d.sent_at) AS at,
           (array_agg(d.id ORDER BY d.sent_at DESC))[1] AS latest
      FROM campaigns_delivery d
      JOIN campaigns_campaign c ON c.id = d.campaign_id
     WHERE d.member_id IN (SELECT member_id FROM rival)
       AND d.sent_at > %(now)s - %(window)s::interval AND d.sent_at <= %(now)s
       AND d.state IN ('claimed', 'sending', 'sent', 'unknown')
       AND d.channel = ANY(%(channels)s) AND c.purpose = %(purpose)s
     GROUP BY d.member_id
), ranked AS (
    SELECT r.*, coalesce(h.many, 0) AS had, h.at, h.latest,
           row_number() OVER best AS place,
           -- The last that may go: had it yielded, the first of the losers would have gone.
           nth_value(r.id, greatest(%(allowed)s - coalesce(h.many, 0), 1)::int)
               OVER whole AS winner,
           min(r.due_at) OVER whole AS first_due
      FROM rival r
      LEFT JOIN had h ON h.member_id = r.member_id
    WINDOW best AS (PARTITION BY r.member_id ORDER BY r.value DESC, r.due_at, r.id),
           whole AS (best ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), lost AS (
    SELECT *, CASE WHEN waits AND passes_at < expires_at THEN passes_at END AS again_at
      FROM (
        SELECT *, had + place - 1 AS before, had + place > %(allowed)s AS is_full,
               CASE WHEN had < %(allowed)s AND place > 1 THEN winner ELSE latest END AS to_id,
               CASE WHEN had + place <= %(allowed)s THEN NULL
                    WHEN had >= %(allowed)s THEN at[had - %(allowed)s + 1] + %(window)s::interval
                    ELSE coalesce(at[1], first_due) + %(window)s::interval END AS passes_at
          FROM ranked) AS counted
     WHERE is_full
        OR (%(price)s > 0 AND value <= %(price)s * (had + place - 1) AND had + place > 1)
), written AS (
    UPDATE campaigns_delivery d
       SET state = CASE WHEN l.again_at IS NULL THEN 'objected' ELSE 'planned' END,
           reason = CASE WHEN l.again_at IS NOT NULL THEN ''
                         WHEN l.is_full THEN 'cap' ELSE 'worth' END,
           due_at = greatest(l.again_at, d.due_at),
           beaten_by_id = l.to_id
      FROM lost l
     WHERE d.id = l.id AND d.state = 'planned' AND (l.again_at IS NULL OR d.due_at < l.again_at)
    RETURNING d.id, l.before, l.passes_at
), told AS (
    INSERT INTO campaigns_objection AS o (delivery_id, cap_id, had, allowed, passes_at, at)
    SELECT id, %(cap)s, before, %(allowed)s, passes_at, %(now)s FROM written
        ON CONFLICT (delivery_id) DO UPDATE
       SET cap_id = excluded.cap_id, had = excluded.had, allowed = excluded.allowed,
           passes_at = excluded.passes_at, at = excluded.at
    RETURNING 1
)
SELECT count(*) FROM told
"""
