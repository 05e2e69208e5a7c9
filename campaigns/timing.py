"""Wall clocks and instants: when local time comes, when a zone sleeps, when a crontab runs next.

Pure: each wall time becomes one instant. What a clock change skips becomes the next valid minute,
what it repeats its first occurrence, so a schedule neither loses a run nor doubles one. Zones are
IANA names; instants come in aware and go out in UTC.
"""

import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Every IANA zone that means the same on every machine."""
    return frozenset(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def _zone(name: str) -> ZoneInfo:
    if name not in zones():
        raise ValueError(f"{name!r:.80} is not an IANA time zone such as 'America/Denver'.")
    return ZoneInfo(name)


def resolve(*, day: date, wall: time, zone: str) -> datetime:
    """The UTC instant at which clocks in the zone show that wall time on that day.

    Skipped by a clock change: the next valid minute; repeated: the first occurrence (PEP 495,
    fold 0). Raises ValueError on an unknown zone and where the calendar of `datetime` ends.
    """
    return _instant(datetime.combine(day, wall), _zone(zone), fold=0)


def _instant(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    try:
        first, last = (wall.replace(tzinfo=zone, fold=each).astimezone(UTC) for each in (0, 1))
    except OverflowError:
        raise ValueError(f"{wall} in {zone.key} is outside the calendar.") from None
    if first <= last:
        return last if fold else first
    return _change(last.replace(microsecond=0), first.replace(microsecond=0), zone)


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The first whole minute after the clock change that lies after `early`, at `late` the latest.

    In a gap PEP 495 reads a wall time with the offset before the change (fold 0, a later instant)
    and after it (fold 1, an earlier one): the change is between the two.
    """
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late + timedelta(seconds=-late.astimezone(zone).second % 60)


def in_quiet_hours(*, at: datetime, zone: str, starts: time, ends: time) -> bool:
    """Whether the zone sleeps at that instant: from `starts` until `ends`, which may be tomorrow.

    Equal times mean no quiet hours. Where the clock repeats an hour, quiet begins with the first
    `starts` and ends with the last `ends`: in doubt, let people sleep. Raises ValueError on an
    unknown zone and a naive `at`.
    """
    return _wakes(_aware(at), _zone(zone), starts, ends) is not None


def quiet_until(*, at: datetime, zone: str, starts: time, ends: time) -> datetime:
    """The first instant from `at` on that is not quiet, in UTC; `at` itself when it is not."""
    until, place = _aware(at), _zone(zone)
    # Twice around when a clock change skips the only waking hours of a day.
    while wakes := _wakes(until, place, starts, ends):
        until = wakes
    return until


def _wakes(at: datetime, zone: ZoneInfo, starts: time, ends: time) -> datetime | None:
    """When the quiet hours around `at` end; None when there are none around it."""
    if starts == ends:
        return None
    today = at.astimezone(zone).date()
    for day in (today - _DAY, today):
        last_day = day if starts < ends else day + _DAY
        falls_asleep = _instant(datetime.combine(day, starts), zone, fold=0)
        wakes = _instant(datetime.combine(last_day, ends), zone, fold=1)
        if falls_asleep <= at < wakes:
            return wakes
    return None


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone.")
    return at.astimezone(UTC)


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    names: str = ""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    _Field("day of week", 0, 7, "sun mon tue wed thu fri sat"),
)
_ITEM = re.compile(
    r"(\*|(?P<from>[0-9]{1,2}|[a-z]{3})(-(?P<to>[0-9]{1,2}|[a-z]{3}))?)(/(?P<step>[0-9]{1,2}))?"
)
_LONGEST = 400  # characters; all 60 minutes listed take 169
_YEARS = 40  # the longest wait: 29 February on a given weekday, across 2100


@dataclass(frozen=True)
class _Crontab:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either_day: bool

    def runs_on(self, day: date) -> bool:
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Every matching wall minute from `start` on, in order."""
        day, end = start.date(), date(min(start.year + _YEARS, date.max.year), 12, 31)
        while day < end:
            if day.month in self.months and self.runs_on(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        wall = datetime.combine(day, time(hour, minute))
                        if wall >= start:
                            yield wall
            day += _DAY


def next_run(*, crontab: str, after: datetime, zone: str) -> datetime:
    """The first run of a five-field crontab strictly after an instant, in UTC.

    Fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday), in the zone's wall
    time, with lists, ranges, steps and English three-letter names. As in crontab(5), a run needs
    *one* of the two day fields to match when neither starts with `*`, else both. Every matching
    wall minute runs once, at the instant `resolve` gives it; minutes skipped together run as one.
    Raises ValueError naming the field that is wrong, or when no run ever comes.
    """
    schedule, place = _parsed(crontab), _zone(zone)
    instant = _aware(after)
    start = instant.astimezone(place).replace(tzinfo=None, second=0, microsecond=0)
    for wall in schedule.walls(start):
        run = _instant(wall, place, fold=0)
        if run > instant:
            return run
    raise ValueError(f"The day of month in {crontab!r} never comes in its month.")


@lru_cache(maxsize=256)
def _parsed(crontab: str) -> _Crontab:
    texts = crontab.lower().split() if len(crontab) <= _LONGEST else []
    if len(texts) != len(_FIELDS):
        wanted = ", ".join(field.name for field in _FIELDS)
        raise ValueError(f"A crontab has five fields ({wanted}), not {crontab!r:.40}.")
    minutes, hours, days, months, weekdays = map(_values, _FIELDS, texts)
    either_day = not (texts[2].startswith("*") or texts[4].startswith("*"))
    weekdays = tuple(sorted({weekday % 7 for weekday in weekdays}))
    return _Crontab(minutes, hours, days, months, weekdays, either_day)


def _values(field: _Field, text: str) -> tuple[int, ...]:
    values: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise _wrong(field, item)
        first = _number(field, match["from"]) if match["from"] else field.first
        last = _number(field, match["to"]) if match["to"] else first
        if match["from"] is None or (match["step"] and not match["to"]):
            last = field.last
        if field.name == "day of week" and match["to"] in ("sun", "0") and first > 0:
            last = 7
        step = int(match["step"] or 1)
        if step == 0 or not field.first <= first <= last <= field.last:
            raise _wrong(field, item)
        values.update(range(first, last + 1, step))
    return tuple(sorted(values))


def _number(field: _Field, text: str) -> int:
    if text.isdecimal():
        return int(text)
    if text not in field.names.split():
        raise _wrong(field, text)
    return field.names.split().index(text) + field.first


def _wrong(field: _Field, item: str) -> ValueError:
    return ValueError(
        f"The {field.name} of a crontab is {field.first} to {field.last}, not {item!r:.40}."
    )
