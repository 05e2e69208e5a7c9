"""What goes with a product: bought together by the same members, else made for the same pursuit.

Counted from the latest purchases of each product, so a bestseller costs no more than the rest.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from loyalty.recommendations import Suggestion

LATEST = 500
NEWEST = 50
# Bought within so long of each other they belong together.
TOGETHER = timedelta(days=30)


def going_with(
    *, things: Sequence[tuple[int, str]], at: datetime, limit: int = 3
) -> dict[tuple[int, str], list[Suggestion]]:
    """What goes with each (member, sku), without what the member has, the best first; one query."""
    asked: dict[str, Any] = {
        "members": [member_id for member_id, _ in things],
        "skus": [sku for _, sku in things],
        "at": at,
        "latest": LATEST,
        "newest": NEWEST,
        "together": TOGETHER,
        "limit": limit,
    }
    found: dict[tuple[int, str], list[Suggestion]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_GOING_WITH, asked)
        for member_id, thing, anchor, is_bought, interest, *product in cursor.fetchall():
            sku, name, category, price, currency = product
            reason = (
                f"Members who bought {anchor} bought it too."
                if is_bought
                else f"Made for {interest.lower()} as well."
            )
            found.setdefault((member_id, thing), []).append(
                Suggestion(sku, name, category, price, currency, reason)
            )
    return found


_GOING_WITH = """
WITH asked AS (
    SELECT DISTINCT * FROM unnest(%(members)s::bigint[], %(skus)s::text[]) AS a(member_id, sku)
), anchor AS (
    SELECT p.id, p.sku, p.name, p.family, p.category FROM loyalty_product p
     WHERE p.sku IN (SELECT sku FROM asked)
), bought AS (
    SELECT anchor.id AS anchor_id, lately.member_id, lately.occurred_at
      FROM anchor CROSS JOIN LATERAL (
           SELECT b.member_id, b.occurred_at
             FROM loyalty_purchaseline l JOIN loyalty_purchase b ON b.id = l.purchase_id
            WHERE l.product_id = anchor.id AND l.returned < l.quantity
              AND b.occurred_at <= %(at)s
            ORDER BY l.id DESC LIMIT %(latest)s) AS lately
), together AS (
    SELECT bought.anchor_id, l.product_id, count(DISTINCT b.member_id) AS people
      FROM bought
      JOIN loyalty_purchase b ON b.member_id = bought.member_id
       AND b.occurred_at BETWEEN bought.occurred_at - %(together)s
                             AND bought.occurred_at + %(together)s
      JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.returned < l.quantity
     WHERE b.occurred_at <= %(at)s AND l.product_id IS NOT NULL
     GROUP BY bought.anchor_id, l.product_id
), shared AS (
    SELECT anchor.id AS anchor_id, newest.*
      FROM anchor CROSS JOIN LATERAL (
           SELECT p.id AS product_id, min(n.name) AS interest
             FROM loyalty_product_interests mine
             JOIN loyalty_product_interests other ON other.interest_id = mine.interest_id
             JOIN members_interest n ON n.id = mine.interest_id
             JOIN loyalty_product p ON p.id = other.product_id
            WHERE mine.product_id = anchor.id
            GROUP BY p.id ORDER BY p.released_on DESC NULLS LAST, p.sku LIMIT %(newest)s) AS newest
), pair AS (
    SELECT anchor.id AS anchor_id, anchor.sku, anchor.name AS anchor_name,
           coalesce(t.people, 0) AS people, s.interest, p.*
      FROM together t
      FULL JOIN shared s USING (anchor_id, product_id)
      JOIN anchor ON anchor.id = anchor_id
      JOIN LATERAL (
           SELECT p.id, p.sku AS its_sku, p.name, p.category, p.price, p.currency
             FROM loyalty_product p
            -- Another of the same sort is a replacement, not a companion.
            WHERE p.id = product_id AND p.id <> anchor.id
              AND (p.category = '' OR p.category <> anchor.category)
              AND (p.family = '' OR p.family <> anchor.family)) AS p ON true
), ranked AS (
    SELECT asked.member_id, pair.*,
           row_number() OVER (PARTITION BY asked.member_id, asked.sku
                              ORDER BY pair.people DESC, pair.its_sku) AS place
      FROM asked JOIN pair USING (sku)
     WHERE NOT EXISTS (
           SELECT FROM loyalty_purchase b JOIN loyalty_purchaseline l ON l.purchase_id = b.id
            WHERE b.member_id = asked.member_id AND l.product_id = pair.id
              AND l.returned < l.quantity)
)
SELECT member_id, sku, anchor_name, people > 0, interest,
       its_sku, name, category, price, currency
  FROM ranked WHERE place <= %(limit)s
 ORDER BY member_id, sku, place
"""
