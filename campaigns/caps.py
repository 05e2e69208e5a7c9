"""Caps: how many messages a member may get, all campaigns together, and what the next is worth.

A cap counts what went out or may have gone out within its window; members may set one for
themselves. Whoever runs into one is told which, with what count, and when it would pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from campaigns.models import ContactCap, Delivery, Objection
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


def remember(clashes: Mapping[int, Clash], *, now: datetime) -> None:
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
        for pk, clash in sorted(clashes.items())
    ]
    if rows:
        Objection.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["delivery"],
            update_fields=["cap", "had", "allowed", "passes_at", "at"],
        )


class _Had(NamedTuple):
    """A message that counts: of a member with hundreds only this is read."""

    pk: int
    channel: str
    purpose: str
    sent_at: datetime | None


class Caps:
    """The active caps, those that members set themselves, and what each member had within their
    windows; read once per batch."""

    def __init__(self, members: Mapping[int, Member], *, now: datetime) -> None:
        self._caps = list(ContactCap.objects.filter(is_active=True))
        self._own = {pk: _own_caps(member) for pk, member in members.items()}
        self._now = now
        self._had: dict[int, list[_Had]] = {}
        windows = [cap.window_days for caps in (self._caps, *self._own.values()) for cap in caps]
        if windows:
            rows = Delivery.objects.filter(
                Q(sent_at__gt=now - timedelta(days=max(windows))),
                member__in=members,
                state__in=COUNTED,
            ).order_by("sent_at")
            for member_id, pk, channel, purpose, sent_at in rows.values_list(
                "member_id", "pk", "channel", "campaign__purpose", "sent_at"
            ):
                self._had.setdefault(member_id, []).append(_Had(pk, channel, purpose, sent_at))

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
