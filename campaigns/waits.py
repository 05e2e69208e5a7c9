"""When a step is due after the one before: so many minutes later, and then, if the step names a
time of day, when the member's clock next shows it. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns import timing

UNITS = {"days": 1_440, "hours": 60, "minutes": 1}
LONGEST = 400 * UNITS["days"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wall:
    """In this zone, whoever is due in (after, at] is due at `at`."""

    zone: str
    after: datetime
    at: datetime


def walls(*, local_time: time, zones: Iterable[str], first: datetime, last: datetime) -> list[Wall]:
    """The instants at which clocks of the zones show the time, for whoever is due in
    [first, last]; in UTC, without a gap between one and the next."""
    found = []
    for zone in zones:
        place = ZoneInfo(zone)
        day = first.astimezone(place).date() - _DAY
        end = last.astimezone(place).date() + _DAY
        after: datetime | None = None
        while day <= end:
            at = timing.resolve(day=day, wall=local_time, zone=zone)
            if after is not None and at > after:
                found.append(Wall(zone, after, at))
            after = at
            day += _DAY
    return found


def due(*, after: datetime, minutes: int, local_time: time | None, zone: str) -> datetime:
    """When a step is due that waits so after this moment, where the clock is that of the zone."""
    later = after + timedelta(minutes=minutes)
    if local_time is None:
        return later
    found = walls(local_time=local_time, zones=[zone], first=later, last=later)
    return next((wall.at for wall in found if wall.after < later <= wall.at), later)


def written(minutes: int, local_time: time | None) -> dict[str, int | str]:
    """A wait as a campaign's file says it: {"days": 7, "local_time": "10:00"}."""
    said: dict[str, int | str] = {}
    for unit, size in UNITS.items():
        if minutes and minutes % size == 0:
            said[unit] = minutes // size
            break
    return said | ({"local_time": f"{local_time:%H:%M}"} if local_time else {})


def read(said: dict[str, object]) -> tuple[int, time | None]:
    """(minutes, time of day) of a wait; ValueError says what is wrong with it."""
    unknown = said.keys() - UNITS.keys() - {"local_time"}
    if unknown:
        raise ValueError(
            f"A wait has days, hours or minutes, and local_time, not '{min(unknown)}'."
        )
    minutes = 0
    for unit, size in UNITS.items():
        number = said.get(unit, 0)
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"'{unit}' is a whole number.")
        minutes += number * size
    if minutes > LONGEST:
        raise ValueError("A wait is at most 400 days.")
    wall = said.get("local_time")
    if wall is None:
        return minutes, None
    local_time = time.fromisoformat(wall if isinstance(wall, str) else "")
    if local_time.tzinfo is not None or local_time.second or local_time.microsecond:
        raise ValueError("'local_time' is the clock on the wall, as in 10:00.")
    return minutes, local_time
