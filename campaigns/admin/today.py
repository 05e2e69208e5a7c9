"""What campaigns say on the first page, and on the page of one member."""

from collections.abc import Iterator
from datetime import datetime

from django.urls import reverse

from campaigns import tasks_for_people, why
from campaigns.admin import wording
from campaigns.models import Campaign, ChannelState, StaffTask
from config.admin.contributions import (
    Figure,
    Panel,
    Step,
    adds_figures,
    adds_panels,
    adds_steps,
)
from members.models import Member, User

MOST_DRAFTS = 3
MOST_MESSAGES = 12
MOST_CALLS = 5
State = Campaign.State


@adds_figures
def speaking(user: User, now: datetime) -> Iterator[Figure]:
    if not user.has_perm("campaigns.view_campaign"):
        return
    campaigns = reverse("admin:campaigns_campaign_changelist")
    yield Figure(
        label="Live campaigns",
        value=Campaign.objects.filter(state=State.LIVE).count(),
        note="planning and sending by themselves",
        link=f"{campaigns}?state__exact=live",
        order=60,
    )


@adds_figures
def calls(user: User, now: datetime) -> Iterator[Figure]:
    if not user.has_perm("campaigns.view_stafftask"):
        return
    waiting = tasks_for_people.open_for(user)
    late = waiting.filter(due_at__lte=now).count()
    yield Figure(
        label="Calls waiting",
        value=waiting.count(),
        note=f"{late} of them due" if late else "none of them due yet",
        link=reverse("admin:campaigns_stafftask_changelist"),
        order=55,
    )


@adds_steps
def calling(user: User, now: datetime) -> Iterator[Step]:
    if not user.has_perm("campaigns.change_stafftask"):
        return
    first = tasks_for_people.open_for(user).select_related("member").first()
    if first is not None:
        yield Step(
            text=f"Call {first.member.full_name or first.member.number}",
            note=first.subject,
            link=reverse("admin:campaigns_stafftask_change", args=[first.pk]),
            icon="call",
            is_urgent=True,
            order=20,
        )


@adds_steps
def campaigning(user: User, now: datetime) -> Iterator[Step]:
    if not user.has_perm("campaigns.change_campaign"):
        return
    for state in ChannelState.objects.filter(open_until__gt=now):
        yield Step(
            text=f"Nothing goes out by {state}",
            note="The provider takes nothing. What is due waits, and expires if this lasts.",
            link=reverse("admin:campaigns_channelstate_changelist"),
            icon="network_check",
            is_urgent=True,
        )
    for campaign in Campaign.objects.filter(state=State.PAUSED)[:MOST_DRAFTS]:
        yield Step(
            text=f"{campaign.name} is paused",
            note="What is due expires while nobody resumes it.",
            link=reverse("admin:campaigns_campaign_numbers", args=[campaign.pk]),
            icon="pause_circle",
            is_urgent=True,
        )
    for campaign in Campaign.objects.filter(state=State.DRAFT).order_by("-pk")[:MOST_DRAFTS]:
        yield Step(
            text=f"Check and launch {campaign.name}",
            note=wording.entry_in_words(campaign.entry),
            link=reverse("admin:campaigns_campaign_check", args=[campaign.pk]),
            icon="rocket_launch",
            order=60,
        )
    if user.has_perm("campaigns.add_campaign"):
        yield Step(
            text="Write a campaign",
            note="Who, when, and what to say, in a version per pursuit.",
            link=reverse("admin:campaigns_campaign_add"),
            icon="campaign",
            order=70,
        )
        yield Step(
            text="Adopt a campaign from the gallery",
            note="Greetings, follow-ups, surveys, calls: a draft with one click.",
            link=reverse("admin:campaigns_campaign_gallery"),
            icon="auto_awesome_mosaic",
            order=75,
        )


@adds_panels
def called(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if not user.has_perm("campaigns.view_stafftask"):
        return
    seen = tasks_for_people.seen_by(user).filter(member=member)
    rows = seen.filter(state=StaffTask.State.DONE).select_related("done_by").order_by("-done_at")
    if tasks := rows[:MOST_CALLS]:
        yield Panel(
            title="Calls",
            template="admin/campaigns/called.html",
            context={"tasks": tasks},
            is_wide=True,
            order=15,
        )


@adds_panels
def messages(member: Member, user: User, now: datetime) -> Iterator[Panel]:
    if not user.has_perm("campaigns.view_delivery"):
        return
    rows = [
        {
            "delivery": delivery,
            "reason": wording.reason_in_words(delivery.reason) if delivery.reason else "",
            "tone": wording.DELIVERY_TONES.get(delivery.state, ""),
        }
        for delivery in why.recent(member=member, at=now)[:MOST_MESSAGES]
    ]
    found = reverse("admin:campaigns_delivery_changelist")
    yield Panel(
        title="Messages",
        template="admin/campaigns/panel.html",
        context={"rows": rows},
        link=f"{found}?q={member.number}",
        link_text="All of them",
        is_wide=True,
        order=60,
    )
