"""What would happen: the days to come, played by the clock's own verbs, and nothing of it kept.

Every live campaign runs along, with its hold-outs, caps, quiet hours and rivals. Nobody is written
to. Members are taken to do in these days what they did in as many days before, so that campaigns
which answer them have something to answer.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, Min

from campaigns import (
    arbitration,
    files,
    journeys,
    planning,
    sending,
    shadowing,
    soundness,
    triggers,
    versions,
)
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Carrier, Outcome, Result, RowCarrier
from campaigns.models import Campaign, ChannelState, ContactCap, Delivery, Journey
from campaigns.rendering import Message
from config.errors import Invalid, NotFound
from members.models import Channel

MOST_DAYS = 400
STEP = timedelta(hours=1)
WEEK = timedelta(days=7)
SHOWN = 10_000


@dataclass(slots=True)
class Totals:
    """Deliveries by what became of them, as on a campaign's page; `beaten` of the objected lost to
    a better message, `points` came with those sent. `entered` = the sum of the others. `cost` is
    in the programme's money."""

    entered: int = 0
    members: int = 0
    sent: int = 0
    held_out: int = 0
    objected: int = 0
    failed: int = 0
    expired: int = 0
    to_go: int = 0
    beaten: int = 0
    points: int = 0
    vouchers: int = 0
    cost: Decimal = Decimal(0)
    reasons: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)

    def add(self, row: Delivery, *, price: Decimal) -> None:
        name = "to_go" if row.state in Delivery.OPEN else row.state
        self.entered += 1
        setattr(self, name, getattr(self, name) + 1)
        self.beaten += row.beaten_by_id is not None and row.state == Delivery.State.OBJECTED
        if row.reason:
            self.reasons[row.reason] += 1
        if row.state == Delivery.State.SENT:
            self.points += row.step.points
            self.channels[row.channel] += 1
            self.variants[str(row.variant)] += 1
            self.vouchers += row.step.gift_id is not None
            self.cost += price

    def document(self) -> dict[str, Any]:
        """All of it in values that JSON has."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {name: dict(value) for name, value in said.items() if isinstance(value, Counter)}
        return {**said, **plain, "cost": str(self.cost)}


@dataclass(slots=True)
class Simulation:
    """`days` is {(day in the programme's zone, zone, channel): Totals} of the campaign asked for;
    `rivals` the totals of every other one; `members` one row a delivery, the first `SHOWN`;
    `reached` the ids of all who were sent something. `digest` is that of the document played, and
    the campaign's deliveries up to `last_delivery` were there before."""

    campaign: str
    start: datetime
    end: datetime
    version: int = 1
    digest: str = ""
    last_delivery: int = 0
    totals: Totals = field(default_factory=Totals)
    days: dict[tuple[str, str, str], Totals] = field(default_factory=dict)
    rivals: dict[str, Totals] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)


def simulate(
    *,
    code: str,
    start: datetime,
    days: int,
    is_next: bool = False,
    document: dict[str, Any] | None = None,
    without: Collection[str] = (),
) -> Simulation:
    """Play so many days from `start` on, with this campaign launched if it is a draft; `is_next`
    plays the draft of its next version instead of what is in force, and a `document` what it says,
    as if it were loaded now. Campaigns `without` which it is played do not run along."""
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"From 1 to {MOST_DAYS} days can be played.", pointer="/days")
    if document is None and not Campaign.objects.filter(code=code, replaces=None).exists():
        raise NotFound(f"There is no campaign '{code}'.")
    found = Simulation(code, start, start + timedelta(days=days))
    window = timedelta(days=max([1, *ContactCap.objects.values_list("window_days", flat=True)]))
    brings_points = document is not None and any(step.get("points") for step in document["steps"])
    with shadowing.shadows(codes=[code], now=start, window=window, brings_points=brings_points):
        Campaign.objects.filter(code__in=without).update(state=Campaign.State.FINISHED)
        if document is not None:
            files.load(document, now=start)
            is_next = Campaign.objects.filter(replaces__code=code).exists()
        _begin(found, is_next=is_next)
        later = WEEK * math.ceil(days / 7)
        shadowing.repeat_interactions(since=start - later, until=start, later=later)
        _play(start=start, end=found.end)
        _tell(found)
    return found


