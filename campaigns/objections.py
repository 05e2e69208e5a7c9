"""The last gate: why a delivery may not go out now, whatever planning thought.

Everything that can change between planning and sending is read here, under a lock on the members
concerned, so that two workers cannot both give one member the last message a cap allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from campaigns import timing
from campaigns.models import Campaign, ContactCap, Delivery, QuietHours
from campaigns.reach import allowed_sql, reachable_sql
from members.models import Member, Purpose

# A cap counts what went out or may have gone out.
COUNTED = (
    Delivery.State.CLAIMED,
    Delivery.State.SENDING,
    Delivery.State.SENT,
    Delivery.State.UNKNOWN,
)


@dataclass(slots=True)
class Gate:
    """What the gate decided: deliveries by id."""

    cleared: list[Delivery] = field(default_factory=list)
    objected: dict[int, tuple[Delivery.Reason, int | None]] = field(default_factory=dict)
    postponed: dict[int, datetime] = field(default_factory=dict)
    expired: list[int] = field(default_factory=list)
    put_back: list[int] = field(default_factory=list)
    rerouted: dict[int, str] = field(default_factory=dict)


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
    quiet = list(QuietHours.objects.filter(is_active=True))
    caps = _Caps(member_ids, now=now)
    # The most important first: it gets what a cap still allows.
    for delivery in sorted(deliveries, key=lambda d: (-d.priority, d.due_at, d.pk)):
        if delivery.campaign_id not in live:
            gate.put_back.append(delivery.pk)
        elif delivery.expires_at <= now:
            gate.expired.append(delivery.pk)
        else:
            _judge_one(delivery, members[delivery.member_id], ways, quiet, caps, gate, now)
    return gate


def _judge_one(
    delivery: Delivery,
    member: Member,
    ways: dict[int, dict[str, tuple[bool, bool]]],
    quiet: Sequence[QuietHours],
    caps: "_Caps",
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
        waits = delivery.campaign.in_quiet_hours == Campaign.InQuietHours.WAIT
        if waits and until < delivery.expires_at:
            gate.postponed[delivery.pk] = until
        else:
            gate.objected[delivery.pk] = (Delivery.Reason.QUIET_HOURS, None)
        return
    full, beaten_by = caps.take(delivery, channel=channel, purpose=purpose)
    if full:
        gate.objected[delivery.pk] = (Delivery.Reason.CAP, beaten_by)
        return
    gate.cleared.append(delivery)


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

    def take(self, delivery: Delivery, *, channel: str, purpose: str) -> tuple[bool, int | None]:
        """Whether a cap is full for this delivery, and by which message; if not, count it."""
        had = self._had.setdefault(delivery.member_id, [])
        for cap in self._caps:
            if purpose != cap.purpose or channel not in cap.channels:
                continue
            since = self._now - timedelta(days=cap.window_days)
            counted = [
                row
                for row in had
                if row.pk != delivery.pk
                and row.purpose == cap.purpose
                and row.channel in cap.channels
                and (row.sent_at or self._now) > since
            ]
            if len(counted) >= cap.max_messages:
                return True, counted[-1].pk if counted else None
        had.append(_Had(delivery.pk, channel, purpose, delivery.sent_at))
        return False, None
