"""Where an address is: state, county, coordinates and time zone, looked up offline.

Postal codes of the United States come from the `zipcodes` package, zones of other countries from
the tz database, their provinces from ISO 3166-2. Nothing is guessed: what is unknown is '' or
None, and a zone is always a valid IANA name or ''. The first US look-up in a process reads the
table.
"""

import re
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from statistics import fmean
from sys import intern
from zoneinfo import ZoneInfo

import zipcodes

from members.region_keys import city_key, plain
from members.subdivisions import subdivision_code

_STATES = (
    "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,"
    "DE Delaware,DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,"
    "IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,"
    "MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,"
    "NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,"
    "OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,"
    "SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,WA Washington,"
    "WV West Virginia,WI Wisconsin,WY Wyoming,AS American Samoa,FM Micronesia,GU Guam,"
    "MH Marshall Islands,MP Northern Mariana Islands,PR Puerto Rico,PW Palau,"
    "VI Virgin Islands,AA Armed Forces Americas,AE Armed Forces Europe,AP Armed Forces Pacific"
)
_US_MAIL = frozenset({"US", "AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI"})
_COUNTRIES = (
    "US usa,US united states of america,GB uk,GB united kingdom,GB great britain,GB england,"
    "GB scotland,GB wales,DE deutschland,NL the netherlands,NL holland,NL nederland,AT osterreich,"
    "CH schweiz,CH suisse,ES espana,IT italia,CZ czechia,KR korea,TR turkiye,IE eire"
)
_MOST = 0.9  # of a city's postal codes: SFO's is in another county than the rest of San Francisco


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A resolved address: ISO 3166-1 alpha-2, the code of a state or province as after the hyphen
    of ISO 3166-2 (as typed where nobody knows it), WGS84 degrees, IANA zone.

    `city` is the post office's name of a known postal code, else as typed.
    """

    country: str = ""
    region: str = ""
    county: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None
    zone: str = ""


def locate(*, country: str, region: str = "", city: str = "", postal_code: str = "") -> Region:
    """The most that is known of an address; the postal code wins over what was typed beside it.

    `country` is a code or a common name, `region` a state's or province's code
    or name. Without a known
    postal code a US address gets what nearly all postal codes of its city agree on, else the zone
    of most of its state's. The first US look-up in a process reads the table (under two seconds,
    50 MB), the next ones take microseconds.
    """
    code = country_code(country)
    if code not in _US_MAIL:
        return Region(
            country=code,
            region=region_code(region, country=code) or region.strip(),
            city=city.strip(),
            zone=_country_zone(code),
        )
    state = region_code(region, country=code)
    match = re.fullmatch(r"([0-9]{5})(?:[- ]?[0-9]{4})?", postal_code.strip())
    found = _postal_codes().get(match[1]) if match else None
    if found is None and city:
        found = _cities().get((state, city_key(city)))
    if found is None:
        found = Region(region=state or region.strip(), city=city.strip())
    return replace(found, country=code, zone=found.zone or _state_zones().get(found.region, ""))


def country_code(country: str) -> str:
    """ISO 3166-1 alpha-2 of a code or a common name ("USA", "Germany"); '' when it is neither."""
    code = re.sub(r"\W", "", country).upper()
    names = _country_names()
    return code if code in names.values() else names.get(plain(country), "")


def region_code(region: str, *, country: str) -> str:
    """The code of a state or province (a code or a name) in a country (ISO 3166-1 alpha-2); ''
    when it is neither. A territory of the United States is its own."""
    if country not in _US_MAIL:
        return subdivision_code(region, country=country)
    return _state_code(region if country == "US" else country)


def _state_code(region: str) -> str:
    code = re.sub(r"^US-|\W", "", region.upper())
    names = _names(_STATES)
    return code if code in names.values() else names.get(plain(region), "")


@lru_cache
def _names(codes: str) -> dict[str, str]:
    return {plain(each[3:]): each[:2] for each in codes.split(",")}


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=1)
def _postal_codes() -> dict[str, Region]:
    # By first digit, because the whole table as dicts takes 80 MB that Python does not give back.
    return {
        intern(row["zip_code"]): Region(
            region=intern(row["state"]),
            county=intern(row["county"]),
            city=intern(row["city"]),
            latitude=float(row["lat"]) or None,  # 0 for military post offices
            longitude=float(row["long"]) or None,
            zone=intern(row["timezone"]) if row["timezone"] in _zones() else "",
        )
        for digit in "0123456789"
        for row in zipcodes.similar_to(digit)
    }


@lru_cache(maxsize=1)
def _cities() -> dict[tuple[str, str], Region]:
    codes = defaultdict(list)
    for region in _postal_codes().values():
        codes[region.region, city_key(region.city)].append(region)
    return {
        place: Region(
            region=place[0],
            county=_agreed(one.county for one in each),
            city=each[0].city,
            latitude=_mean(one.latitude for one in each),
            longitude=_mean(one.longitude for one in each),
            zone=_agreed(one.zone for one in each),
        )
        for place, each in codes.items()
    }


def _agreed(values: Iterable[str]) -> str:
    counts = Counter(value for value in values if value)
    (value, count), *_ = [*counts.most_common(1), ("", 0)]
    return value if count >= _MOST * counts.total() else ""


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


@lru_cache(maxsize=1)
def _state_zones() -> dict[str, str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for region in _postal_codes().values():
        if region.zone:
            counts[region.region][region.zone] += 1
    return {state: zones.most_common(1)[0][0] for state, zones in counts.items()}


def _table(name: str) -> list[list[str]]:
    text = (files("tzdata.zoneinfo") / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    """Plain English name to code; "Korea (South)" is also "South Korea"."""
    names: dict[str, str] = {}
    for code, name in _table("iso3166.tab"):
        main, _, rest = name.partition("(")
        names |= {plain(each): code for each in (name, f"{rest} {main}")}
        names.setdefault(plain(main), code)
    return names | _names(_COUNTRIES)


@lru_cache(maxsize=1)
def _country_zones() -> dict[str, list[str]]:
    zones = defaultdict(list)
    for code, _, zone, *_ in _table("zone.tab"):
        zones[code].append(zone)
    return zones


@lru_cache(maxsize=256)
def _country_zone(code: str) -> str:
    """The zone of a country whose clocks all agree (Germany's two do), else ''."""
    zones = _country_zones().get(code, [])
    months = [datetime(2026 + at // 12, at % 12 + 1, 15, tzinfo=UTC) for at in range(24)]
    clocks = {tuple(at.astimezone(ZoneInfo(zone)).utcoffset() for at in months) for zone in zones}
    return zones[0] if len(clocks) == 1 else ""


@lru_cache(maxsize=64)
def city_names(region: str) -> frozenset[str]:
    """The keys of all post offices of a state, of all states for ''."""
    places = _cities()
    return frozenset(city for state, city in places if region in ("", state))