def _begin(found: Simulation, *, is_next: bool) -> None:
    now = found.start
    campaign = Campaign.objects.get(code=found.campaign)
    last = Delivery.objects.filter(campaign=campaign).aggregate(pk=Max("pk"))
    found.last_delivery = last["pk"] or 0
    if is_next:
        draft = Campaign.objects.filter(replaces=campaign).first()
        if draft is None:
            raise NotFound(f"No next version of '{found.campaign}' is written.")
        soundness.check(draft, now=now)
        versions.adopt(campaign, draft, now=now)
    found.version, found.digest = campaign.version, files.digest(campaign)
    # A minute of the wall is an instant here: rates and failing providers have no say.
    ChannelState.objects.update(max_per_minute=None, failures=0, open_until=None)
    if campaign.state == Campaign.State.DRAFT:
        soundness.check(campaign, now=now)
    if campaign.state != Campaign.State.LIVE:
        Campaign.objects.filter(pk=campaign.pk).update(
            state=Campaign.State.LIVE,
            launched_at=campaign.launched_at or now,
            planned_until=campaign.planned_until if campaign.launched_at else None,
        )


def _play(*, start: datetime, end: datetime) -> None:
    post: dict[str, Carrier] = {channel: _Nowhere() for channel in sending.CHANNELS}
    # A call is a row, and rows of today are what a desk's seats are counted by.
    post[Channel.PEOPLE] = CARRIERS[Channel.PEOPLE]()
    now, before = start, start
    while True:
        shadowing.queue_interactions(after=before, until=now)
        while triggers.answer(now=now, counts_scores=False):
            pass
        planning.plan_due(now=now)
        while journeys.advance(now=now):
            pass
        arbitration.arbitrate(now=now)
        for channel, carrier in post.items():
            while sending.send_due(channel=channel, now=now, carrier=carrier).claimed:
                pass
        if now >= end:
            return
        before, now = now, min(_next(now), end)


def _next(now: datetime) -> datetime:
    """When something is due again: in an hour at the latest, because planning looks so far."""
    due = Delivery.objects.filter(state=Delivery.State.PLANNED, due_at__gt=now)
    waiting = Journey.objects.filter(next_at__gt=now)
    first: datetime | None = due.aggregate(at=Min("due_at"))["at"]
    second: datetime | None = waiting.aggregate(at=Min("next_at"))["at"]
    return min(now + STEP, first or now + STEP, second or now + STEP)


def _tell(found: Simulation) -> None:
    prices = dict(ChannelState.objects.values_list("channel", "price"))
    rows = (
        Delivery.objects.filter(pk__gte=shadowing.FIRST_ID)
        .select_related("member", "campaign", "step", "journey", "beaten_by")
        .select_related("variant__interest", "variant__tier")
        .order_by("due_at", "member__number", "pk")
    )
    for row in rows.iterator(chunk_size=2_000):
        code, price = row.campaign.code, prices.get(row.channel, Decimal(0))
        if code != found.campaign:
            found.rivals.setdefault(code, Totals()).add(row, price=price)
            continue
        local = row.due_at.astimezone(ZoneInfo(row.journey.zone))
        key = (local.date().isoformat(), row.journey.zone, row.channel)
        found.totals.add(row, price=price)
        found.days.setdefault(key, Totals()).add(row, price=price)
        if row.state == Delivery.State.SENT:
            found.reached.add(row.member_id)
        if len(found.members) < SHOWN:
            found.members.append(_told(row, local))
    found.totals.members = Journey.objects.filter(
        campaign__code=found.campaign, pk__gte=shadowing.FIRST_ID
    ).count()


def _told(row: Delivery, local: datetime) -> dict[str, Any]:
    return {
        "member": row.member.number,
        "step": row.step.position,
        "channel": row.channel,
        "state": row.state,
        "reason": row.reason,
        "arm": "held_out" if row.journey.is_held_out else "treated",
        "variant": str(row.variant),
        "due_at": local.isoformat(),
        "zone": row.journey.zone,
        "beaten_by": row.beaten_by.campaign.code if row.beaten_by else None,
    }


class _Nowhere(RowCarrier):
    """A channel that takes everything and delivers nothing."""

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        return [Outcome(message, Result.SENT) for message in messages]
