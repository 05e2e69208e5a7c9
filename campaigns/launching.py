"""Launching, pausing and resuming: the same checks from the admin, the shell and a file."""

from datetime import datetime

from django.db import transaction

from campaigns import (
    audiences,
    files,
    forecasting,
    planning,
    rendering,
    soundness,
    versions,
)
from campaigns.models import Campaign, Link
from campaigns.tracking import is_web_address
from config.errors import Invalid, NotFound, Refusal
from loyalty.models import PointsPolicy
from members import ownership
from members.models import Programme, User


class NotLaunchable(Refusal):
    """The campaign's state does not allow this."""

    code = "campaign_state"
    status = 409


def launch(*, code: str, by: User | None, now: datetime) -> Campaign:
    """Make a draft live: from now on its moments are planned and its messages go out. Of a
    launched campaign with a draft, the next version comes into force.

    A campaign to more members than one person may reach alone, or with more points, is asked for by
    the first who calls this (it stays a draft, with `asked_at`) and launched by a second one.
    """
    with transaction.atomic():
        campaign = draft = _locked(code)
        if campaign.replaces is not None:
            raise NotLaunchable(f"Launch '{campaign.replaces.code}': this is its next version.")
        if campaign.state != Campaign.State.DRAFT:
            draft = _next_version(campaign)
        soundness.check(draft, now=now)
        _check_order(draft)
        if _takes_two(draft, by=by, now=now) and not _is_second(draft, by=by, now=now):
            return draft
        said = files.digest(draft)
        if draft.pk != campaign.pk:
            versions.adopt(campaign, draft, now=now)
        else:
            campaign.state = Campaign.State.LIVE
            campaign.launched_at, campaign.launched_by = now, by
            # A moment due in this very minute must not fall between two clocks.
            campaign.planned_until = None
            campaign.save(update_fields=["state", "launched_at", "launched_by", "planned_until"])
        _write_links(campaign)
        versions.keep(campaign, by=by, now=now)
        forecasting.keep_at_launch(campaign, said=said, now=now)
    return campaign


def _next_version(campaign: Campaign) -> Campaign:
    if campaign.state == Campaign.State.FINISHED:
        raise NotLaunchable(
            f"'{campaign.code}' is finished; only drafts launch: give what comes next another code."
        )
    draft = Campaign.objects.select_for_update().filter(replaces=campaign).first()
    if draft is None:
        raise NotLaunchable(
            f"'{campaign.code}' is {campaign.state}; only drafts launch, and no next version is"
            " written."
        )
    return draft


def _takes_two(draft: Campaign, *, by: User | None, now: datetime) -> bool:
    """Whether it reaches more members than one person may alone, or gives more points than one
    may give by hand in a day, or perhaps to that person."""
    most = Programme.objects.get().launch_alone_up_to
    points = sum(step.points for step in draft.steps.all())
    if most is None and not points:
        return False
    many = audiences.members(draft.audience.definition, at=now).count()
    if most is not None and many > most:
        return True
    if not points:
        return False
    allowed = PointsPolicy.objects.get().grants_a_day
    return many * points > allowed or (by is not None and ownership.has_one(user=by))


def _is_second(draft: Campaign, *, by: User | None, now: datetime) -> bool:
    """Whether somebody else asked for this launch before, of the draft as it stands; if nobody
    did, this is asking."""
    said = files.digest(draft)
    if draft.asked_at is None or draft.asked_for != said:
        draft.asked_at, draft.asked_by, draft.asked_for = now, by, said
        draft.save(update_fields=["asked_at", "asked_by", "asked_for"])
        return False
    if draft.asked_by == by:
        raise NotLaunchable(
            "So many members, or points, take a second person: somebody else launches it. How many"
            " one person may launch alone stands in Programme and in Points policy."
        )
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


def _write_links(campaign: Campaign) -> None:
    for step in campaign.steps.all():
        for variant in step.variants.all():
            urls = {url for url in rendering.linked(variant.body) if is_web_address(url)}
            Link.objects.bulk_create(
                [Link(variant=variant, url=url) for url in sorted(urls) if "{" not in url],
                ignore_conflicts=True,
            )
