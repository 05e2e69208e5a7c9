"""The nights on which clocks are changed: every one of every zone from 2026 to 2028."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from campaigns.timing import zones

MINUTE = timedelta(minutes=1)
APART = timedelta(days=4)  # Nobody changes clocks twice within so few.


@cache
def changes() -> list[tuple[str, datetime, timedelta]]:
    """Every clock change of every zone in 2026 to 2028: the zone, the instant, how far it jumps."""
    found = []
    for name in sorted(zones()):
        zone = ZoneInfo(name)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        while at.year < 2029:
            early, late = at, at + APART
            jump = offset(late, zone) - offset(early, zone)
            if jump:
                while late - early > MINUTE:
                    middle = early + (late - early) // 2
                    if offset(middle, zone) == offset(early, zone):
                        early = middle
                    else:
                        late = middle
                found.append((name, late.replace(second=0, microsecond=0), jump))
            at += APART
    return found


def offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def wall_before(change: datetime, zone: str) -> datetime:
    """What clocks would show at the instant of the change, had they not been changed."""
    just_before = (change - MINUTE).astimezone(ZoneInfo(zone))
    return just_before.replace(tzinfo=None) + MINUTE
