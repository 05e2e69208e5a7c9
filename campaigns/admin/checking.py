"""The page before the launch: how many, by which channel, in which words, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from campaigns import launching, previewing, rehearsing
from campaigns.admin import wording
from campaigns.models import Campaign, Variant
from campaigns.previewing import NOBODY, Preview
from config.errors import Refusal
from members.models import Channel, Member, Programme

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which version the page shows, and for whom; `told` says why it is not for whom was asked."""

    variant: Variant
    member: Member
    is_example: bool
    told: str = ""


def context(
    campaign: Campaign,
    *,
    version: str,
    named: str,
    among: QuerySet[Member],
    now: datetime,
) -> dict[str, Any]:
    """Everything the template shows."""
    asked = choose(campaign, version=version, named=named, among=among, now=now)
    preview = previewing.preview(campaign, variant=asked.variant, member=asked.member, now=now)
    loved = previewing.loves(campaign, members=[asked.member], at=now)[asked.member.pk]
    rehearsal = rehearsing.rehearse(campaign, now=now)
    return {
        "rehearsal": rehearsal,
        "ways": [{"name": str(Channel(way.channel).label), "way": way} for way in rehearsal.ways],
        "step": campaign.steps.earliest("position"),
        "entry": wording.entry_in_words(campaign.entry),
        "problem": _problem(campaign, now=now),
        "versions": _versions(campaign, asked.variant),
        "asked": asked,
        "named": named,
        "preview": preview,
        "email_html": preview.email_html(),
        "inbox_html": preview.inbox_html(),
        "due": _due(preview),
        "is_theirs": loved == asked.variant.interest_id,
        "version": key_of(asked.variant),
    }


def choose(
    campaign: Campaign, *, version: str, named: str, among: QuerySet[Member], now: datetime
) -> Asked:
    """The version and the member to show it for; without members an invented one."""
    variants = list(_variants(campaign))
    variant = next((v for v in variants if key_of(v) == version), variants[0])
    told = ""
    if named:
        found = Member.objects.filter(pk__in=among.values("pk")).named(named).first()
        if found is not None:
            return Asked(variant, found, is_example=False)
        told = "There is no member with this number or e-mail address; this is another one."
    member = previewing.sample(campaign, variant=variant, among=among, now=now)
    if member is not None:
        return Asked(variant, member, is_example=False, told=told)
    return Asked(variant, _example(), is_example=True, told=told)


def key_of(variant: Variant) -> str:
    """What an address calls this version: ids change with every saving."""
    return variant.interest.slug if variant.interest else DEFAULT


def _variants(campaign: Campaign) -> QuerySet[Variant]:
    rows = Variant.objects.filter(step__in=campaign.steps.all())
    return rows.select_related("interest").order_by("pk")


def _versions(campaign: Campaign, shown: Variant) -> list[dict[str, Any]]:
    return [
        {
            "key": key_of(variant),
            "name": variant.interest.name if variant.interest else "Everybody else",
            "is_shown": variant.pk == shown.pk,
        }
        for variant in _variants(campaign)
    ]


def _problem(campaign: Campaign, *, now: datetime) -> str:
    """Why this draft cannot be launched as it is."""
    if campaign.state != Campaign.State.DRAFT:
        return ""
    try:
        launching.check(campaign, now=now)
    except Refusal as refusal:
        return refusal.detail
    return ""


def _due(preview: Preview) -> str:
    moment = preview.moment
    if moment is None:
        return ""
    # Worked out here: a template would show the server's zone.
    local = moment.due_at.astimezone(ZoneInfo(moment.zone))
    return f"{local:%A}, {local.day} {local:%B %Y at %H:%M} ({moment.zone.replace('_', ' ')})"


def _example() -> Member:
    return Member(
        pk=NOBODY,
        number="000000",
        given_name="Alex",
        family_name="Example",
        zone=Programme.objects.get().time_zone,
    )
