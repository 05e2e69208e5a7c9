"""Guessing why somebody looks at a product again and again and does not buy it.

Where stores count the product, what they have tells most: nobody has it and no date is known; no
store near them has it; else the price. Where nobody counts it, what they looked at beside it: the
list of stores, the page about delivery. Else a price well above the dearest thing they ever bought
here; else that nobody told them when they would have it, which is what shops are asked most.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection

from loyalty import nearby
from loyalty.nearby import Found

LOOKED_WITHIN = timedelta(days=14)
REMEMBERED = timedelta(days=3 * 365)
# So much above what they are used to pay, the price is what they think about.
DEAR = Decimal("1.5")
# Categories under which shops report looks at these pages.
DELIVERY_PAGES = ("delivery", "shipping")
STORE_PAGES = ("stores", "store-finder")


class Doubt(StrEnum):
    STOCK = "no_stock_near"  # Is it in a store near me?
    DELIVERY = "no_delivery_date"  # When would I have it?
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class Guess:
    doubt: Doubt
    found: Found


def guess(
    *,
    price: Decimal | None,
    dearest: Decimal | None,
    looked_at: Collection[str],
    found: Found,
) -> Doubt:
    """The likeliest doubt: of a product of this price that is found so, in somebody whose dearest
    thing cost so much (None: never bought) and who looked at pages of these categories."""
    if found.is_sold_out and found.available_on is None:
        return Doubt.DELIVERY
    # Who lives near no store does not ask what the stores have.
    if found.is_counted and found.nearest:
        return Doubt.PRICE if found.nearest.has_it else Doubt.STOCK
    if not set(looked_at).isdisjoint(STORE_PAGES):
        return Doubt.STOCK
    if not set(looked_at).isdisjoint(DELIVERY_PAGES):
        return Doubt.DELIVERY
    if price is not None and dearest is not None and price > dearest * DEAR:
        return Doubt.PRICE
    return Doubt.DELIVERY


def about(*, looks: Sequence[tuple[int, str]], at: datetime) -> dict[tuple[int, str], Guess]:
    """The doubt of each (member, sku); one query."""
    asked: dict[str, Any] = {
        **nearby.asked(looks, at=at),
        "recent": at - LOOKED_WITHIN,
        "remembered": at - REMEMBERED,
        "pages": [*DELIVERY_PAGES, *STORE_PAGES],
    }
    guesses: dict[tuple[int, str], Guess] = {}
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, asked)
        for member_id, sku, *columns, price, dearest, pages in cursor.fetchall():
            found = nearby.found(*columns)
            doubt = guess(price=price, dearest=dearest, looked_at=pages, found=found)
            guesses[member_id, sku] = Guess(doubt, found)
    return guesses


_ASKED = f"""
SELECT asked.*, p.price,
       (SELECT max(l.unit_price)
          FROM loyalty_purchase b
          JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.returned < l.quantity
         WHERE b.member_id = asked.member_id AND b.currency = p.currency
           AND b.occurred_at > %(remembered)s AND b.occurred_at <= %(at)s),
       ARRAY(SELECT DISTINCT i.category::text FROM members_interaction i
              WHERE i.member_id = asked.member_id AND i.category = ANY(%(pages)s)
                AND i.occurred_at > %(recent)s AND i.occurred_at <= %(at)s)
  FROM ({nearby.FIND}) AS asked
  LEFT JOIN loyalty_product p ON p.sku = asked.sku
"""
