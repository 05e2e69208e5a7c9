"""Sending what is due, none lost and none doubled.

The row is the queue. A worker claims a batch (`SKIP LOCKED`, a lease numbered from a sequence, the
database's clock), renders it, passes the last gate, marks each chunk as being sent *before* it
calls the provider, and records the outcome only while the lease is still its own. A reaper takes
over what a dead worker left: a claim goes back to planned; a message in doubt follows its
channel's rule: sent again where that cannot double, otherwise `unknown`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from campaigns import entries, objections, rendering
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Carrier, Outcome, Result, Unreachable
from campaigns.models import Campaign, Delivery
from campaigns.rendering import Message
from members.models import Channel

BATCH = 200
MOST_TRIES = 6
FIRST_RETRY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one batch came to; `claimed` is 0 when nothing was due."""

    claimed: int = 0
    sent: int = 0


def send_due(*, channel: str, now: datetime, limit: int = BATCH) -> Sent:
    """Claim one batch of a channel's due deliveries and send what the gate lets through."""
    batch = claim(channel=channel, now=now, limit=limit)
    if not batch:
        return Sent()
    messages, failed = rendering.render_batch(batch, now=now)
    lease = batch[0].lease
    for pk, why in failed.items():
        log.warning("rendering_failed", delivery=pk, why=why)
    _settle(list(failed), lease, state=Delivery.State.FAILED, reason=Delivery.Reason.RENDERING)
    carrier = CARRIERS[channel]()
    by_id = {message.delivery.pk: message for message in messages}
    if carrier.is_transactional:
        with transaction.atomic():
            cleared = [by_id[d.pk] for d in _gate(list(messages), lease, now=now)]
            return Sent(len(batch), _send_chunks(carrier, cleared, now=now))
    with transaction.atomic():
        cleared = [by_id[d.pk] for d in _gate(list(messages), lease, now=now)]
    if not cleared:
        return Sent(len(batch), 0)
    try:
        carrier.open()
    except Unreachable as error:
        log.warning("channel_unreachable", channel=channel, why=str(error))
        _retry([message.delivery for message in cleared], lease, now=now)
        return Sent(len(batch), 0)
    try:
        return Sent(len(batch), _send_chunks(carrier, cleared, now=now))
    finally:
        carrier.close()


def claim(*, channel: str, now: datetime, limit: int) -> list[Delivery]:
    """Take due deliveries of live campaigns for this worker, for as long as the lease lasts."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "channel": channel,
                "now": now,
                "n": limit,
                "seconds": settings.DELIVERY_LEASE_SECONDS,
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    rows = Delivery.objects.filter(pk__in=ids).select_related(
        "campaign", "step", "journey", "member", "variant__interest"
    )
    return sorted(rows, key=lambda d: (d.due_at, -d.priority, d.pk))


def reap() -> int:
    """Take over what dead workers left behind; returns how many deliveries it concerned."""
    resend = [name for name, carrier in CARRIERS.items() if carrier().resends_in_doubt]
    with connection.cursor() as cursor:
        cursor.execute(_REAP, {"resend": resend})
        rows = cursor.fetchall()
    for state, count in rows:
        log.warning("lease_expired", now=state, deliveries=count)
    return sum(count for _, count in rows)


def finish(*, now: datetime) -> int:
    """Close campaigns that nobody can enter any more and that owe nothing to anybody."""
    done = [
        campaign.pk
        for campaign in Campaign.objects.filter(state=Campaign.State.LIVE)
        if entries.is_over(campaign.entry, now=now)
        and campaign.planned_until is not None
        and campaign.planned_until > now
        and not campaign.deliveries.filter(state__in=Delivery.OPEN).exists()
    ]
    return Campaign.objects.filter(pk__in=done).update(state=Campaign.State.FINISHED)


def _gate(messages: Sequence[Message], lease: int | None, *, now: datetime) -> list[Delivery]:
    """Pass the last gate and write what it decided; returns the deliveries cleared to go."""
    gate = objections.judge([message.delivery for message in messages], now=now)
    state, nothing = Delivery.State, Delivery.Reason.NONE
    decided: list[tuple[Any, ...]] = [
        *(
            (pk, state.OBJECTED, why, rival, None, None)
            for pk, (why, rival) in gate.objected.items()
        ),
        *((pk, state.EXPIRED, Delivery.Reason.LATE, None, None, None) for pk in gate.expired),
        *((pk, state.PLANNED, nothing, None, until, None) for pk, until in gate.postponed.items()),
        *((pk, state.PLANNED, nothing, None, None, None) for pk in gate.put_back),
        *((pk, state.PLANNED, nothing, None, None, way) for pk, way in gate.rerouted.items()),
    ]
    if decided:
        columns = [list(column) for column in zip(*decided, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_DECIDE, [*columns, lease])
    Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in gate.cleared],
        lease=lease,
        state=Delivery.State.CLAIMED,
    ).update(sent_at=now)
    return gate.cleared


def _send_chunks(carrier: Carrier, messages: Sequence[Message], *, now: datetime) -> int:
    """Send chunk by chunk. One commit per chunk says that the last one went out and the next one
    is about to: the attempt is always written before the call."""
    sent: list[int] = []
    total = 0
    for chunk in _chunks(messages, carrier.chunk):
        ours = _advance(sent, chunk)
        outcomes = carrier.send([m for m in chunk if m.delivery.pk in ours], now=now)
        sent = [o.message.delivery.pk for o in outcomes if o.result is Result.SENT]
        total += len(sent)
        _record_failures(outcomes, now=now)
    if messages:
        _settle(sent, messages[0].delivery.lease, state=Delivery.State.SENT)
    return total


def _advance(sent: Sequence[int], chunk: Sequence[Message]) -> set[int]:
    """Record what was sent and mark what is next; only what is still ours may be sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ADVANCE,
            {
                "sent": list(sent),
                "next": [message.delivery.pk for message in chunk],
                "lease": chunk[0].delivery.lease,
                "seconds": settings.DELIVERY_LEASE_SECONDS,
            },
        )
        return {pk for pk, state in cursor.fetchall() if state == Delivery.State.SENDING}


