"""The whole reckoning of a moment: what is owed, how it came to that, what will never be spent.

Also as tables of plain values, for whoever takes them elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.errors import Invalid
from loyalty import ageing, liability, snapshots
from loyalty.breakage import Breakage
from loyalty.liability import Month, Owed
from members.models import Programme

COHORTS = ("cohort", "expires", "available", "pending", "points", "money", "currency")
MONTHS = (
    "month", "opening", "earned", "granted", "restored", "spent", "returned", "debt_paid",
    "expired", "transferred", "closing", "debt", "adds_up",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    owed: Owed
    months: Sequence[Month]
    breakage: Breakage


def reckon(*, at: datetime) -> Reckoning:
    """Everything of one moment, from one snapshot. Minutes where there are ten million entries."""
    with snapshots.take():
        return Reckoning(
            owed=liability.outstanding(at=at),
            months=liability.movements(at=at),
            breakage=ageing.breakage_of(at=at),
        )


def moment_of(*, on: date | None, now: datetime) -> datetime:
    """The end of that day in the programme's zone, `now` if that is not over; `Invalid` for a day
    to come."""
    if on is None:
        return now
    zone = ZoneInfo(Programme.objects.get().time_zone)
    if on > now.astimezone(zone).date():
        raise Invalid("What will be owed on a day to come cannot be known.", pointer="/at")
    midnight = datetime.combine(on + timedelta(days=1), time(), tzinfo=zone)
    return min(midnight - timedelta(microseconds=1), now)


def cohorts(owed: Owed) -> Iterator[tuple[Any, ...]]:
    """A row for each part, its columns as `COHORTS`."""
    for part in owed.parts:
        yield (
            part.cohort, part.expires or "never", part.available, part.pending, part.points,
            owed.money(part.points), owed.currency,
        )  # fmt: skip


def months(rows: Sequence[Month]) -> Iterator[tuple[Any, ...]]:
    """A row for each month, its columns as `MONTHS`."""
    for row in rows:
        yield tuple(getattr(row, name) for name in MONTHS)


def document(found: Reckoning) -> dict[str, Any]:
    """Everything as one JSON document would have it; money as text, lest it be rounded."""
    owed = found.owed
    money = owed.money(owed.points)
    return {
        "at": owed.at.isoformat(),
        "points": owed.points,
        "available": owed.available,
        "pending": owed.pending,
        "debt": owed.debt,
        "money": None if money is None else str(money),
        "currency": owed.currency,
        "cohorts": [
            {
                "cohort": part.cohort.isoformat(),
                "expires": part.expires.isoformat() if part.expires else None,
                "available": part.available,
                "pending": part.pending,
            }
            for part in owed.parts
        ],
        "months": [
            dict(zip(MONTHS, row, strict=True)) | {"month": row[0].isoformat()}
            for row in months(found.months)
        ],
        "breakage": asdict(found.breakage),
    }
