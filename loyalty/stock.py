"""Counts of what stores have, told by whoever counts: the till's own system.

The latest count of a product in a store stands, whichever is told first. It is the whole truth of
its moment: an expected delivery that it does not name is not expected any more. Selling changes
nothing here; the next count does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection

from config.errors import Invalid
from loyalty.models import Product
from members import interactions
from members.arrays import array
from members.importing import references

MOST_PER_CALL = 500
MOST_PIECES = 1_000_000
# A delivery further from its count than this is a slip of the pen.
EXPECTED_WITHIN = timedelta(days=5 * 365)


@dataclass(frozen=True, slots=True)
class Count:
    """So many of a product in a store; `counted_at` is None for just now."""

    store: str
    sku: str
    quantity: int
    counted_at: datetime | None = None
    expected_on: date | None = None


def record(counts: Sequence[Count], *, now: datetime) -> list[bool | Invalid]:
    """Keep the counts that can be; for each whether it was news, or what in it cannot be right
    (the pointer is its field). Three statements, whatever their number."""
    stores = references.stores_coded({count.store for count in counts})
    skus = {count.sku for count in counts}
    products = dict(Product.objects.filter(sku__in=skus).values_list("sku", "pk"))
    said: list[bool | Invalid] = []
    rows: list[tuple[object, ...]] = []
    for place, count in enumerate(counts):
        counted_at = count.counted_at or now
        try:
            _check(count, counted_at=counted_at, now=now)
            if count.store not in stores:
                raise Invalid(references.unknown("store", count.store), pointer="/store")
            if count.sku not in products:
                raise Invalid(references.unknown("product", count.sku), pointer="/sku")
        except Invalid as error:
            said.append(error)
            continue
        said.append(False)
        store_id, product_id = stores[count.store].pk, products[count.sku]
        rows.append((place, store_id, product_id, count.quantity, counted_at, count.expected_on))
    for place in _written(rows):
        said[place] = True
    return said


def _check(count: Count, *, counted_at: datetime, now: datetime) -> None:
    interactions.check_time(occurred_at=counted_at, now=now, pointer="/counted_at")
    if not 0 <= count.quantity <= MOST_PIECES:
        raise Invalid(f"A quantity lies between 0 and {MOST_PIECES:,}.", pointer="/quantity")
    if count.expected_on and abs(count.expected_on - counted_at.date()) > EXPECTED_WITHIN:
        raise Invalid("This is more than five years from the count.", pointer="/expected_on")


def _written(rows: Sequence[tuple[object, ...]]) -> list[int]:
    """Write them; the places of those that were news."""
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [array(column) for column in zip(*rows, strict=True)])
        return [place for (place,) in cursor.fetchall()]


# In one order, so that two that write the same rows wait for each other and do not deadlock.
_RECORD = """
WITH latest AS (
    SELECT DISTINCT ON (store_id, product_id) *
      FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::timestamptz[], %s::date[])
           AS g(place, store_id, product_id, quantity, counted_at, expected_on)
     ORDER BY store_id, product_id, counted_at DESC, place DESC
), before AS (
    SELECT s.* FROM loyalty_storestock s JOIN latest USING (store_id, product_id)
), written AS (
    INSERT INTO loyalty_storestock AS s
           (store_id, product_id, quantity, counted_at, expected_on)
    SELECT store_id, product_id, quantity, counted_at, expected_on
      FROM latest ORDER BY store_id, product_id
        ON CONFLICT (store_id, product_id) DO UPDATE
       SET quantity = excluded.quantity, counted_at = excluded.counted_at,
           expected_on = excluded.expected_on
     WHERE s.counted_at <= excluded.counted_at
    RETURNING store_id, product_id
)
SELECT latest.place
  FROM latest
  JOIN written USING (store_id, product_id)
  LEFT JOIN before USING (store_id, product_id)
 WHERE (before.quantity, before.expected_on)
       IS DISTINCT FROM (latest.quantity, latest.expected_on)
"""
