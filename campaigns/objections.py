"""The last gate: why a delivery may not go out now, whatever planning thought.

Everything that can change between planning and sending is read here, under a lock on the members
concerned, so that two workers cannot both give one member the last message a cap allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from campaigns import journeys, timing
from campaigns.models import Campaign, ContactCap, Delivery, Objection, QuietHours
from campaigns.patience import Patience
from campaigns.reach import allowed_sql, reachable_sql, refusing
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
    """A cap that a delivery ran into, and the first moment it would pass; None: it never would.
    A cap without a row is the member's own."""

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
    unwanted = journeys.unwanted(deliveries, now=now) | _of_unwanted_topics(deliveries)
    quiet = list(QuietHours.objects.filter(is_active=True))
    caps = _Caps(members, now=now)
    patience = Patience(deliveries)
    # The most important first: it gets what a cap still allows.
    for delivery in sorted(deliveries, key=lambda d: (-d.value, d.due_at, d.pk)):
        if delivery.campaign_id not in live:
            gate.put_back.append(delivery.pk)
        elif delivery.expires_at <= now:
            gate.expired.append(delivery.pk)
        elif delivery.pk in unwanted:
            gate.objected[delivery.pk] = (unwanted[delivery.pk], None)
        else:
            member = members[delivery.member_id]
            _judge_one(delivery, member, ways, quiet, caps, patience, gate, now)
    return gate


def remember(gate: Gate, *, now: datetime) -> None:
    """Write how the deliveries ran into their caps, for whoever asks why."""
    rows = [
        Objection(
            delivery_id=pk,
            cap=clash.cap if clash.cap.pk else None,
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
    caps: "_Caps",
    patience: Patience,
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
    if patience.is_at_its_end(delivery):
        gate.objected[delivery.pk] = (Delivery.Reason.IGNORED, None)
        return
    until = _quiet_until(member, quiet, channel=channel, purpose=purpose, now=now)
    if until is not None:
        waits = delivery.campaign.in_quiet_hours == Campaign.InQuietHours.WAIT
        if waits and until < delivery.expires_at:
            gate.postponed[delivery.pk] = until
        else:
            gate.objected[delivery.pk] = (Delivery.Reason.QUIET_HOURS, None)
        return
    clash = caps.take(delivery, channel=channel, purpose=purpose)
    if clash is not None:
        gate.clashes[delivery.pk] = clash
        waits = delivery.campaign.when_beaten == Campaign.WhenBeaten.WAIT
        if waits and clash.passes_at and clash.passes_at < delivery.expires_at:
            gate.postponed[delivery.pk] = clash.passes_at
        else:
            gate.objected[delivery.pk] = (clash.reason, clash.beaten_by)
        return
    patience.spend(delivery)
    gate.cleared.append(delivery)


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


class _Caps:
    """The active caps, those that members set themselves, and what each member had within their
    windows; read once per batch."""

    def __init__(self, members: Mapping[int, Member], *, now: datetime) -> None:
        self._caps = list(ContactCap.objects.filter(is_active=True))
        self._own = {pk: _own_caps(member) for pk, member in members.items()}
        self._now = now
        self._had: dict[int, list[Delivery]] = {}
        windows = [cap.window_days for caps in (self._caps, *self._own.values()) for cap in caps]
        if windows:
            rows = Delivery.objects.filter(
                Q(sent_at__gt=now - timedelta(days=max(windows))),
                member__in=members,
                state__in=COUNTED,
            ).select_related("campaign")
            for row in rows.order_by("sent_at"):
                self._had.setdefault(row.member_id, []).append(row)

    def take(self, delivery: Delivery, *, channel: str, purpose: str) -> Clash | None:
        """The cap that is full for this delivery, or leaves it worth nothing; None counts it."""
        had = self._had.setdefault(delivery.member_id, [])
        for cap in (*self._own[delivery.member_id], *self._caps):
            if purpose != cap.purpose or channel not in cap.channels:
                continue
            window = timedelta(days=cap.window_days)
            counted = [
                row
                for row in had
                if row.pk != delivery.pk
                and row.campaign.purpose == cap.purpose
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
        had.append(delivery)
        return None


def _own_caps(member: Member) -> list[ContactCap]:
    """What the member said about how often: a cap like any other, but of no row. A call counts
    too; the inbox alone disturbs nobody."""
    if member.most_messages is None or member.most_messages_days is None:
        return []
    return [
        ContactCap(
            name="the member's own",
            purpose=Purpose.MARKETING,
            channels=[channel for channel in Channel.values if channel != Channel.INBOX],
            max_messages=member.most_messages,
            window_days=member.most_messages_days,
        )
    ]
