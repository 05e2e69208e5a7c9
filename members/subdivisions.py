"""Provinces, Länder and cantons by one code, however they were typed: ISO 3166-2.

Codes, local and English names, and those of the larger neighbouring languages, come from the
`pycountry` package, blind to case and accents. The first look-up in a process reads its tables
(a quarter of a second); nothing is guessed: what is not known has no code.
"""

import gettext
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pycountry

from members.region_keys import plain

_LANGUAGES = ("en", "de", "fr", "it", "nl", "es")
# English names that the package lacks or spells as a table would.
_ENGLISH = (
    "AT-2 Carinthia,AT-3 Lower Austria,AT-4 Upper Austria,AT-6 Styria,AT-7 Tyrol,AT-9 Vienna,"
    "BE-BRU Brussels,BE-VLG Flanders,BE-WAL Wallonia,CH-BE Bern,CH-GE Geneva,CH-GR Grisons,"
    "CH-LU Lucerne,CH-SG St. Gallen,CH-ZH Zurich,CZ-10 Prague,DK-81 North Jutland,"
    "DK-82 Central Jutland,DK-83 Southern Denmark,DK-84 Capital Region,DK-85 Zealand,"
    "ES-AN Andalusia,ES-AR Aragon,ES-CL Castile and Leon,"
    "ES-CM Castile La Mancha,ES-CN Canary Islands,ES-CT Catalonia,ES-IB Balearic Islands,"
    "ES-NC Navarre,ES-PV Basque Country,ES-VC Valencia,"
    "FI-01 Aland,FR-20R Corsica,FR-BFC Burgundy Franche Comte,FR-BRE Brittany,FR-NAQ New Aquitaine,"
    "FR-NOR Normandy,FR-PAC Provence Alpes Cote dAzur,GR-I Attica,GR-M Crete,IT-21 Piedmont,"
    "IT-23 Aosta Valley,IT-25 Lombardy,IT-32 South Tyrol,IT-52 Tuscany,IT-75 Apulia,IT-82 Sicily,"
    "IT-88 Sardinia,NL-FR Friesland,NL-NB North Brabant,NL-NH North Holland,NL-ZH South Holland,"
    "PT-11 Lisbon,PT-20 Azores,PT-30 Madeira"
)
# Letters that Unicode does not take apart, and the other way to write German ones.
_STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})
_CODE = re.compile(r"\b[A-Z]{2}-[A-Z0-9]+\b")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@lru_cache(maxsize=4096)
def subdivision_code(region: str, *, country: str) -> str:
    """The part after the hyphen of the ISO 3166-2 code ("BY"), of a code or a name in a country
    (ISO 3166-1 alpha-2); '' when it is neither."""
    typed = region.strip().upper().removeprefix(f"{country}-")
    return typed if typed in _codes(country) else _names(country).get(_key(region), "")


def _key(name: str) -> str:
    return plain(name.casefold().translate(_STROKES))


@lru_cache(maxsize=256)
def _rows(country: str) -> list[Any]:
    rows = pycountry.subdivisions.get(country_code=country) or ()
    return sorted(rows, key=lambda row: (row.parent_code is not None, row.code))


@lru_cache(maxsize=256)
def _codes(country: str) -> frozenset[str]:
    return frozenset(row.code[3:] for row in _rows(country))


@lru_cache(maxsize=256)
def _names(country: str) -> dict[str, str]:
    """Comparable name to code of a country. A province called like the region around it is that
    region, a district like the city in it one of the two: whoever types the name means the same."""
    rows = _rows(country)
    names: dict[str, str] = {}
    for row in rows:
        for name in _spellings(row.name):
            names.setdefault(name, row.code[3:])
    for each in _ENGLISH.split(","):
        code, _, name = each.partition(" ")
        if code.startswith(country):
            names[_key(name)] = code[3:]
    for row in rows:
        for language in _LANGUAGES:
            for name in _spellings(_translations(language).gettext(row.name)):
                names.setdefault(name, row.code[3:])
    return names


def _spellings(name: str) -> Iterator[str]:
    """The keys of a name as ISO lists it: "Catalunya [Cataluña]" has two, "Madrid, Comunidad de"
    is "Madrid" and "Comunidad de Madrid" as well, "Stockholms län [SE-01]" is "Stockholm"."""
    yield _key(name)
    for part in re.split(r"\[|\]| / ", _CODE.sub("", name).casefold()):
        head, _, tail = part.partition(",")
        bare = re.sub(r"\(.*?\)|s? län\b|\bkraj\b", "", part)
        words = (part, part.translate(_UMLAUTS), bare, f"{tail} {head}", head)
        yield from (key for word in words if (key := _key(word)))


@lru_cache
def _translations(language: str) -> gettext.NullTranslations:
    return gettext.translation(
        "iso3166-2", pycountry.LOCALES_DIR, languages=[language], fallback=True
    )
