"""Products worth showing to a member, each with its reason.

First what the member looked at and did not buy, then what members who love the same pursuit buy.
One query for any number of members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection

LOOKED_WITHIN_DAYS = 60


@dataclass(frozen=True, slots=True)
class Suggestion:
    sku: str
    name: str
    category: str
    price: Decimal | None
    currency: str
    reason: str


def looked_at(
    *, member_ids: Sequence[int], at: datetime, limit: int = 3
) -> dict[int, list[Suggestion]]:
    """What each member looked at lately and has not bought since, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOKED_AT,
            {"members": list(member_ids), "at": at, "days": LOOKED_WITHIN_DAYS, "limit": limit},
        )
        found: dict[int, list[Suggestion]] = {}
        for member_id, sku, name, category, price, currency in cursor.fetchall():
            found.setdefault(member_id, []).append(
                Suggestion(sku, name, category, price, currency, "You looked at it.")
            )
        return found


def for_member(*, member_id: int, interests: Sequence[int], at: datetime) -> list[Suggestion]:
    """Up to ten products for one member: looked at first, then popular for the interests given."""
    seen = looked_at(member_ids=[member_id], at=at, limit=5).get(member_id, [])
    with connection.cursor() as cursor:
        cursor.execute(
            _POPULAR,
            {
                "member": member_id,
                "interests": list(interests),
                "skus": [suggestion.sku for suggestion in seen],
                "at": at,
            },
        )
        popular = [
            Suggestion(sku, name, category, price, currency, f"Members who love {interest} buy it.")
            for sku, name, category, price, currency, interest in cursor.fetchall()
        ]
    return [*seen, *popular][:10]


_LOOKED_AT = """
SELECT m.id, v.sku, v.name, v.category, v.price, v.currency
  FROM unnest(%(members)s::bigint[]) AS m(id)
 CROSS JOIN LATERAL (
    SELECT p.sku, p.name, p.category, p.price, p.currency, max(i.occurred_at) AS latest
      FROM members_interaction i
      JOIN members_interactionkind k ON k.id = i.kind_id AND k.slug IN ('view', 'add-to-basket')
      JOIN loyalty_product p ON p.sku = i.sku
     WHERE i.member_id = m.id AND i.occurred_at <= %(at)s
       AND i.occurred_at > %(at)s - make_interval(days => %(days)s)
       AND NOT EXISTS (
            SELECT 1 FROM loyalty_purchase b
              JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.sku = i.sku
             WHERE b.member_id = m.id AND b.occurred_at >= i.occurred_at)
     GROUP BY p.id ORDER BY latest DESC, p.sku LIMIT %(limit)s) AS v
 ORDER BY m.id, v.latest DESC, v.sku
"""
_POPULAR = """
SELECT p.sku, p.name, p.category, p.price, p.currency, min(n.name)
  FROM loyalty_product p
  JOIN loyalty_product_interests pi ON pi.product_id = p.id AND pi.interest_id = ANY(%(interests)s)
  JOIN members_interest n ON n.id = pi.interest_id
  LEFT JOIN LATERAL (
    SELECT count(*) AS sold FROM loyalty_purchaseline l
      JOIN loyalty_purchase b ON b.id = l.purchase_id
     WHERE l.product_id = p.id AND b.occurred_at > %(at)s - interval '180 days') AS s ON true
 WHERE p.sku <> ALL(%(skus)s)
   AND NOT EXISTS (SELECT 1 FROM loyalty_purchaseline l
                     JOIN loyalty_purchase b ON b.id = l.purchase_id
                    WHERE l.product_id = p.id AND b.member_id = %(member)s)
 GROUP BY p.id, s.sold
 ORDER BY min(array_position(%(interests)s::int[], pi.interest_id::int)), s.sold DESC, p.sku
 LIMIT 10
"""
