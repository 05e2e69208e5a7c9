"""Stores, by code."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from decimal import Decimal

from members.importing import columns as c
from members.importing import references, upserting
from members.importing.kinds import Item, Kind, Outcome, rejected
from members.models import Store


def degrees(cell: str) -> Decimal:
    """Degrees to six decimals (0.1 m), exact."""
    return Decimal(repr(_number(cell))).quantize(Decimal("0.000001"))


_number = c.number(-180, 180)


class Stores(Kind):
    slug = "stores"
    columns = (
        c.Column("code", c.slug(40), is_required=True),
        c.Column("name", c.text(120), is_required=True),
        c.Column("latitude", degrees, is_required=True),
        c.Column("longitude", degrees, is_required=True),
        c.Column("time_zone", c.time_zone, is_required=True),
        c.Column("country", c.country, is_required=True),
        c.Column("region", c.text(40)),
        c.Column("postal_code", c.text(16)),
    )

    def key(self, values: c.Values) -> Hashable:
        return str(values["code"])

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        stored = references.stores_coded(item.values["code"] for item in items)
        outcomes: dict[int, Outcome] = {}
        wanted: dict[int, upserting.Wanted[Store]] = {}
        for place, values in enumerate(item.values for item in items):
            try:
                c.check_position(
                    latitude=float(values["latitude"]), longitude=float(values["longitude"])
                )
            except ValueError as error:
                outcomes[place] = rejected(str(error))
            else:
                said = upserting.said(values)
                wanted[place] = upserting.Wanted(said, stored.get(values["code"]))
        written = upserting.upsert(Store, list(wanted.values()), unique=["code"])
        outcomes.update(zip(wanted, written, strict=True))
        return [outcomes[place] for place in range(len(items))]
