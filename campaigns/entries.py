"""How members enter a campaign: what an entry may say, and the moments it means.

A moment is one wall time in one zone turned into one instant. The clock asks for those that fall
between two instants; planning joins members to them by zone (and date). Pure.
"""

import calendar
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from campaigns import timing
from config.errors import Invalid

DEFAULT_LOCAL_TIME = "10:00"
EVERYWHERE = ""
# No place on earth is further from UTC than this.
WIDEST_OFFSET = timedelta(hours=15)
KEYS: dict[str, tuple[set[str], set[str]]] = {
    # kind: required keys, optional keys
    "moment": ({"at"}, set()),
    "local": ({"date"}, {"local_time"}),
    "occasion": ({"occasion"}, {"offset_days", "local_time"}),
    "member_date": ({"date"}, {"offset_days", "local_time"}),
    "interaction": (
        {"interaction"},
        {
            "delay_minutes",
            "place",
            "category",
            "sku",
            "interest",
            "value_at_least",
            "value_at_most",
        },
    ),
    "recurring": ({"crontab"}, set()),
    "audience": (set(), set()),
}
# Whoever comes to be in the audience enters: it is looked up once an hour.
BY_AUDIENCE = "audience"
MEMBER_DATES = ("birthday", "joined")
TRIGGERED = "interaction"
NUMBERS = {
    "offset_days": (-400, 400),
    "delay_minutes": (0, 86_400),
    "value_at_least": (0, 1_000_000),
    "value_at_most": (0, 1_000_000),
}
LONGEST = 100
FIRST_YEAR, LAST_YEAR = 2000, 2999
EPOCH = datetime(2027, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """When members of a zone are due: `day` is the occasion's or member's date, if it has one."""

    zone: str
    day: date | None
    due_at: datetime
    occurrence: str


def check(entry: object, *, pointer: str = "/entry") -> None:
    """Refuse an entry that cannot be; `Invalid` names the key. Rows it names are not looked up."""
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(kind, str) or kind not in KEYS:
        raise Invalid(f"An entry has a kind: {', '.join(KEYS)}.", pointer=f"{pointer}/kind")
    required, optional = KEYS[kind]
    for key in entry.keys() - required - optional - {"kind"}:
        raise Invalid(
            f"An entry of kind '{kind}' knows no '{str(key)[:60]}'.",
            pointer=f"{pointer}/{key}",
        )
    for key in required - entry.keys():
        raise Invalid(f"An entry of kind '{kind}' needs '{key}'.", pointer=f"{pointer}/{key}")
    for key, value in entry.items():
        try:
            _check_value(kind, key, value)
        except (ValueError, TypeError, OverflowError) as error:
            raise Invalid(str(error), pointer=f"{pointer}/{key}") from error


def is_over(entry: Mapping[str, Any], *, now: datetime) -> bool:
    """Whether nobody can enter any more: a single moment that has passed everywhere."""
    if entry["kind"] == "moment":
        return datetime.fromisoformat(entry["at"]) <= now
    if entry["kind"] == "local":
        last = datetime.combine(date.fromisoformat(entry["date"]), _wall(entry), now.tzinfo)
        return last + WIDEST_OFFSET <= now
    return False


def moments(
    entry: Mapping[str, Any],
    *,
    after: datetime,
    until: datetime,
    zones: Iterable[str],
    days: Iterable[date] = (),
) -> list[Moment]:
    """The moments in (after, until], for these zones; `days` are an occasion's dates."""
    match entry["kind"]:
        case "moment":
            at = datetime.fromisoformat(entry["at"])
            found = [Moment(EVERYWHERE, None, at, "once")]
        case "local":
            day = date.fromisoformat(entry["date"])
            found = [_moment(entry, day, zone, None, "once") for zone in zones]
        case "occasion":
            near = [day for day in days if _may_fall(entry, day, after, until)]
            found = [_moment(entry, day, z, day, str(day.year)) for day in near for z in zones]
        case "member_date":
            near = [
                day
                for day in _days_between(after, until, offset=entry.get("offset_days", 0))
                if _may_fall(entry, day, after, until)
            ]
            found = [_moment(entry, day, z, day, str(day.year)) for day in near for z in zones]
        case "recurring":
            found = [
                moment for zone in zones for moment in _runs(entry["crontab"], zone, after, until)
            ]
        case "audience":
            # After a standstill the latest look finds everybody.
            at = until.replace(minute=0, second=0, microsecond=0)
            found = [Moment(EVERYWHERE, None, at, f"look {at:%Y-%m-%dT%H}")]
        case _:
            found = []
    return [moment for moment in found if after < moment.due_at <= until]


def matches(entry: Mapping[str, Any], *, kind: str, facts: Mapping[str, Any]) -> bool:
    """Whether an interaction of this kind enters; `facts`: place, category, sku, interests, and
    its value, a number or None."""
    if entry["kind"] != TRIGGERED or entry["interaction"] != kind:
        return False
    if any(key in entry and entry[key] != facts.get(key) for key in ("place", "category", "sku")):
        return False
    if not _is_within(entry, facts.get("value")):
        return False
    return "interest" not in entry or entry["interest"] in facts.get("interests", ())


def _is_within(entry: Mapping[str, Any], value: Decimal | None) -> bool:
    """Whether the value, of a survey the score, is one that the entry asks for."""
    low, high = entry.get("value_at_least"), entry.get("value_at_most")
    if value is None:
        return low is None and high is None
    return (low is None or value >= low) and (high is None or value <= high)


def anniversary_keys(day: date) -> list[tuple[int, int]]:
    """The (month, day) of birth celebrated on this day: 29 February on the 28th otherwise."""
    keys = [(day.month, day.day)]
    if keys == [(2, 28)] and not calendar.isleap(day.year):
        keys.append((2, 29))
    return keys


def _moment(
    entry: Mapping[str, Any], day: date, zone: str, key: date | None, occurrence: str
) -> Moment:
    on = day + timedelta(days=int(entry.get("offset_days", 0)))
    due_at = timing.resolve(day=on, wall=_wall(entry), zone=zone)
    return Moment(zone, key, due_at, occurrence)


def _runs(crontab: str, zone: str, after: datetime, until: datetime) -> list[Moment]:
    runs: list[Moment] = []
    place = ZoneInfo(zone)
    at = timing.next_run(crontab=crontab, after=after, zone=zone)
    while at <= until and len(runs) < 1_000:
        # By the wall: who changes zones within the day is not told the same news again.
        runs.append(Moment(zone, None, at, f"run {at.astimezone(place):%Y-%m-%dT%H:%M}"))
        at = timing.next_run(crontab=crontab, after=at, zone=zone)
    return runs


def _may_fall(entry: Mapping[str, Any], day: date, after: datetime, until: datetime) -> bool:
    """Whether a date can be due between the two instants in any zone: a cheap first sieve."""
    on = datetime.combine(day, _wall(entry), after.tzinfo)
    on += timedelta(days=int(entry.get("offset_days", 0)))
    return after - WIDEST_OFFSET < on <= until + WIDEST_OFFSET


def _days_between(after: datetime, until: datetime, *, offset: int) -> list[date]:
    first = (after - WIDEST_OFFSET - timedelta(days=offset)).date()
    last = (until + WIDEST_OFFSET - timedelta(days=offset)).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _wall(entry: Mapping[str, Any]) -> time:
    return time.fromisoformat(entry.get("local_time", DEFAULT_LOCAL_TIME))


def _check_value(kind: str, key: str, value: Any) -> None:
    if key in NUMBERS:
        low, high = NUMBERS[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"'{key}' is a whole number from {low} to {high:,}.")
        return
    if not isinstance(value, str) or not value or len(value) > LONGEST or "\x00" in value:
        raise ValueError(f"'{key}' is a text.")
    checks: dict[str, Callable[[str], object]] = {
        "at": _check_instant,
        "local_time": _check_wall,
        "date": _check_day if kind == "local" else _check_member_date,
        "crontab": lambda said: timing.next_run(crontab=said, after=EPOCH, zone="UTC"),
    }
    if key in checks:
        checks[key](value)


def _check_instant(value: str) -> None:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("'at' needs its offset, as in 2027-03-01T10:00:00-07:00.")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"'at' lies between {FIRST_YEAR} and {LAST_YEAR}.")


def _check_wall(value: str) -> None:
    if time.fromisoformat(value).tzinfo is not None:
        raise ValueError("'local_time' is the clock on the wall, as in 10:00.")


def _check_day(value: str) -> None:
    # The calendar ends with 9999, in some zones hours earlier.
    if not FIRST_YEAR <= date.fromisoformat(value).year <= LAST_YEAR:
        raise ValueError(f"'date' lies between {FIRST_YEAR} and {LAST_YEAR}.")


def _check_member_date(value: str) -> None:
    if value not in MEMBER_DATES:
        raise ValueError(f"'date' is one of: {', '.join(MEMBER_DATES)}.")
