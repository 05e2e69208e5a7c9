"""Purchases: rows of one reference are one purchase, recorded and paid exactly as at the till.

Its rows stand together in the file. A reference recorded before is left as it is: unchanged where
the file says the same, refused where it says something else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from config.errors import Invalid
from loyalty import purchases
from loyalty.baskets import MOST_LINES, Basket, Line, check
from members.arrays import array
from members.importing import columns as c
from members.importing import references
from members.importing.kinds import LOADED, UNCHANGED, Item, Kind, Outcome, rejected
from members.models import Store

type Key = tuple[str, str]
ALIKE = ("member", "occurred_at", "currency")


class Purchases(Kind):
    slug = "purchases"
    columns = (
        c.Column("reference", c.text(64), is_required=True),
        c.Column("member", c.text(254), is_required=True),
        c.Column("occurred_at", c.moment, is_required=True),
        c.Column("channel", c.slug(24), is_required=True),
        c.Column("store", c.slug(40)),
        c.Column("sku", c.text(64)),
        c.Column("quantity", c.whole(1, 1_000_000), is_required=True),
        c.Column("unit_price", c.money(), is_required=True),
        c.Column("currency", c.currency, is_required=True),
        c.Column("category", c.text(64)),
    )
    together_by = ("reference", "store", "channel")
    most_together = MOST_LINES + 1  # So that one too many is seen.

    def __init__(self, *, with_points: bool = True) -> None:
        self._with_points = with_points

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        new: dict[Key, tuple[int, Basket]] = {}
        baskets = _baskets(items, outcomes, now=now)
        recorded = _recorded(list(baskets.values()))
        for place, basket in baskets.items():
            key = basket.origin, basket.reference
            if key in recorded:
                outcomes[place] = _compared(basket, recorded[key])
            elif key in new:
                outcomes[place] = _compared(basket, new[key][1])
            else:
                new[key] = place, basket
        receipts = purchases.record_many(
            [basket for _, basket in new.values()], now=now, with_points=self._with_points
        )
        for (place, _), receipt in zip(new.values(), receipts, strict=True):
            # Not new: a till was faster by a moment. The next run compares the two.
            outcomes[place] = LOADED if receipt.is_new else UNCHANGED
        return [outcomes[place] for place in range(len(items))]


def _baskets(
    items: Sequence[Item], outcomes: dict[int, Outcome], *, now: datetime
) -> dict[int, Basket]:
    """The items that can be purchases, by place; the others have their outcome."""
    members = references.members_named({item.values["member"] for item in items})
    stores = references.stores_coded({item.values["store"] for item in items})
    baskets: dict[int, Basket] = {}
    for place, item in enumerate(items):
        try:
            basket = _basket(item, members, stores)
            check(basket, now=now)
        except Invalid as error:
            outcomes[place] = rejected(error.detail)
        else:
            baskets[place] = basket
    return baskets


def _basket(
    item: Item, members: Mapping[str, references.Known], stores: Mapping[str, Store]
) -> Basket:
    first = item.values
    for line in item.lines[1:]:
        if differing := [name for name in ALIKE if line[name] != first[name]]:
            raise Invalid(f"The rows of this purchase disagree on {', '.join(differing)}.")
    member = members.get(first["member"])
    if member is None:
        raise Invalid(references.unknown("member", first["member"]))
    code = first["store"]
    if code and code not in stores:
        raise Invalid(references.unknown("store", code))
    return Basket(
        reference=first["reference"],
        member_id=member.id,
        zone=member.zone,
        occurred_at=first["occurred_at"],
        channel=first["channel"],
        store=stores[code] if code else None,
        currency=first["currency"],
        lines=tuple(
            Line(
                sku=line["sku"] or "",
                quantity=line["quantity"],
                unit_price=line["unit_price"],
                category=line["category"] or "",
            )
            for line in item.lines
        ),
    )


def _compared(basket: Basket, before: Basket) -> Outcome:
    """What a purchase is whose reference is taken."""
    is_same = (basket.member_id, basket.occurred_at, basket.currency, len(basket.lines)) == (
        before.member_id,
        before.occurred_at,
        before.currency,
        len(before.lines),
    ) and all(
        (said.sku, said.quantity, said.unit_price) == (kept.sku, kept.quantity, kept.unit_price)
        and said.category in ("", kept.category)
        for said, kept in zip(basket.lines, before.lines, strict=True)
    )
    if is_same:
        return UNCHANGED
    return rejected(
        f"{basket.reference!r} of {basket.origin} is recorded with other content. The rows of one"
        " purchase must stand together; a purchase once recorded is changed by a return only."
    )


def _recorded(baskets: Sequence[Basket]) -> dict[Key, Basket]:
    """The purchases that have these references already, as baskets to compare with."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORDED, [array(b.origin for b in baskets), array(b.reference for b in baskets)]
        )
        return {
            (origin, reference): Basket(
                reference=reference,
                member_id=member_id,
                zone="",
                occurred_at=occurred_at,
                channel=channel,
                store=None,
                currency=currency,
                lines=tuple(
                    Line(sku=sku, quantity=quantity, unit_price=price, category=category)
                    for sku, quantity, price, category in zip(*lines, strict=True)
                ),
            )
            for origin, reference, member_id, occurred_at, channel, currency, *lines in cursor
        }


_RECORDED = """
SELECT p.origin, p.reference, p.member_id, p.occurred_at, p.channel, p.currency,
       array_agg(l.sku ORDER BY l.position), array_agg(l.quantity ORDER BY l.position),
       array_agg(l.unit_price ORDER BY l.position), array_agg(l.category ORDER BY l.position)
  FROM unnest(%s::text[], %s::text[]) AS g(origin, reference)
  JOIN loyalty_purchase p ON p.origin = g.origin AND p.reference = g.reference
  JOIN loyalty_purchaseline l ON l.purchase_id = p.id
 GROUP BY p.id
"""
