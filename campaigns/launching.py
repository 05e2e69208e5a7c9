"""Launching, pausing and resuming: the same checks from the admin, the shell and a file."""

from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns import (
    audiences,
    entries,
    goals,
    images,
    planning,
    rendering,
    step_conditions,
    versions,
)
from campaigns.channels import CARRIERS
from campaigns.models import Campaign, Link, Occasion, Step
from campaigns.tracking import is_web_address
from config.errors import Invalid, NotFound, Refusal
from loyalty.models import Place
from members.models import InteractionKind, Interest, Programme, User


class NotLaunchable(Refusal):
    """The campaign's state does not allow this."""

    code = "campaign_state"
    status = 409


def check(campaign: Campaign, *, now: datetime) -> None:
    """Refuse a campaign that could not be carried out; `Invalid` names the place."""
    entries.check(campaign.entry)
    _check_names(campaign.entry)
    if entries.is_over(campaign.entry, now=now):
        raise Invalid("This moment has passed.", pointer="/entry")
    audiences.check(campaign.audience.definition)
    goals.check(campaign.goal, kinds=set(InteractionKind.objects.values_list("slug", flat=True)))
    steps = list(campaign.steps.prefetch_related("variants"))
    if not steps:
        raise Invalid("A campaign has at least one step.", pointer="/steps")
    for number, step in enumerate(steps):
        _check_step(step, pointer=f"/steps/{number}")


def launch(*, code: str, by: User | None, now: datetime) -> Campaign:
    """Make a draft live: from now on its moments are planned and its messages go out. Of a
    launched campaign with a draft, the next version comes into force.

    A campaign to more members than one person may reach alone is asked for by the first who calls
    this (it stays a draft, with `asked_at`) and launched by a second one.
    """
    with transaction.atomic():
        campaign = _locked(code)
        draft = campaign
        if campaign.state != Campaign.State.DRAFT:
            draft = _next_version(campaign)
        check(draft, now=now)
        _check_order(draft)
        if _takes_two(draft, now=now) and not _is_second(draft, by=by, now=now):
            return draft
        if draft.pk != campaign.pk:
            versions.adopt(campaign, draft)
        else:
            campaign.state = Campaign.State.LIVE
            campaign.launched_at, campaign.launched_by = now, by
            # A moment due in this very minute must not fall between two clocks.
            campaign.planned_until = None
            campaign.save(update_fields=["state", "launched_at", "launched_by", "planned_until"])
        _write_links(campaign)
        versions.keep(campaign, by=by, now=now)
    return campaign


def _next_version(campaign: Campaign) -> Campaign:
    draft = Campaign.objects.select_for_update().filter(replaces=campaign).first()
    if draft is None:
        raise NotLaunchable(
            f"'{campaign.code}' is {campaign.state}; only drafts launch, and no next version is"
            " written."
        )
    return draft


def _takes_two(draft: Campaign, *, now: datetime) -> bool:
    most = Programme.objects.get().launch_alone_up_to
    if most is None:
        return False
    return audiences.members(draft.audience.definition, at=now).count() > most


def _is_second(draft: Campaign, *, by: User | None, now: datetime) -> bool:
    """Whether somebody else asked for this launch before, of the draft as it stands; if nobody
    did, this is asking."""
    if draft.asked_at is None:
        draft.asked_at, draft.asked_by = now, by
        draft.save(update_fields=["asked_at", "asked_by"])
        return False
    if draft.asked_by == by:
        raise NotLaunchable("This many members take a second person: somebody else launches it.")
    return True


def _check_order(draft: Campaign) -> None:
    """Refuse a campaign only for members of campaigns that wait for this one in turn."""
    code = draft.replaces.code if draft.replaces else draft.code
    needs = {
        row.code: audiences.required_campaigns(row.audience.definition)
        for row in Campaign.objects.exclude(state=Campaign.State.FINISHED)
        .exclude(pk=draft.pk)
        .select_related("audience")
    }
    needs[code] = audiences.required_campaigns(draft.audience.definition)
    waiting, seen = sorted(needs[code]), set()
    while waiting:
        name = waiting.pop()
        if name == code:
            raise Invalid(
                "Nobody could ever enter: its members must have entered a campaign that is only"
                " for members of this one.",
                pointer="/audience",
            )
        if name not in seen:
            seen.add(name)
            waiting += sorted(needs.get(name, ()))


