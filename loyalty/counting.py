"""How far somebody is: so many times, so many different ones, or so many in a row. Pure.

Facts come in any order and as often as they like; what is answered depends on the set of them
alone. Days and weeks are those of the member's own zone, weeks begin on Monday.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`how` is times, distinct or streak; `unit` place, category, day or week for the latter two.

    A streak may miss `forgiven` units in all. A missing one is bridged, not counted.
    """

    how: str
    target: int
    unit: str = ""
    forgiven: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Something that counts: when, and its place or category ('' for neither)."""

    at: datetime
    thing: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`items` are the places, categories or days (ISO, of a week its Monday) that count now, in
    order of time; `reached_at` is the moment of the fact that reached the target."""

    done: int
    items: tuple[str, ...]
    reached_at: datetime | None


def progress(*, goal: Goal, facts: Iterable[Fact], zone: str, now: datetime) -> Progress:
    """How far these facts lead. `now` decides only whether a streak is still alive."""
    ordered = sorted(set(facts)) if goal.how != "times" else sorted(facts)
    match goal.how:
        case "times":
            return _times(goal, ordered)
        case "distinct":
            return _distinct(goal, ordered, ZoneInfo(zone))
        case _:
            return _streak(goal, ordered, ZoneInfo(zone), now)


def _times(goal: Goal, facts: Sequence[Fact]) -> Progress:
    counted = facts[: goal.target]
    reached_at = counted[-1].at if len(counted) == goal.target else None
    things = dict.fromkeys(fact.thing for fact in counted if fact.thing)
    return Progress(len(counted), tuple(things), reached_at)


def _distinct(goal: Goal, facts: Sequence[Fact], zone: ZoneInfo) -> Progress:
    firsts: dict[str, datetime] = {}
    for fact in facts:
        name = fact.thing
        if goal.unit in DAYS:
            name = _first_day(fact.at, zone, goal.unit).isoformat()
        if name:
            firsts.setdefault(name, fact.at)
    counted = list(firsts.items())[: goal.target]
    reached_at = counted[-1][1] if len(counted) == goal.target else None
    return Progress(len(counted), tuple(name for name, _ in counted), reached_at)


def _streak(goal: Goal, facts: Sequence[Fact], zone: ZoneInfo, now: datetime) -> Progress:
    firsts: dict[date, datetime] = {}
    for fact in facts:
        firsts.setdefault(_first_day(fact.at, zone, goal.unit), fact.at)
    days = list(firsts)
    start = 0
    for end, day in enumerate(days):
        while _missing(days[start], day, goal.unit) - (end - start - 1) > goal.forgiven:
            start += 1
        if end - start + 1 >= goal.target:
            return Progress(goal.target, _named(days[start : end + 1]), firsts[day])
    return _alive(goal, days, _first_day(now, zone, goal.unit))


def _alive(goal: Goal, days: Sequence[date], today: date) -> Progress:
    """The longest run that can still go on. The unit we are in is not missing yet."""
    run = list(days)
    late = max(_missing(days[-1], today, goal.unit), 0) if days else 0
    while run and _missing(run[0], run[-1], goal.unit) - (len(run) - 2) + late > goal.forgiven:
        run.pop(0)
    return Progress(len(run), _named(run), None)


def _first_day(at: datetime, zone: ZoneInfo, unit: str) -> date:
    """The local day of a moment, or the Monday of its week."""
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _missing(before: date, after: date, unit: str) -> int:
    """How many units lie between two; -1 from one to itself."""
    return (after - before).days // DAYS[unit] - 1


def _named(days: Iterable[date]) -> tuple[str, ...]:
    return tuple(day.isoformat() for day in days)
