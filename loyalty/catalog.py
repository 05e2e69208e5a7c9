"""What is known of the things in a basket: products by sku, and the interests they teach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from members import prepared
from members.arrays import array


@dataclass(frozen=True, slots=True)
class Item:
    """A product as a purchase or a view needs it."""

    product_id: int
    name: str
    category: str
    interests: dict[str, int]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Items by sku, and the interests that are also names of categories."""

    items: dict[str, Item] = field(default_factory=dict)
    category_interests: dict[str, int] = field(default_factory=dict)

    def category_of(self, *, sku: str, category: str) -> str:
        """The category said, else the product's own."""
        item = self.items.get(sku)
        return category or (item.category if item else "")

    def interests_of(self, *, sku: str, category: str) -> dict[str, int]:
        """{slug: id} taught by this product, or by a category named like an interest."""
        item = self.items.get(sku)
        named = self.category_of(sku=sku, category=category)
        taught = dict(item.interests) if item else {}
        if named in self.category_interests:
            taught[named] = self.category_interests[named]
        return taught


def look_up(*, skus: Iterable[str]) -> Catalog:
    """Everything about these skus, in one query; unknown skus are simply absent."""
    wanted = named(skus)
    return read(prepared.execute(LOOK_UP, [array(wanted)], rows=len(wanted)))


def named(skus: Iterable[str]) -> list[str]:
    """The skus that `LOOK_UP` is asked for."""
    return sorted({sku for sku in skus if sku})


def read(found: Iterable[Sequence[Any]]) -> Catalog:
    """What the rows of `LOOK_UP` say."""
    catalog = Catalog()
    for sku, pk, name, category, slugs, ids in found:
        if sku is None:
            catalog.category_interests[category] = pk
        else:
            catalog.items[sku] = Item(pk, name, category, dict(zip(slugs, ids, strict=True)))
    return catalog


LOOK_UP = """
SELECT p.sku, p.id, p.name, p.category,
       coalesce(array_agg(i.slug) FILTER (WHERE i.id IS NOT NULL), '{}') AS slugs,
       coalesce(array_agg(i.id) FILTER (WHERE i.id IS NOT NULL), '{}') AS ids
  FROM loyalty_product p
  LEFT JOIN loyalty_product_interests pi ON pi.product_id = p.id
  LEFT JOIN members_interest i ON i.id = pi.interest_id
 WHERE p.sku = ANY(%s::text[])
 GROUP BY p.id
UNION ALL
SELECT NULL, id, name, slug, '{}', '{}' FROM members_interest
"""