def _record_failures(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    failed = [outcome for outcome in outcomes if outcome.result is not Result.SENT]
    for outcome in failed:
        log.info(
            "not_sent",
            delivery=outcome.message.delivery.pk,
            result=outcome.result.value,
            why=outcome.detail,
        )
    if failed:
        lease = failed[0].message.delivery.lease
        _settle(
            [o.message.delivery.pk for o in failed if o.result is Result.REFUSED],
            lease,
            state=Delivery.State.FAILED,
            reason=Delivery.Reason.REFUSED,
            sent_at=None,
        )
        _settle(
            [o.message.delivery.pk for o in failed if o.result is Result.IN_DOUBT],
            lease,
            state=Delivery.State.UNKNOWN,
            reason=Delivery.Reason.IN_DOUBT,
        )
        _retry([o.message.delivery for o in failed if o.result is Result.RETRY], lease, now=now)


def _retry(deliveries: Sequence[Delivery], lease: int | None, *, now: datetime) -> None:
    """Try later, with growing pauses; after the last try the delivery has failed."""
    for delivery in deliveries:
        if delivery.tries >= MOST_TRIES:
            _settle(
                [delivery.pk],
                lease,
                state=Delivery.State.FAILED,
                reason=Delivery.Reason.TRIES,
                sent_at=None,
            )
        else:
            due_at = now + FIRST_RETRY * 2 ** (delivery.tries - 1)
            _settle([delivery.pk], lease, state=Delivery.State.PLANNED, due_at=due_at, sent_at=None)


def _settle(ids: Sequence[int], lease: int | None, *, state: str, **fields: object) -> None:
    """Record where the lease is still ours; a fence against a worker that woke up late."""
    if ids:
        Delivery.objects.filter(
            pk__in=ids,
            lease=lease,
            state__in=(Delivery.State.CLAIMED, Delivery.State.SENDING),
        ).update(state=state, leased_until=None, **fields)


def _chunks(messages: Sequence[Message], size: int) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]


_CLAIM = """
WITH lease AS MATERIALIZED (SELECT nextval('campaigns_lease') AS number),
due AS MATERIALIZED (
    SELECT d.id FROM campaigns_delivery d
     WHERE d.state = 'planned' AND d.channel = %(channel)s AND d.due_at <= %(now)s
       AND d.campaign_id = ANY(ARRAY(SELECT id FROM campaigns_campaign WHERE state = 'live'))
     ORDER BY d.due_at, d.priority DESC
     LIMIT %(n)s FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_delivery d
   SET state = 'claimed', lease = lease.number, tries = d.tries + 1,
       leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
  FROM lease, due
 WHERE d.id = due.id
RETURNING d.id
"""
# What goes back was not tried: a night of waiting must not use up the tries of the morning.
_DECIDE = """
UPDATE campaigns_delivery d
   SET state = said.state, reason = said.reason, beaten_by_id = said.beaten_by,
       due_at = coalesce(said.due_at, d.due_at), channel = coalesce(said.channel, d.channel),
       tries = d.tries - (said.state = 'planned')::int, leased_until = NULL
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[])
       AS said(id, state, reason, beaten_by, due_at, channel)
 WHERE d.id = said.id AND d.lease = %s AND d.state = 'claimed'
"""
_ADVANCE = """
UPDATE campaigns_delivery
   SET state = CASE state WHEN 'claimed' THEN 'sending' ELSE 'sent' END,
       leased_until = CASE state WHEN 'claimed'
                      THEN clock_timestamp() + make_interval(secs => %(seconds)s) END
 WHERE lease = %(lease)s
   AND (id = ANY(%(next)s) AND state = 'claimed' OR id = ANY(%(sent)s) AND state = 'sending')
RETURNING id, state
"""
_REAP = """
WITH dead AS MATERIALIZED (
    SELECT id FROM campaigns_delivery
     WHERE state IN ('claimed', 'sending') AND leased_until < clock_timestamp()
     ORDER BY id FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE campaigns_delivery d
       SET state = CASE WHEN d.state = 'claimed' OR d.channel = ANY(%(resend)s) THEN 'planned'
                        ELSE 'unknown' END,
           reason = CASE WHEN d.state = 'claimed' OR d.channel = ANY(%(resend)s) THEN ''
                         ELSE 'in_doubt' END,
           sent_at = CASE WHEN d.state = 'claimed' OR d.channel = ANY(%(resend)s) THEN NULL
                          ELSE d.sent_at END,
           lease = NULL, leased_until = NULL
      FROM dead WHERE d.id = dead.id
    RETURNING d.state
)
SELECT state, count(*) FROM taken GROUP BY state
"""
CHANNELS: tuple[str, ...] = tuple(name for name in Channel.values if name in CARRIERS)
