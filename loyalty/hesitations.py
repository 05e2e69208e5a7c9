"""Noticing who looked at something twice and did not buy it.

An interaction `hesitated` with the product, for campaigns to answer: an hour after the last look at
the earliest, at most once per member and product in thirty days. It is on this floor because only
the lines of a purchase tell everything that was bought.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from members import interactions

HESITATED = "hesitated"
BATCH = 500
LOOKS = ("view", "add-to-basket")
# Two looks are two occasions when so much lies between them.
APART = timedelta(hours=1)
TOGETHER = timedelta(days=14)
# Whoever looked a moment ago may be at the till.
QUIET = timedelta(hours=1)
AGAIN_AFTER = timedelta(days=30)


def note(*, now: datetime) -> int:
    """Record the hesitations that are due; returns how many.

    Asks only what was recorded of late, as far back as campaigns answer: what is older is no news.
    """
    values: dict[str, Any] = {
        "now": now,
        "recent": now - interactions.ANSWERABLE_FOR,
        "quiet": now - QUIET,
        "again": now - AGAIN_AFTER,
        "looks": list(LOOKS),
        "apart": APART,
        "together": TOGETHER,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HESITATING, values)
        rows = cursor.fetchall()
    facts = [
        interactions.Fact(
            member_id=member_id,
            kind=HESITATED,
            occurred_at=now,
            # Of two sweeps at once the second finds it recorded.
            reference=f"{sku}:{last_at:%Y%m%d%H%M%S}",
            sku=sku,
            category=category,
            interest_ids=tuple(interests),
        )
        for member_id, sku, last_at, category, interests in rows
    ]
    batches = [facts[start : start + BATCH] for start in range(0, len(facts), BATCH)]
    return sum(interactions.record(batch, now=now).recorded for batch in batches)


# The index by recording finds the latest looks, that by member the earlier ones of those few.
_HESITATING = """
WITH looking AS (
    SELECT id FROM members_interactionkind WHERE slug = ANY(%(looks)s)
), latest AS (
    SELECT DISTINCT ON (i.member_id, i.sku)
           i.member_id, i.sku, i.occurred_at AS last_at, i.category, i.interests
      FROM members_interaction i JOIN looking ON looking.id = i.kind_id
     WHERE i.recorded_at > %(recent)s AND i.sku <> ''
       AND i.occurred_at > %(recent)s AND i.occurred_at <= %(now)s
     ORDER BY i.member_id, i.sku, i.occurred_at DESC, i.id DESC
)
SELECT l.member_id, l.sku, l.last_at, l.category, l.interests
  FROM latest l
  JOIN members_member m
    ON m.id = l.member_id AND m.erased_at IS NULL AND m.merged_into_id IS NULL
 CROSS JOIN LATERAL (
       SELECT min(i.occurred_at) AS at
         FROM members_interaction i JOIN looking ON looking.id = i.kind_id
        WHERE i.member_id = l.member_id AND i.sku = l.sku
          AND i.occurred_at BETWEEN l.last_at - %(together)s AND l.last_at) AS first
 WHERE l.last_at <= %(quiet)s AND l.last_at - first.at >= %(apart)s
   AND NOT EXISTS (
       SELECT FROM loyalty_purchase p JOIN loyalty_purchaseline line ON line.purchase_id = p.id
        WHERE p.member_id = l.member_id AND p.occurred_at >= first.at AND line.sku = l.sku)
   AND NOT EXISTS (
       SELECT FROM members_interaction i JOIN members_interactionkind k ON k.id = i.kind_id
        WHERE k.slug = 'hesitated' AND i.member_id = l.member_id AND i.sku = l.sku
          AND i.occurred_at > %(again)s)
 ORDER BY l.member_id, l.sku
"""
