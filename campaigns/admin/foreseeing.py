"""The page that plays the days to come: who would get what, when, and why not."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from campaigns import comparing, forecasting, simulating
from campaigns.admin import beside
from campaigns.admin.audience import visible
from campaigns.admin.pages import CampaignPages
from campaigns.models import Campaign, Delivery
from config.errors import Refusal
from members.models import Channel

DEFAULT_DAYS, MOST_DAYS = 14, 60
SHOWN = 50
# So many drafts of other campaigns can be chosen to compare with, the newest.
MOST_DRAFTS = 50
STATES = ("sent", "held_out", "objected", "failed", "expired", "to_go")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: what it is of, and how many by what would become of them."""

    name: str
    counts: tuple[int, ...]
    reasons: str


@dataclass(frozen=True, slots=True)
class Other:
    """Something to compare with: a version or a draft."""

    key: str
    name: str


class Foreseeing(CampaignPages):
    def foresee_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """It is played when days are given. A POST of somebody who may change the campaign has
        what was played remembered; a GET changes nothing."""
        campaign = self.seen(request, object_id)
        asked = request.POST if request.method == "POST" else request.GET
        days, others = _days(asked.get("days", "")), _others(campaign)
        chosen = asked.get("compare", _default(campaign))
        other = next((each for each in others if each.key == chosen), None)
        context: dict[str, Any] = {
            "days": days or DEFAULT_DAYS,
            "most": MOST_DAYS,
            "others": others,
            "compare": chosen,
        }
        may_keep = request.method == "POST" and self.has_change_permission(request, campaign)
        if days:
            try:
                context |= _played(campaign, request, other, days=days, is_kept=may_keep)
            except Refusal as refusal:
                context["problem"] = refusal.detail
        template = "admin/campaigns/foresee.html"
        return self._answer(request, template, self._head(request, campaign, "foresee") | context)

    def keep_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def keep(campaign: Campaign) -> str:
            plan = forecasting.keep(code=campaign.code, now=timezone.now())
            return f"Kept as the plan of version {plan.version}: its numbers are set beside it."

        return self._do(request, object_id, keep, back="foresee", then="numbers")


def _played(
    campaign: Campaign, request: HttpRequest, other: Other | None, *, days: int, is_kept: bool
) -> dict[str, Any]:
    now = timezone.now()
    is_next = campaign.replaces is not None
    here = comparing.side(_key(campaign))
    context: dict[str, Any] = {}
    if other is None:
        found = comparing.play(here, start=now, days=days)
        lines = []
    else:
        compared = comparing.compare(comparing.side(other.key), here, start=now, days=days)
        former, found = compared.found
        lines = [_line(other.name, former.totals)]
        context = _compared(compared, other)
    if is_kept:
        forecasting.remember(found, now=now)
        plan = forecasting.plan_of(campaign, version=campaign.version)
        context |= {"remembered": True, "plan": plan}
    seen = set(visible(request).values_list("number", flat=True)) if found.members else set()
    return context | {
        "found": found,
        "states": [state.replace("_", " ") for state in STATES],
        "lines": [_line("What is drafted" if is_next else "All of it", found.totals), *lines],
        "by_day": [
            _line(f"{day} · {zone} · {Channel(channel).label}", totals)
            for (day, zone, channel), totals in sorted(found.days.items())
        ],
        "rivals": [_line(code, totals) for code, totals in sorted(found.rivals.items())],
        "members": [_member(row) for row in found.members if row["member"] in seen][:SHOWN],
    }


def _compared(found: comparing.Comparison, other: Other) -> dict[str, Any]:
    one, here = found.sides
    return {
        "compared": found,
        "other_name": other.name,
        "is_two_campaigns": one.code != here.code,
        "beside": beside.of_plays(found.total, found.lines),
    }


def _key(campaign: Campaign) -> str:
    """What `comparing.side` calls it."""
    return f"{campaign.replaces.code}@{comparing.NEXT}" if campaign.replaces else campaign.code


def _default(campaign: Campaign) -> str:
    """The draft of a next version is compared with what is in force."""
    return campaign.replaces.code if campaign.replaces else ""


def _others(campaign: Campaign) -> list[Other]:
    """What there is to compare with: other versions of the campaign, and drafts."""
    of = campaign.replaces or campaign
    found = []
    if campaign.replaces is not None:
        found.append(Other(of.code, f"what is in force (version {of.version})"))
    elif Campaign.objects.filter(replaces=of).exists():
        found.append(Other(f"{of.code}@{comparing.NEXT}", "the draft of the next version"))
    former = of.versions.filter(number__lt=of.version).values_list("number", flat=True)
    found += [Other(f"{of.code}@{number}", f"version {number}") for number in former]
    drafts = Campaign.objects.filter(state=Campaign.State.DRAFT, replaces=None)
    rows = drafts.exclude(pk=of.pk).order_by("-pk")[:MOST_DRAFTS]
    return [*found, *(Other(row.code, f"the draft “{row.name}” ({row.code})") for row in rows)]


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
