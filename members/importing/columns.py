"""The cells of a file: what each column may hold, and the sentence that says when it does not.

A parser takes the cell's text, trimmed and not empty, and returns the value or raises ValueError
with what is wrong, written to follow the column's name: "unit_price is not a number ...". Pure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

from members import currencies

YEARS = range(1900, 2201)
_MOST_KEPT = 4_096  # Columns repeat themselves: a cell seen before is not parsed again.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.([0-9]{1,15}))?")
_FLOAT = re.compile(r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?")
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

type Values = dict[str, Any]
type Parser = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`parse` sees only cells that hold something; an empty one is None, unless it is required."""

    name: str
    parse: Parser
    is_required: bool = False


def values_of(*, columns: Sequence[Column], cells: Mapping[str, str]) -> tuple[Values, list[str]]:
    """The typed values of a row, and a sentence for each cell that cannot be right."""
    values: Values = {}
    problems: list[str] = []
    for column in columns:
        name = column.name
        values[name] = None
        text = cells.get(name)
        if text and (text := text.strip()):
            try:
                values[name] = column.parse(text)
            except ValueError as error:
                problems.append(f"{name} {error}")
        elif column.is_required:
            problems.append(f"{name} is missing")
    return values, problems


def shown(text: str) -> str:
    """A cell as a sentence quotes it: short, and with nothing that moves a cursor."""
    return repr(text) if len(text) <= 40 else repr(text[:40] + "…")


def text(longest: int) -> Parser:
    """One line of text. Control characters are refused: they forge headers and break exports."""

    def parse(cell: str) -> str:
        if len(cell) > longest:
            raise ValueError(f"is longer than {longest} characters: {shown(cell)}")
        if not cell.isprintable() and (found := _CONTROL.search(cell)) is not None:
            raise ValueError(f"has a control character, {found[0]!a}")
        return cell

    return parse


def slug(longest: int) -> Parser:
    @lru_cache(_MOST_KEPT)
    def parse(cell: str) -> str:
        if not _SLUG.fullmatch(cell):
            raise ValueError(f"has only letters, digits, - and _, unlike {shown(cell)}")
        if len(cell) > longest:
            raise ValueError(f"is longer than {longest} characters: {shown(cell)}")
        return cell

    return parse


def slugs(longest: int) -> Parser:
    """Slugs separated by `;`, each once, in alphabetical order."""
    one = slug(longest)

    @lru_cache(_MOST_KEPT)
    def parse(cell: str) -> tuple[str, ...]:
        return tuple(sorted({one(part.strip()) for part in cell.split(";") if part.strip()}))

    return parse


def choice(*allowed: str) -> Parser:
    def parse(cell: str) -> str:
        if cell not in allowed:
            raise ValueError(f"is one of {', '.join(allowed)}, not {shown(cell)}")
        return cell

    return parse


def whole(least: int, most: int) -> Parser:
    @lru_cache(_MOST_KEPT)
    def parse(cell: str) -> int:
        if not _WHOLE.fullmatch(cell):
            raise ValueError(f"is not a whole number: {shown(cell)}")
        number = int(cell)
        if not least <= number <= most:
            raise ValueError(f"lies between {least:,} and {most:,}, unlike {shown(cell)}")
        return number

    return parse


def money(*, least: Decimal = Decimal(0)) -> Parser:
    """An exact amount with at most two decimals that mean something."""

    @lru_cache(_MOST_KEPT)
    def parse(cell: str) -> Decimal:
        found = _DECIMAL.fullmatch(cell)
        if found is None:
            raise ValueError(f"is not an amount like 12.50: {shown(cell)}")
        if found[1] and found[1][2:].strip("0"):
            raise ValueError(f"has more than two decimals: {shown(cell)}")
        amount = Decimal(cell)
        if not least <= amount < 10_000_000_000:
            raise ValueError(f"lies between {least:,} and 9,999,999,999.99, unlike {shown(cell)}")
        return amount.quantize(Decimal("0.01"))

    return parse


def number(least: float, most: float) -> Parser:
    """A finite floating-point number."""

    def parse(cell: str) -> float:
        if not _FLOAT.fullmatch(cell):
            raise ValueError(f"is not a number: {shown(cell)}")
        value = float(cell)
        if not least <= value <= most:
            raise ValueError(f"lies between {least:g} and {most:g}, unlike {shown(cell)}")
        return value

    return parse


def check_position(*, latitude: float, longitude: float) -> None:
    """ValueError with a whole sentence unless this is on Earth. Both are within 180 already."""
    if abs(latitude) > 90:
        if abs(longitude) <= 90:
            raise ValueError("Latitude and longitude seem to be swapped.")
        raise ValueError(f"A latitude lies between -90 and 90, unlike {latitude}.")


def yes_or_no(cell: str) -> bool:
    try:
        return _WORDS[cell.casefold()]
    except KeyError:
        raise ValueError(f"is yes or no, not {shown(cell)}") from None


def day(cell: str) -> date:
    try:
        found = date.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"is not a date like 2026-09-08: {shown(cell)}") from None
    if found.year not in YEARS:
        raise ValueError(f"lies before {YEARS[0]} or after {YEARS[-1]}: {shown(cell)}")
    return found


def moment(cell: str) -> datetime:
    """An instant; without an offset nobody knows which one is meant."""
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"is not a time like 2026-09-08T10:00:00+02:00: {shown(cell)}") from None
    if found.tzinfo is None:
        raise ValueError(f"has no offset, as in 2026-09-08T10:00:00+02:00: {shown(cell)}")
    if found.year not in YEARS:
        raise ValueError(f"lies before {YEARS[0]} or after {YEARS[-1]}: {shown(cell)}")
    return found


@lru_cache(_MOST_KEPT)
def currency(cell: str) -> str:
    code = cell.upper()
    if not currencies.is_known(code):
        raise ValueError(f"is an ISO 4217 code like USD, not {shown(cell)}")
    return code


def country(cell: str) -> str:
    if not (len(cell) == 2 and cell.isascii() and cell.isalpha()):
        raise ValueError(f"is an ISO 3166 code like US, not {shown(cell)}")
    return cell.upper()


def time_zone(cell: str) -> str:
    if cell not in _zones():
        raise ValueError(f"is not an IANA time zone: {shown(cell)}")
    return cell


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})
