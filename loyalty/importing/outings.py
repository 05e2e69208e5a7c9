"""Outings, by code."""

from collections.abc import Hashable, Sequence
from datetime import datetime

from loyalty.importing import linking
from loyalty.models import Outing, Place
from members.importing import columns as c
from members.importing import references, upserting
from members.importing.kinds import Item, Kind, Outcome, rejected
from members.models import Store


class Outings(Kind):
    slug = "outings"
    columns = (
        c.Column("code", c.slug(64), is_required=True),
        c.Column("name", c.text(200), is_required=True),
        c.Column("starts_at", c.moment, is_required=True),
        c.Column("ends_at", c.moment, is_required=True),
        c.Column("description", c.text(2_000)),
        c.Column("place", c.text(64)),
        c.Column("store", c.text(40)),
        c.Column("capacity", c.whole(1, 1_000_000)),
        c.Column("interests", c.slugs(40)),
        c.Column("points", c.whole(0, 1_000_000)),
    )

    def key(self, values: c.Values) -> Hashable:
        return str(values["code"])

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        interests = references.interests()
        stored = Outing.objects.in_bulk([i.values["code"] for i in items], field_name="code")
        stores = references.stores_coded(i.values["store"] for i in items)
        codes = {i.values["place"] for i in items if i.values["place"]}
        places = Place.objects.in_bulk(codes, field_name="code")
        outcomes: dict[int, Outcome] = {}
        wanted: dict[int, upserting.Wanted[Outing]] = {}
        for position, item in enumerate(items):
            before = stored.get(item.values["code"])
            if problem := _problem(item.values, before, interests, stores, places):
                outcomes[position] = rejected(problem)
                continue
            values = upserting.said(item.values)
            values.pop("interests", None)
            if "store" in values:
                values["store"] = stores[values["store"]]
            if "place" in values:
                values["place"] = places[values["place"]]
            wanted[position] = upserting.Wanted(values, before)
        outcomes |= linking.upsert(Outing, wanted, items=items, interests=interests, unique="code")
        return [outcomes[position] for position in range(len(items))]


def _problem(
    values: c.Values,
    before: Outing | None,
    interests: dict[str, int],
    stores: dict[str, Store],
    places: dict[str, Place],
) -> str:
    """Why an outing cannot be as it is told, or ''."""
    if problem := linking.unknown_interest(values["interests"], interests):
        return problem
    if values["store"] and values["store"] not in stores:
        return references.unknown("store", values["store"])
    if values["place"] and values["place"] not in places:
        return references.unknown("place", values["place"])
    if values["ends_at"] <= values["starts_at"]:
        return "ends_at: it ends before it starts."
    if before and values["capacity"] and values["capacity"] < before.taken:
        return f"capacity: {before.taken} seats are taken already."
    return ""
