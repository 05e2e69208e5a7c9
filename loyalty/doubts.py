"""Guessing why somebody looks at a product again and again and does not buy it.

What they looked at beside it tells most: the page about delivery, the list of stores. Else a price
well above the dearest thing they ever bought here; else that nobody told them when they would
have it, which is what shops are asked most.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection

LOOKED_WITHIN = timedelta(days=14)
REMEMBERED = timedelta(days=3 * 365)
# So much above what they are used to pay, the price is what they think about.
DEAR = Decimal("1.5")
# Categories under which shops report looks at these pages.
DELIVERY_PAGES = ("delivery", "shipping")
STORE_PAGES = ("stores", "store-finder")


class Doubt(StrEnum):
    STORE = "store"  # Is it in a store near me?
    DELIVERY = "delivery"  # When would I have it?
    PRICE = "price"


def guess(*, price: Decimal | None, dearest: Decimal | None, looked_at: Collection[str]) -> Doubt:
    """The likeliest doubt: of a product of this price, in somebody whose dearest thing cost so
    much (None: never bought) and who looked at pages of these categories."""
    if not set(looked_at).isdisjoint(STORE_PAGES):
        return Doubt.STORE
    if not set(looked_at).isdisjoint(DELIVERY_PAGES):
        return Doubt.DELIVERY
    if price is not None and dearest is not None and price > dearest * DEAR:
        return Doubt.PRICE
    return Doubt.DELIVERY


def about(*, looks: Sequence[tuple[int, str]], at: datetime) -> dict[tuple[int, str], Doubt]:
    """The doubt of each (member, sku); one query."""
    asked: dict[str, Any] = {
        "members": [member_id for member_id, _ in looks],
        "skus": [sku for _, sku in looks],
        "at": at,
        "recent": at - LOOKED_WITHIN,
        "remembered": at - REMEMBERED,
        "pages": [*DELIVERY_PAGES, *STORE_PAGES],
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, asked)
        return {
            (member_id, sku): guess(price=price, dearest=dearest, looked_at=pages)
            for member_id, sku, price, dearest, pages in cursor.fetchall()
        }


_ASKED = """
SELECT asked.member_id, asked.sku, p.price,
       (SELECT max(l.unit_price)
          FROM loyalty_purchase b
          JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.returned < l.quantity
         WHERE b.member_id = asked.member_id AND b.currency = p.currency
           AND b.occurred_at > %(remembered)s AND b.occurred_at <= %(at)s),
       ARRAY(SELECT DISTINCT i.category::text FROM members_interaction i
              WHERE i.member_id = asked.member_id AND i.category = ANY(%(pages)s)
                AND i.occurred_at > %(recent)s AND i.occurred_at <= %(at)s)
  FROM (SELECT DISTINCT * FROM unnest(%(members)s::bigint[], %(skus)s::text[])
            AS a(member_id, sku)) AS asked
  LEFT JOIN loyalty_product p ON p.sku = asked.sku
"""
