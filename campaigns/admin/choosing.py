"""The gallery: what there is to adopt, by what it is for; one click makes a draft."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import reverse
from django.utils import timezone

from campaigns import gallery
from campaigns.admin import wording
from campaigns.admin.pages import CampaignPages
from campaigns.gallery import Template
from campaigns.models import Campaign
from config.admin.columns import button
from config.admin.rows import staff_of
from config.errors import Refusal
from members.models import Channel, Programme

ICONS = {"interaction": "bolt", "recurring": "event_repeat", "people": "call"}


class Choosing(CampaignPages):
    @button(description="Gallery", icon="auto_awesome_mosaic", path="gallery", permission="add")
    def gallery(self, request: HttpRequest) -> HttpResponse:
        """Every campaign of the gallery, with what it needs and whether that is there."""
        context = {
            "title": "Gallery",
            "shelves": _shelves(gallery.templates()),
            "shop_url": Programme.objects.get().shop_url,
            "shop": gallery.SHOP,
        }
        return self._answer(request, "admin/campaigns/gallery.html", context)

    def adopt_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Make a draft of one, and go on to its check page."""
        if not self._may_adopt(request, name):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            campaign = gallery.adopt(name=name, by=staff_of(request), now=timezone.now())
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(reverse("admin:campaigns_campaign_gallery"))
        self.log_addition(request, campaign, f"Adopted from the gallery: {name}")
        messages.success(request, "A draft is made. Put it into your words before it goes out.")
        for need in _missing(name):
            messages.warning(request, need)
        return self._to(campaign, "check")

    def _may_adopt(self, request: HttpRequest, name: str) -> bool:
        """Whether this person may write campaigns, and may make what this one needs."""
        user = staff_of(request)
        makes = [need for each in gallery.templates() if each.code == name for need in each.makes]
        return self.has_add_permission(request) and user.has_perms(
            [need.permission for need in makes]
        )


def _missing(name: str) -> list[str]:
    return [need.how for each in gallery.templates() if each.code == name for need in each.missing]


def _shelves(templates: Iterable[Template]) -> list[dict[str, Any]]:
    made: dict[str, list[Campaign]] = {}
    for campaign in Campaign.objects.filter(replaces=None).order_by("pk"):
        for code in _stems(campaign.code):
            made.setdefault(code, []).append(campaign)
    return [
        {"title": title, "cards": [_card(each, made.get(each.code, [])) for each in shelf]}
        for title, shelf in groupby(templates, key=lambda template: template.shelf)
    ]


def _enters(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == "local":
        return f"On a day you choose, at {entry['local_time']} on the member's clock"
    return wording.entry_in_words(entry)


def _stems(code: str) -> Iterator[str]:
    """The codes of the gallery it may have been adopted from: back-to-school-2 is a second one."""
    yield code
    stem, _, number = code.rpartition("-")
    if number.isdecimal():
        yield stem


def _card(template: Template, made: list[Campaign]) -> dict[str, Any]:
    steps = template.document["steps"]
    pictures = [v["image"] for step in steps for v in step["variants"] if v.get("image")]
    first = template.channels[0]
    return {
        "template": template,
        # Another one a card, or each would show the hiker who comes first.
        "picture": pictures[len(template.code) % len(pictures)] if pictures else "",
        "icon": ICONS.get(first) or ICONS.get(template.document["entry"]["kind"], "mail"),
        "entry": _enters(template.document["entry"]),
        "channels": [str(Channel(channel).label) for channel in template.channels],
        "steps": len(steps),
        "versions": max(len(step["variants"]) for step in steps),
        "is_blocked": any(need.is_blocking for need in template.missing),
        "made": made,
    }
