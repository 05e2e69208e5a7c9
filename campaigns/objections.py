"""The last gate: why a delivery may not go out now, whatever planning thought.

Everything that can change between planning and sending is read here, under a lock on the members
concerned, so that two workers cannot both give one member the last message a cap allows; and on
the desks that are to call them, so that no desk gets more calls than it has seats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from campaigns import budgets, desks, journeys, timing
from campaigns.models import Campaign, ContactCap, Delivery, Objection, QuietHours
from campaigns.reach import allowed_sql, reachable_sql
from members.models import Channel, Member, Purpose

# A cap counts what went out or may have gone out.
COUNTED = (
    Delivery.State.CLAIMED,
    Delivery.State.SENDING,
    Delivery.State.SENT,
    Delivery.State.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Clash:
    """A cap that a delivery ran into, and the first moment it would pass; None: it never would."""

    reason: Delivery.Reason
    cap: ContactCap
    had: int
    beaten_by: int | None
    passes_at: datetime | None


@dataclass(slots=True)
class Gate:
    """What the gate decided: deliveries by id."""

    cleared: list[Delivery] = field(default_factory=list)
    objected: dict[int, tuple[Delivery.Reason, int | None]] = field(default_factory=dict)
    postponed: dict[int, datetime] = field(default_factory=dict)
    expired: list[int] = field(default_factory=list)
    put_back: list[int] = field(default_factory=list)
    rerouted: dict[int, str] = field(default_factory=dict)
    clashes: dict[int, "Clash"] = field(default_factory=dict)


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
    live = set(
        Campaign.objects.filter(
            pk__in={d.campaign_id for d in deliveries}, state=Campaign.State.LIVE
        ).values_list("pk", flat=True)
    )
    ways = _ways(deliveries)
    unwanted = journeys.unwanted(deliveries, now=now)
    quiet = list(QuietHours.objects.filter(is_active=True))
    called = {d.member_id for d in deliveries if d.channel == Channel.PEOPLE}
    room = _Room(
        caps=_Caps(member_ids, now=now),
        seats=desks.Seats([members[pk] for pk in called], now=now),
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


def remember(gate: Gate, *, now: datetime) -> None:
    """Write how the deliveries ran into their caps, for whoever asks why."""
    rows = [
        Objection(
            delivery_id=pk,
            cap=clash.cap,
            had=clash.had,
            allowed=clash.cap.max_messages,
            passes_at=clash.passes_at,
            at=now,
        )
        for pk, clash in sorted(gate.clashes.items())
    ]
    if rows:
        Objection.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["delivery"],
            update_fields=["cap", "had", "allowed", "passes_at", "at"],
        )


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
    if member.erased_at is not None:
        gate.objected[delivery.pk] = (Delivery.Reason.ERASED, None)
        return
    if member.merged_into_id is not None:
        gate.objected[delivery.pk] = (Delivery.Reason.MERGED, None)
        return
    if purpose == Purpose.MARKETING and member.paused_until and member.paused_until > now:
        gate.objected[delivery.pk] = (Delivery.Reason.MEMBER_PAUSE, None)
        return
    channel, reason = _channel(delivery, ways[delivery.pk])
    if channel is None:
        gate.objected[delivery.pk] = (reason, None)
        return
    if channel != delivery.channel:
        gate.rerouted[delivery.pk] = channel
        return
    until = _quiet_until(member, quiet, channel=channel, purpose=purpose, now=now)
    if until is not None:
        _wait(delivery, until, gate, else_=Delivery.Reason.QUIET_HOURS)
        return
    _make_room(delivery, member, channel, room, gate)


def _make_room(delivery: Delivery, member: Member, channel: str, room: "_Room", gate: Gate) -> None:
    """Take what budget, cap and, for a call, desk still allow; or say which of them does not."""
    if room.purses.lacks(delivery, channel=channel):
        until = room.purses.free_again_at(delivery, channel=channel)
        if until is not None and until < delivery.expires_at:
            gate.postponed[delivery.pk] = until
        else:
            gate.objected[delivery.pk] = (Delivery.Reason.BUDGET, None)
        return
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

    caps: "_Caps"
    seats: desks.Seats
    purses: budgets.Purses


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


class _Had(NamedTuple):
    """A message that counts: of a member with hundreds only this is read."""

    pk: int
    channel: str
    purpose: str
    sent_at: datetime | None


class _Caps:
    """The active caps and what each member had within their windows, read once per batch."""

    def __init__(self, member_ids: Sequence[int], *, now: datetime) -> None:
        self._caps = list(ContactCap.objects.filter(is_active=True))
        self._now = now
        self._had: dict[int, list[_Had]] = {}
        if self._caps:
            longest = max(cap.window_days for cap in self._caps)
            rows = Delivery.objects.filter(
                Q(sent_at__gt=now - timedelta(days=longest)),
                member__in=member_ids,
                state__in=COUNTED,
            ).order_by("sent_at")
            for member_id, pk, channel, purpose, sent_at in rows.values_list(
                "member_id", "pk", "channel", "campaign__purpose", "sent_at"
            ):
                self._had.setdefault(member_id, []).append(_Had(pk, channel, purpose, sent_at))

    def take(self, delivery: Delivery, *, channel: str, purpose: str) -> Clash | None:
        """The cap that is full for this delivery, or leaves it worth nothing; None counts it."""
        had = self._had.setdefault(delivery.member_id, [])
        for cap in self._caps:
            if purpose != cap.purpose or channel not in cap.channels:
                continue
            window = timedelta(days=cap.window_days)
            counted = [
                row
                for row in had
                if row.pk != delivery.pk
                and row.purpose == cap.purpose
                and row.channel in cap.channels
                and (row.sent_at or self._now) > self._now - window
            ]
            latest = counted[-1].pk if counted else None
            passes_at = None
            if len(counted) >= cap.max_messages:
                reason = Delivery.Reason.CAP
                if cap.max_messages:
                    first = counted[len(counted) - cap.max_messages]
                    passes_at = (first.sent_at or self._now) + window
            elif counted and delivery.value <= float(cap.price) * len(counted) > 0:
                reason = Delivery.Reason.WORTH
            else:
                continue
            return Clash(reason, cap, len(counted), latest, passes_at)
        had.append(_Had(delivery.pk, channel, purpose, delivery.sent_at))
        return None
