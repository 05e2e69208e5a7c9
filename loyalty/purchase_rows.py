"""The one statement that writes purchases with their lines, for one as for ten thousand."""

from collections.abc import Sequence
from datetime import datetime

from loyalty.baskets import Basket
from loyalty.catalog import Catalog
from members import prepared
from members.arrays import array


def write(baskets: Sequence[Basket], *, catalog: Catalog, now: datetime) -> dict[int, int]:
    """Write the purchases that are new, with their lines: {position in the batch: id}."""
    first: dict[tuple[str, str], int] = {}
    for number, basket in enumerate(baskets):
        first.setdefault((basket.origin, basket.reference), number)
    chosen = [(number, baskets[number]) for number in first.values()]
    lines = [
        (number, position, line) for number, b in chosen for position, line in enumerate(b.lines, 1)
    ]
    items = [catalog.items.get(line.sku) for _, _, line in lines]
    return dict(
        prepared.execute(
            _INSERT,
            [
                array(number for number, _ in chosen),
                array(b.member_id for _, b in chosen),
                array(b.store.pk if b.store else None for _, b in chosen),
                array(b.pickup_store.pk if b.pickup_store else None for _, b in chosen),
                array(b.channel for _, b in chosen),
                array(b.origin for _, b in chosen),
                array(b.reference for _, b in chosen),
                array(b.occurred_at for _, b in chosen),
                array(b.currency for _, b in chosen),
                array(b.total for _, b in chosen),
                now,
                array(number for number, _, _ in lines),
                array(position for _, position, _ in lines),
                array(line.sku for _, _, line in lines),
                array(item.product_id if item else None for item in items),
                array(catalog.category_of(sku=x.sku, category=x.category) for _, _, x in lines),
                array(line.quantity for _, _, line in lines),
                array(line.unit_price for _, _, line in lines),
                array(line.discount for _, _, line in lines),
            ],
            rows=len(lines),
        )
    )


_INSERT = """
WITH given AS (
    SELECT * FROM unnest(
        %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
        %s::timestamptz[], %s::text[], %s::numeric[])
      AS g(number, member_id, store_id, pickup_store_id, channel, origin, reference, occurred_at,
           currency, total)
), written AS (
    INSERT INTO loyalty_purchase
        (member_id, store_id, pickup_store_id, channel, origin, reference, occurred_at,
         recorded_at, currency, total)
    SELECT member_id, store_id, pickup_store_id, channel, origin, reference, occurred_at,
           %s, currency, total
      FROM given
     WHERE NOT EXISTS (SELECT FROM loyalty_guestreceipt r
                        WHERE r.origin = given.origin AND r.reference = given.reference
                          AND r.claimed_at IS NULL)
    ON CONFLICT (origin, reference) DO NOTHING
    RETURNING id, origin, reference
), numbered AS (
    SELECT given.number, written.id FROM written JOIN given USING (origin, reference)
), lined AS (
    INSERT INTO loyalty_purchaseline
        (purchase_id, position, sku, product_id, category, quantity, unit_price, discount, returned)
    SELECT numbered.id, g.position, g.sku, g.product_id, g.category, g.quantity, g.unit_price,
           g.discount, 0
      FROM unnest(%s::int[], %s::smallint[], %s::text[], %s::bigint[], %s::text[], %s::int[],
                  %s::numeric[], %s::numeric[])
           AS g(number, position, sku, product_id, category, quantity, unit_price, discount)
      JOIN numbered USING (number)
)
SELECT number, id FROM numbered
"""
