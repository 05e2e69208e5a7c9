"""Calendars whose dates differ by region: from the words of their tables to the areas they cover.

A table names districts, counties ("Oklahoma and Logan counties") or a whole state; an address has
a city, a county and a state. Where rows disagree about one county the most common date counts,
the earlier of two equally common ones; a state without a row of its own gets an estimate the same
way. Derived areas are replaced whenever a calendar changes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from campaigns.models import Occasion, OccasionArea
from members import region_keys, regions, school_districts

LONGEST_KEY = 100
Level = OccasionArea.Level


@dataclass(frozen=True, slots=True)
class Where:
    """An area in one year, in the form that addresses are compared with."""

    year: int
    level: int
    country: str
    region: str
    key: str


def derive_areas(*, slugs: Iterable[str]) -> int:
    """Bring the areas of these calendars in line with their rows; how many areas changed.

    Running it again changes nothing.
    """
    changed = 0
    for slug in sorted(set(slugs)):
        with transaction.atomic():
            # One at a time for a calendar: each must see the rows of the other.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"occasion:{slug}"])
            rows = list(Occasion.objects.filter(occasion=slug).order_by("pk"))
            changed += _replace(slug, list(areas_of(rows)))
    return changed


def areas_of(rows: Sequence[Occasion]) -> Iterator[OccasionArea]:
    """The unsaved areas of one calendar. Pure."""
    claims: dict[Where, list[Occasion]] = defaultdict(list)
    of_state: dict[Where, list[Occasion]] = defaultdict(list)
    for row in rows:
        region = regions.locate(country=row.country, region=row.region).region
        for level, key in _covered(row, region):
            claims[Where(row.year, level, row.country, region, key)].append(row)
        if region:
            of_state[Where(row.year, Level.ESTIMATE, row.country, region, "")].append(row)
    for where, claimants in claims.items():
        day = most_common_date(row.date for row in claimants)
        for row in claimants:
            if row.date == day:
                yield _area(row, where)
    for where, claimants in of_state.items():
        if Where(where.year, Level.REGION, where.country, where.region, "") not in claims:
            day = most_common_date(row.date for row in claimants)
            yield _area(next(row for row in claimants if row.date == day), where)


def most_common_date(dates: Iterable[date]) -> date:
    """The date most of them agree on; of equally common ones the earliest."""
    counts = Counter(dates)
    return min(counts, key=lambda day: (-counts[day], day))


def _covered(row: Occasion, region: str) -> Iterator[tuple[int, str]]:
    """(level, key) of every area that a row speaks of; none where only an estimate can be made."""
    counties = region_keys.county_keys(row.county)
    is_statewide = bool(row.county) and not counties
    if row.postal_code:
        yield Level.POSTAL_CODE, _postal_key(row)
    if row.district and not is_statewide:
        state = region if row.country == "US" else ""
        for city in school_districts.district_city_keys(row.district, region=state):
            yield from _keyed(Level.CITY, city)
        counties = counties or school_districts.district_county_keys(row.district)
    for county in counties:
        yield from _keyed(Level.COUNTY, county)
    if row.postal_code or counties or (row.district and not is_statewide):
        return
    yield (Level.REGION if region else Level.COUNTRY), ""


def _keyed(level: int, key: str) -> Iterator[tuple[int, str]]:
    if 0 < len(key) <= LONGEST_KEY:
        yield level, key


def _postal_key(row: Occasion) -> str:
    return row.postal_code[:5] if row.country == "US" else row.postal_code


def _area(row: Occasion, where: Where) -> OccasionArea:
    return OccasionArea(
        occasion=row,
        slug=row.occasion,
        date=row.date,
        year=where.year,
        level=where.level,
        country=where.country,
        region=where.region,
        key=where.key,
    )


def _replace(slug: str, wanted: Sequence[OccasionArea]) -> int:
    """Write what differs from the stored areas of a calendar; the number of rows touched."""
    stored = {_identity(area): area for area in OccasionArea.objects.filter(slug=slug)}
    by_identity = {_identity(area): area for area in wanted}
    gone = [area.pk for identity, area in stored.items() if identity not in by_identity]
    new = [
        area
        for identity, area in by_identity.items()
        if identity not in stored or _content(stored[identity]) != _content(area)
    ]
    OccasionArea.objects.filter(pk__in=gone).delete()
    OccasionArea.objects.bulk_create(
        new,
        update_conflicts=True,
        unique_fields=["occasion", "level", "region", "key"],
        update_fields=["date", "year", "country"],
    )
    return len(gone) + len(new)


def _identity(area: OccasionArea) -> tuple[int, int, str, str]:
    return area.occasion_id, area.level, area.region, area.key


def _content(area: OccasionArea) -> tuple[date, int, str]:
    return area.date, area.year, area.country
