"""The page that plays the days to come: who would get what, when, and why not."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from campaigns import simulating
from campaigns.admin.audience import visible
from campaigns.admin.pages import CampaignPages
from campaigns.models import Campaign, Delivery
from config.errors import Refusal
from members.models import Channel

DEFAULT_DAYS, MOST_DAYS = 14, 60
SHOWN = 50
STATES = ("sent", "held_out", "objected", "failed", "expired", "to_go")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: what it is of, and how many by what would become of them."""

    name: str
    counts: tuple[int, ...]
    reasons: str


class Foreseeing(CampaignPages):
    def foresee_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing is changed, so that looking is a GET; it is played when days are given."""
        campaign = self.seen(request, object_id)
        days = _days(request.GET.get("days", ""))
        context: dict[str, Any] = {"days": days or DEFAULT_DAYS, "most": MOST_DAYS}
        if days:
            try:
                context |= _played(campaign, request, days=days)
            except Refusal as refusal:
                context["problem"] = refusal.detail
        template = "admin/campaigns/foresee.html"
        return self._answer(request, template, self._head(request, campaign, "foresee") | context)


def _played(campaign: Campaign, request: HttpRequest, *, days: int) -> dict[str, Any]:
    now = timezone.now()
    of = campaign.replaces or campaign
    is_next = campaign.replaces is not None
    found = simulating.simulate(code=of.code, start=now, days=days, is_next=is_next)
    lines = [_line("What is drafted" if is_next else "All of it", found.totals)]
    if is_next:
        former = simulating.simulate(code=of.code, start=now, days=days)
        lines.append(_line("What is in force", former.totals))
    seen = set(visible(request).values_list("number", flat=True)) if found.members else set()
    return {
        "found": found,
        "states": [state.replace("_", " ") for state in STATES],
        "lines": lines,
        "by_day": [
            _line(f"{day} · {zone} · {Channel(channel).label}", totals)
            for (day, zone, channel), totals in sorted(found.days.items())
        ],
        "rivals": [_line(code, totals) for code, totals in sorted(found.rivals.items())],
        "members": [_member(row) for row in found.members if row["member"] in seen][:SHOWN],
    }


def _line(name: str, totals: simulating.Totals) -> Line:
    reasons = ", ".join(
        f"{Delivery.Reason(reason).label}: {count:,}" for reason, count in totals.reasons.items()
    )
    return Line(name, tuple(getattr(totals, state) for state in STATES), reasons)


def _member(row: dict[str, Any]) -> dict[str, Any]:
    fate = Delivery.Reason(row["reason"]).label if row["reason"] else row["state"]
    return {
        **row,
        "fate": str(fate).replace("_", " "),
        "channel": Channel(row["channel"]).label,
        "due_at": row["due_at"][:16].replace("T", " "),
    }


def _days(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 3:
        return 0
    return min(int(text), MOST_DAYS)
