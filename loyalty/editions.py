"""New editions: products of a family one owns, released later than one's own.

Owning is having bought and kept. The newest edition somebody owns is what the new one replaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet

from loyalty.models import Product, PurchaseLine


@dataclass(frozen=True, slots=True)
class Edition:
    """The latest edition that is out, and the name of the member's own, `replaces`."""

    sku: str
    name: str
    category: str
    price: Decimal | None
    currency: str
    replaces: str


def out_for(*, member_ids: Sequence[int], at: datetime) -> dict[int, Edition]:
    """What has come out for each member who owns an older edition; of several the latest."""
    with connection.cursor() as cursor:
        cursor.execute(_OUT, {"members": list(member_ids), "at": at})
        return {member_id: Edition(*edition) for member_id, *edition in cursor.fetchall()}


def owners_of_former(
    *, days: int, category: str = "", at: datetime
) -> "QuerySet[PurchaseLine, Any]":
    """The members whose newest edition of a product is one before that of the last so many days,
    as a query to filter by."""
    out = Product.objects.exclude(family="").filter(
        released_on__gt=(at - timedelta(days=days)).date(), released_on__lte=at.date()
    )
    if category:
        out = out.filter(category=category)
    kept = PurchaseLine.objects.filter(
        returned__lt=F("quantity"),
        purchase__occurred_at__lte=at,
        product__released_on__isnull=False,
    )
    same = {"product__family": OuterRef("product__family")}
    later = kept.filter(
        purchase__member_id=OuterRef("purchase__member_id"),
        product__released_on__gt=OuterRef("product__released_on"),
        **same,
    )
    newer = out.filter(
        family=OuterRef("product__family"), released_on__gt=OuterRef("product__released_on")
    )
    # The few families first: of most products nothing new is out.
    owned = kept.filter(product__family__in=out.values("family"))
    return owned.filter(Exists(newer), ~Exists(later)).values("purchase__member_id")


_OUT = """
WITH owned AS (
    SELECT DISTINCT ON (b.member_id, p.family) b.member_id, p.family, p.name, p.released_on
      FROM loyalty_purchase b
      JOIN loyalty_purchaseline l ON l.purchase_id = b.id AND l.returned < l.quantity
      JOIN loyalty_product p ON p.id = l.product_id
     WHERE b.member_id = ANY(%(members)s) AND b.occurred_at <= %(at)s
       AND p.family <> '' AND p.released_on IS NOT NULL
     ORDER BY b.member_id, p.family, p.released_on DESC, p.sku
)
SELECT DISTINCT ON (o.member_id)
       o.member_id, p.sku, p.name, p.category, p.price, p.currency, o.name
  FROM owned o
  JOIN loyalty_product p ON p.family = o.family AND p.released_on > o.released_on
   AND p.released_on <= (%(at)s::timestamptz AT TIME ZONE 'UTC')::date
 ORDER BY o.member_id, p.released_on DESC, p.sku
"""
