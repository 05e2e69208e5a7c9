"""Plan against actual: what was foreseen of a version, beside what came, day by day.

Only days that are over are compared, everywhere the campaign was foreseen to write to. A count is
far from the plan if the difference is larger than both 5 % of it and three times its square root:
by chance alone that happens to one count in some four hundred.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from campaigns import daybook, forecasting
from campaigns.daybook import Line
from campaigns.models import Campaign, CampaignVersion, Forecast
from members.models import Programme

SHARE, DEVIATIONS = 0.05, 3.0
JUDGED = ("entered", "sent", "held_out", "objected")
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that was foreseen otherwise, and so explains what was sent: `entered`, a reason
    why not, or a state."""

    name: str
    foreseen: int
    actual: int

    @property
    def difference(self) -> int:
        return self.actual - self.foreseen


@dataclass(frozen=True, slots=True)
class Judged:
    """A line of plan (`one`) and actual (`other`), which of its counts are far from the plan, and
    if any the likely reasons."""

    line: Line
    far: tuple[str, ...]
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The plan of a version against what came; no lines while no day of it is over."""

    plan: Forecast
    launched_at: datetime
    lines: list[Judged]
    total: Judged


def reckon(campaign: Campaign, *, now: datetime, version: int | None = None) -> Reckoning | None:
    """Lay a version's plan (of the one in force unless told) beside what came until now; None if
    nothing was kept of it."""
    number = campaign.version if version is None else version
    plan = forecasting.plan_of(campaign, version=number)
    if plan is None or campaign.launched_at is None:
        return None
    launched = dict(
        CampaignVersion.objects.filter(campaign=campaign).values_list("number", "launched_at")
    )
    began = launched.get(number, campaign.launched_at)
    # From then on members enter by the next version.
    ended = launched.get(number + 1, plan.ends_at)
    zones = plan.zones or [Programme.objects.get().time_zone]
    since = _first_day(max(plan.starts_at, began), zones)
    until = _first_day(min(plan.ends_at, ended, now), zones)
    foreseen = daybook.read(plan.days)
    lines = daybook.beside(
        {key: counts for key, counts in foreseen.items() if since <= key[0] < until},
        daybook.came(campaign, since=since, until=until, after=plan.last_delivery),
    )
    judged = [judge(line) for line in lines]
    return Reckoning(plan, began, judged, judge(daybook.together(lines)))


def judge(line: Line) -> Judged:
    """Which counts of a line are far from the plan, and why."""
    far = tuple(
        name
        for name in JUDGED
        if is_far(foreseen=getattr(line.one, name), actual=getattr(line.other, name))
    )
    return Judged(line, far, tuple(_causes(line)[:MOST_REASONS]) if far else ())


def is_far(*, foreseen: int, actual: int) -> bool:
    """Whether chance is a poor explanation: counts vary by about their square root."""
    least = max(SHARE * foreseen, DEVIATIONS * math.sqrt(max(foreseen, 1)))
    return abs(actual - foreseen) > least


def _causes(line: Line) -> list[Cause]:
    """What differs, the most first."""
    entered = ("entered", line.one.entered, line.other.entered)
    found = [Cause(*row) for row in (entered, *daybook.not_sent(line)) if row[1] != row[2]]
    return sorted(found, key=lambda cause: -abs(cause.difference))


def _first_day(moment: datetime, zones: Iterable[str]) -> date:
    """The day it is then where it is earliest: all days before are over everywhere."""
    return min(moment.astimezone(ZoneInfo(zone)).date() for zone in zones)
