"""Days, months and years as rules count them, in local time. Pure."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def period_key(*, period: str, day: date) -> str:
    """The name of the cap period a day falls in: its first day, or 'ever'."""
    match period:
        case "day":
            return day.isoformat()
        case "week":
            return (day - timedelta(days=day.weekday())).isoformat()
        case "month":
            return day.replace(day=1).isoformat()
        case "year":
            return day.replace(month=1, day=1).isoformat()
        case _:
            return "ever"


def months_later(*, moment: datetime, months: int) -> datetime:
    """The same day and hour so many months on; the last day of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def end_of(*, moment: datetime, period: str, zone: str) -> datetime:
    """The first instant after the local month or year that a moment lies in."""
    local = moment.astimezone(ZoneInfo(zone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "year":
        first = first.replace(month=1)
    return months_later(moment=first, months=12 if period == "year" else 1).astimezone(UTC)
