"""Calendars of dates that differ by region, row by row in the words of their source."""

from collections.abc import Hashable, Sequence
from datetime import datetime

from campaigns import launching, occasions
from campaigns.models import Occasion
from members.importing import columns as c
from members.importing import upserting
from members.importing.kinds import Item, Kind, Outcome

KEY = ("occasion", "year", "country", "region", "county", "postal_code", "district")
WORDS = ("region", "county", "postal_code", "district")


class Occasions(Kind):
    slug = "occasions"
    columns = (
        c.Column("occasion", c.slug(64), is_required=True),
        c.Column("date", c.day, is_required=True),
        c.Column("country", c.country, is_required=True),
        c.Column("region", c.text(40)),
        c.Column("county", c.text(120)),
        c.Column("postal_code", c.text(16)),
        c.Column("district", c.text(160)),
        c.Column("time_zone", c.time_zone),
        c.Column("source", c.text(500)),
    )

    def key(self, values: c.Values) -> Hashable:
        return tuple(_placed(values)[name] for name in KEY)

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        placed = [_placed(item.values) for item in items]
        slugs = {values["occasion"] for values in placed}
        years = {values["year"] for values in placed}
        stored = {
            tuple(getattr(row, name) for name in KEY): row
            for row in Occasion.objects.filter(occasion__in=slugs, year__in=years)
        }
        wanted = [
            upserting.Wanted(values, stored.get(tuple(values[name] for name in KEY)))
            for values in placed
        ]
        outcomes = upserting.upsert(Occasion, wanted, unique=KEY)
        occasions.derive_areas(slugs=slugs)
        for slug in sorted(slugs):
            launching.revisit(occasion=slug, now=now)
        return outcomes


def _placed(values: c.Values) -> c.Values:
    """The row with its year, and '' where it names no place so fine."""
    nowhere = {name: values[name] or "" for name in WORDS}
    return upserting.said(values | nowhere | {"year": values["date"].year})
