"""The last gate: why a delivery may not go out now, whatever planning thought.

Everything that can change between planning and sending is read here, under a lock on the members
concerned, so that two workers cannot both give one member the last message a cap allows; and on
the desks that are to call them, so that no desk gets more calls than it has seats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from campaigns import budgets, desks, journeys, timing
from campaigns.caps import Caps, Clash
from campaigns.models import Campaign, Delivery, QuietHours
from campaigns.patience import Patience
from campaigns.reach import allowed_sql, reachable_sql, refusing
from members.models import Channel, Member, Purpose


@dataclass(slots=True)
class Gate:
    """What the gate decided: deliveries by id."""

    cleared: list[Delivery] = field(default_factory=list)
    objected: dict[int, tuple[Delivery.Reason, int | None]] = field(default_factory=dict)
    postponed: dict[int, datetime] = field(default_factory=dict)
    expired: list[int] = field(default_factory=list)
    put_back: list[int] = field(default_factory=list)
    rerouted: dict[int, str] = field(default_factory=dict)
    clashes: dict[int, Clash] = field(default_factory=dict)


def judge(deliveries: Sequence[Delivery], *, now: datetime) -> Gate:
    """Decide on claimed deliveries (with `campaign`, `step`, `journey`). Call in a transaction:
    the members stay locked until its end, and the caller writes the decisions before it."""
    gate = Gate()
    member_ids = sorted({delivery.member_id for delivery in deliveries})
    members = {
        member.pk: member
        for member in Member.objects.filter(pk__in=member_ids)
        .order_by("pk")
        .select_for_update(no_key=True)
    }
    for delivery in deliveries:
        # Its message is written to whom the gate has seen.
        delivery.member = members[delivery.member_id]
    live = set(
        Campaign.objects.filter(
            pk__in={d.campaign_id for d in deliveries}, state=Campaign.State.LIVE
        ).values_list("pk", flat=True)
    )
    ways = _ways(deliveries)
    unwanted = journeys.unwanted(deliveries, now=now) | _of_unwanted_topics(deliveries)
    quiet = list(QuietHours.objects.filter(is_active=True))
    called = {d.member_id for d in deliveries if d.channel == Channel.PEOPLE}
    room = _Room(
        caps=Caps(members, now=now),
        seats=desks.Seats([members[pk] for pk in called], now=now),
        patience=Patience(deliveries),
        purses=budgets.Purses({d.campaign_id: d.campaign for d in deliveries}.values(), now=now),
    )
    # The most important first: it gets what a cap still allows.
    for delivery in sorted(deliveries, key=lambda d: (-d.value, d.due_at, d.pk)):
        if delivery.campaign_id not in live:
            gate.put_back.append(delivery.pk)
        elif delivery.expires_at <= now:
            gate.expired.append(delivery.pk)
        elif delivery.pk in unwanted:
            gate.objected[delivery.pk] = (unwanted[delivery.pk], None)
        else:
            _judge_one(delivery, members[delivery.member_id], ways, quiet, room, gate, now)
    room.purses.write()
    return gate


def _judge_one(
    delivery: Delivery,
    member: Member,
    ways: dict[int, dict[str, tuple[bool, bool]]],
    quiet: Sequence[QuietHours],
    room: "_Room",
    gate: Gate,
    now: datetime,
) -> None:
    purpose = delivery.campaign.purpose
    reason = _away(member, purpose=purpose, now=now)
    if reason:
        gate.objected[delivery.pk] = (reason, None)
        return
    channel, reason = _channel(delivery, ways[delivery.pk])
    if channel is None:
        gate.objected[delivery.pk] = (reason, None)
        return
    if channel != delivery.channel:
        gate.rerouted[delivery.pk] = channel
        return
    if room.patience.is_at_its_end(delivery):
        gate.objected[delivery.pk] = (Delivery.Reason.IGNORED, None)
        return
    until = _quiet_until(member, quiet, channel=channel, purpose=purpose, now=now)
    if until is not None:
        _wait(delivery, until, gate, else_=Delivery.Reason.QUIET_HOURS)
        return
    if room.purses.lacks(delivery, channel=channel):
        until = room.purses.free_again_at(delivery, channel=channel)
        if until is not None:
            # A new day begins at night.
            until = (
                _quiet_until(member, quiet, channel=channel, purpose=purpose, now=until) or until
            )
        if until is not None and until < delivery.expires_at:
            gate.postponed[delivery.pk] = until
        else:
            gate.objected[delivery.pk] = (Delivery.Reason.BUDGET, None)
        return
    _make_room(delivery, member, channel, room, gate)


def _make_room(delivery: Delivery, member: Member, channel: str, room: "_Room", gate: Gate) -> None:
    """Take what a cap and, for a call, a desk still allow; or say which of them does not."""
    desk = room.seats.desk(member) if channel == Channel.PEOPLE else None
    if channel == Channel.PEOPLE and desk is None:
        gate.objected[delivery.pk] = (Delivery.Reason.DESK, None)
        return
    if desk is not None and not room.seats.has_one(desk):
        _wait(delivery, room.seats.free_again_at(desk), gate, else_=Delivery.Reason.SEATS)
        return
    clash = room.caps.take(delivery, channel=channel, purpose=delivery.campaign.purpose)
    if clash is not None:
        gate.clashes[delivery.pk] = clash
        waits = delivery.campaign.when_beaten == Campaign.WhenBeaten.WAIT
        if waits and clash.passes_at and clash.passes_at < delivery.expires_at:
            gate.postponed[delivery.pk] = clash.passes_at
        else:
            gate.objected[delivery.pk] = (clash.reason, clash.beaten_by)
        return
    if desk is not None:
        room.seats.take(desk)
        delivery.desk = desk
    room.patience.spend(delivery)
    room.purses.take(delivery, channel=channel)
    gate.cleared.append(delivery)


def _wait(delivery: Delivery, until: datetime, gate: Gate, *, else_: Delivery.Reason) -> None:
    """Put it off where its campaign waits and it is still good by then; else object."""
    waits = delivery.campaign.in_quiet_hours == Campaign.InQuietHours.WAIT
    if waits and until < delivery.expires_at:
        gate.postponed[delivery.pk] = until
    else:
        gate.objected[delivery.pk] = (else_, None)


@dataclass(frozen=True, slots=True)
class _Room:
    """What there is room for: in the members' days, in the desks' and in the campaigns' budgets."""

    caps: Caps
    seats: desks.Seats
    patience: Patience
    purses: budgets.Purses


