"""The first page: today in numbers, and what is worth doing next, by role."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone

from config.admin import contributions
from config.admin.local_time import zone_of
from config.admin.rows import staff_of
from members.models import User


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold's index shows (UNFOLD["DASHBOARD_CALLBACK"])."""
    user, now = staff_of(request), timezone.now()
    local = now.astimezone(ZoneInfo(zone_of(user)))
    return context | {
        "greeting": f"{_greeting(local.hour)}, {user.get_short_name()}",
        "day": f"{local:%A}, {local.day} {local:%B %Y}",
        "store": user.store,
        "figures": contributions.figures(user=user, now=now),
        "steps": contributions.steps(user=user, now=now),
        "may_search": user.has_perm("members.view_member"),
        "title": "Today",
    }


def midnight(*, user: User, now: datetime) -> datetime:
    """When today began for this person."""
    local = now.astimezone(ZoneInfo(zone_of(user)))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _greeting(hour: int) -> str:
    if hour < 12:
        return "Good morning"
    return "Good afternoon" if hour < 18 else "Good evening"