def pause(*, code: str, now: datetime) -> Campaign:
    """Stop sending at once: senders read this right before every batch."""
    with transaction.atomic():
        campaign = _locked(code)
        if campaign.state != Campaign.State.LIVE:
            raise NotLaunchable(f"'{campaign.code}' is {campaign.state}; only live ones pause.")
        campaign.state, campaign.paused_at = Campaign.State.PAUSED, now
        campaign.save(update_fields=["state", "paused_at"])
    return campaign


def resume(*, code: str, now: datetime) -> Campaign:
    """Go on. What became too old meanwhile expires; nothing is sent twice."""
    with transaction.atomic():
        campaign = _locked(code)
        if campaign.state != Campaign.State.PAUSED:
            raise NotLaunchable(f"'{campaign.code}' is {campaign.state}; only paused ones resume.")
        campaign.state, campaign.paused_at = Campaign.State.LIVE, None
        campaign.save(update_fields=["state", "paused_at"])
    return campaign


def revisit(*, occasion: str, now: datetime) -> None:
    """A calendar changed: live campaigns on it plan their recent moments anew."""
    planning.look_again(
        campaigns=Campaign.objects.filter(
            state__in=[Campaign.State.LIVE, Campaign.State.PAUSED], entry__occasion=occasion
        ),
        now=now,
    )


def _locked(code: str) -> Campaign:
    campaign = Campaign.objects.select_for_update().filter(code=code).first()
    if campaign is None:
        raise NotFound(f"There is no campaign '{code}'.")
    return campaign


def _check_names(entry: dict[str, Any]) -> None:
    if (
        entry["kind"] == "occasion"
        and not Occasion.objects.filter(occasion=entry["occasion"]).exists()
    ):
        raise Invalid(
            f"No dates are known for the occasion '{entry['occasion']}'; load them first.",
            pointer="/entry/occasion",
        )
    if (
        entry["kind"] == entries.TRIGGERED
        and not InteractionKind.objects.filter(slug=entry["interaction"]).exists()
    ):
        raise Invalid(
            f"There is no interaction '{entry['interaction']}'.", pointer="/entry/interaction"
        )
    if "place" in entry and not Place.objects.filter(code=entry["place"]).exists():
        raise Invalid(f"There is no place '{entry['place']}'.", pointer="/entry/place")
    if "interest" in entry and not Interest.objects.filter(slug=entry["interest"]).exists():
        raise Invalid(f"There is no interest '{entry['interest']}'.", pointer="/entry/interest")


def _check_step(step: Step, *, pointer: str) -> None:
    if step.condition:
        step_conditions.LANGUAGE.check(step.condition, pointer=f"{pointer}/if")
    if not step.channels:
        raise Invalid("A step names at least one channel.", pointer=f"{pointer}/channels")
    for number, channel in enumerate(step.channels):
        if channel not in CARRIERS:
            raise Invalid(
                f"'{channel}' cannot send yet; there are: {', '.join(CARRIERS)}.",
                pointer=f"{pointer}/channels/{number}",
            )
    variants = list(step.variants.all())
    if not any(variant.interest_id is None for variant in variants):
        raise Invalid(
            "A step needs a default variant, for members who love something else.",
            pointer=f"{pointer}/variants",
        )
    for number, variant in enumerate(variants):
        where = f"{pointer}/variants/{number}"
        rendering.check(subject=variant.subject, body=variant.body, pointer=where)
        if variant.image and variant.image not in images.SCENES:
            raise Invalid(
                f"There is no picture '{variant.image}'; there are: {', '.join(images.SCENES)}.",
                pointer=f"{where}/image",
            )


def _write_links(campaign: Campaign) -> None:
    for step in campaign.steps.all():
        for variant in step.variants.all():
            urls = {url for url in rendering.linked(variant.body) if is_web_address(url)}
            Link.objects.bulk_create(
                [Link(variant=variant, url=url) for url in sorted(urls) if "{" not in url],
                ignore_conflicts=True,
            )
