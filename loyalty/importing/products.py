"""Products, by sku."""

from collections.abc import Hashable, Sequence
from datetime import datetime

from loyalty.importing import linking
from loyalty.models import Product
from members.importing import columns as c
from members.importing import references, upserting
from members.importing.kinds import Item, Kind, Outcome, rejected
from members.models import Programme


class Products(Kind):
    slug = "products"
    columns = (
        c.Column("sku", c.text(64), is_required=True),
        c.Column("name", c.text(200), is_required=True),
        c.Column("category", c.slug(64)),
        c.Column("interests", c.slugs(40)),
        c.Column("price", c.money()),
        c.Column("currency", c.currency),
        c.Column("cost", c.money()),
        c.Column("family", c.slug(64)),
        c.Column("released_on", c.day),
    )

    def key(self, values: c.Values) -> Hashable:
        return str(values["sku"])

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        interests = references.interests()
        stored = Product.objects.in_bulk([i.values["sku"] for i in items], field_name="sku")
        currency = Programme.objects.get().currency
        outcomes: dict[int, Outcome] = {}
        wanted: dict[int, upserting.Wanted[Product]] = {}
        for place, item in enumerate(items):
            if problem := linking.unknown_interest(item.values["interests"], interests):
                outcomes[place] = rejected(problem)
                continue
            values = upserting.said(item.values)
            values.pop("interests", None)
            before = stored.get(values["sku"])
            if "price" in values and "currency" not in values and not (before and before.currency):
                values["currency"] = currency
            wanted[place] = upserting.Wanted(values, before)
        outcomes |= linking.upsert(Product, wanted, items=items, interests=interests, unique="sku")
        return [outcomes[place] for place in range(len(items))]