def _away(member: Member, *, purpose: str, now: datetime) -> Delivery.Reason:
    if member.erased_at is not None:
        return Delivery.Reason.ERASED
    if member.merged_into_id is not None:
        return Delivery.Reason.MERGED
    if purpose == Purpose.MARKETING and member.paused_until and member.paused_until > now:
        return Delivery.Reason.MEMBER_PAUSE
    return Delivery.Reason.NONE


def _of_unwanted_topics(deliveries: Sequence[Delivery]) -> dict[int, Delivery.Reason]:
    """Deliveries of which the member does not want the topic: {id: why}."""
    topics = {d.campaign.topic_id for d in deliveries} - {None}
    members = {d.member_id for d in deliveries}
    refused = {pk: refusing(topic_id=pk, member_ids=members) for pk in topics if pk is not None}
    return {
        d.pk: Delivery.Reason.TOPIC
        for d in deliveries
        if d.member_id in refused.get(d.campaign.topic_id or 0, ())
    }


def _channel(
    delivery: Delivery, ways: dict[str, tuple[bool, bool]]
) -> tuple[str | None, Delivery.Reason]:
    """The planned channel if it still may, else the step's next; None with the reason."""
    step = delivery.step
    order = [delivery.channel]
    if step.send == step.Send.FIRST:
        order += [channel for channel in step.channels if channel != delivery.channel]
    for channel in order:
        if all(ways[channel]):
            return channel, Delivery.Reason.NONE
    if any(allowed for allowed, _ in (ways[channel] for channel in order)):
        return None, Delivery.Reason.ADDRESS
    return None, Delivery.Reason.CONSENT


def _ways(deliveries: Sequence[Delivery]) -> dict[int, dict[str, tuple[bool, bool]]]:
    """{delivery: {channel: (allowed, reachable)}} as of now, one query per kind of question."""
    asked: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        for channel in {delivery.channel, *delivery.step.channels}:
            asked.setdefault((channel, delivery.campaign.purpose), []).append(delivery)
    ways: dict[int, dict[str, tuple[bool, bool]]] = {d.pk: {} for d in deliveries}
    with connection.cursor() as cursor:
        for (channel, purpose), group in asked.items():
            cursor.execute(
                f"SELECT m.id, {allowed_sql(channel=channel, purpose=purpose)},"
                f" {reachable_sql(channel=channel)} FROM members_member m WHERE m.id = ANY(%s)",
                [[delivery.member_id for delivery in group]],
            )
            found = {pk: (allowed, reachable) for pk, allowed, reachable in cursor.fetchall()}
            for delivery in group:
                ways[delivery.pk][channel] = found[delivery.member_id]
    return ways


def _quiet_until(
    member: Member,
    quiet: Sequence[QuietHours],
    *,
    channel: str,
    purpose: str,
    now: datetime,
) -> datetime | None:
    until = None
    for hours in quiet:
        if purpose == hours.purpose and channel in hours.channels:
            awake = timing.quiet_until(
                at=now, zone=member.zone, starts=hours.starts, ends=hours.ends
            )
            if awake > now and (until is None or awake > until):
                until = awake
    return until
