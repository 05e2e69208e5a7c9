"""Sending what is due, none lost and none doubled.

The row is the queue. A worker claims a batch (`SKIP LOCKED`, a lease numbered from a sequence, the
database's clock), passes the last gate, writes the messages, marks each chunk as being sent
*before* it calls the provider, and records the outcome only while the lease is still its own. A
reaper takes over what a dead worker left: a claim goes back to planned, what was being sent is in
doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from campaigns import caps, entries, gifts, objections, pacing, rendering, settling
from campaigns.channels import CARRIERS
from campaigns.channels.contract import Carrier, Result, Unreachable
from campaigns.models import Campaign, Delivery, Step, Variant
from campaigns.rendering import Message
from members.models import Channel

BATCH = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one batch came to; `claimed` is 0 when nothing was due."""

    claimed: int = 0
    sent: int = 0


def send_due(
    *,
    channel: str,
    now: datetime,
    limit: int = BATCH,
    latest_first: bool = False,
    carrier: Carrier | None = None,
) -> Sent:
    """Claim one batch of a channel's due deliveries and send what the gate lets through;
    `carrier` instead of the channel's own when nothing is to leave."""
    batch = claim(channel=channel, now=now, limit=limit, latest_first=latest_first)
    if not batch:
        return Sent()
    gifts.promise(batch, now=now)
    carrier = carrier or CARRIERS[channel]()
    if carrier.is_transactional:
        with transaction.atomic():
            messages = _written(_gate(batch, now=now), now=now)
            results = _send_chunks(carrier, messages, now=now)
            return Sent(len(batch), results.count(Result.SENT))
    with transaction.atomic():
        cleared = _gate(batch, now=now)
    messages = _written(cleared, now=now)
    if not messages:
        return Sent(len(batch), 0)
    try:
        carrier.open()
    except Unreachable as error:
        log.warning("channel_unreachable", channel=channel, why=str(error))
        settling.put_off([m.delivery.pk for m in messages], messages[0].delivery.lease, now=now)
        pacing.note(channel=channel, results=[Result.RETRY], now=now)
        return Sent(len(batch), 0)
    try:
        results = _send_chunks(carrier, messages, now=now)
    finally:
        carrier.close()
    pacing.note(channel=channel, results=results, now=now)
    return Sent(len(batch), results.count(Result.SENT))


def claim(*, channel: str, now: datetime, limit: int, latest_first: bool = False) -> list[Delivery]:
    """Take due deliveries of live campaigns for this worker, for as long as the lease lasts, the
    longest due first; none while the channel's provider fails, no more than its rate allows."""
    with transaction.atomic(), connection.cursor() as cursor:
        most = pacing.allowance(channel=channel, most=limit, now=now)
        if not most:
            return []
        cursor.execute(
            _CLAIM.format(order="d.due_at DESC" if latest_first else "d.due_at, d.value DESC"),
            {
                "channel": channel,
                "now": now,
                "n": most,
                "seconds": settings.DELIVERY_LEASE_SECONDS,
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    rows = Delivery.objects.filter(pk__in=ids).select_related("journey")
    return _with_their_campaign(sorted(rows, key=lambda d: (d.due_at, -d.value, d.pk)))


def reap() -> int:
    """Take over what dead workers left behind: a claim goes back to planned, what was being sent
    is in doubt. Returns how many deliveries it concerned."""
    resend = [name for name, carrier in CARRIERS.items() if carrier().resends_in_doubt]
    with connection.cursor() as cursor:
        cursor.execute(_REAP, {"resend": resend, "most": Delivery.MOST_RESENDS})
        rows = cursor.fetchall()
    for state, count in rows:
        log.warning("lease_expired", now=state, deliveries=count)
    return sum(count for _, count in rows)


def finish(*, now: datetime) -> int:
    """Close campaigns that nobody can enter any more and that owe nothing to anybody."""
    done = [
        campaign
        for campaign in Campaign.objects.filter(state=Campaign.State.LIVE)
        if entries.is_over(campaign.entry, now=now)
        and campaign.planned_until is not None
        and campaign.planned_until > now
        and not campaign.deliveries.filter(state__in=Delivery.OPEN).exists()
        and not campaign.journeys.filter(next_at__isnull=False).exists()
    ]
    return sum(
        # Unless somebody paused it or put a next version into force meanwhile.
        Campaign.objects.filter(
            pk=campaign.pk, state=Campaign.State.LIVE, version=campaign.version
        ).update(state=Campaign.State.FINISHED)
        for campaign in done
    )


def _with_their_campaign(batch: Sequence[Delivery]) -> list[Delivery]:
    """The deliveries with `campaign`, `step` and `variant`: few rows that many of them share."""
    campaigns = Campaign.objects.in_bulk({delivery.campaign_id for delivery in batch})
    steps = Step.every.select_related("gift").in_bulk({delivery.step_id for delivery in batch})
    variants = Variant.objects.select_related("interest").in_bulk(
        {delivery.variant_id for delivery in batch} - {None}
    )
    for delivery in batch:
        delivery.campaign = campaigns[delivery.campaign_id]
        delivery.step = steps[delivery.step_id]
        delivery.variant = variants.get(delivery.variant_id)
    return list(batch)


def _gate(batch: Sequence[Delivery], *, now: datetime) -> list[Delivery]:
    """Pass the last gate and write what it decided; returns the deliveries cleared to go."""
    gifts.hold_accounts(batch)
    gate = objections.judge(batch, now=now)
    lease = batch[0].lease
    state, nothing = Delivery.State, Delivery.Reason.NONE
    decided: list[tuple[Any, ...]] = [
        *(
            (pk, state.OBJECTED, why, rival, None, None)
            for pk, (why, rival) in gate.objected.items()
        ),
        *((pk, state.EXPIRED, Delivery.Reason.LATE, None, None, None) for pk in gate.expired),
        *(
            (pk, state.PLANNED, nothing, _rival(gate, pk), until, None)
            for pk, until in gate.postponed.items()
        ),
        *((pk, state.PLANNED, nothing, None, None, None) for pk in gate.put_back),
        *((pk, state.PLANNED, nothing, None, None, way) for pk, way in gate.rerouted.items()),
    ]
    if decided:
        columns = [list(column) for column in zip(*decided, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_DECIDE, [*columns, lease])
    caps.remember(gate.clashes, now=now)
    ours = Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in gate.cleared], lease=lease, state=state.CLAIMED
    )
    if ours.update(sent_at=now, is_charged=True) < len(gate.cleared):
        still = set(ours.values_list("pk", flat=True))
        gate.cleared = [delivery for delivery in gate.cleared if delivery.pk in still]
    gifts.give(gate.cleared, now=now)
    return gate.cleared


def _written(cleared: Sequence[Delivery], *, now: datetime) -> list[Message]:
    """The messages of what may go: nothing is written for those who get nothing."""
    if not cleared:
        return []
    messages, failed = rendering.render_batch(cleared, now=now)
    for pk, why in failed.items():
        log.warning("rendering_failed", delivery=pk, why=why)
    settling.settle(
        list(failed),
        cleared[0].lease,
        state=Delivery.State.FAILED,
        reason=Delivery.Reason.RENDERING,
        sent_at=None,
    )
    return messages


def _rival(gate: objections.Gate, pk: int) -> int | None:
    """Whom a delivery lost to that waits for its next chance."""
    clash = gate.clashes.get(pk)
    return clash.beaten_by if clash else None


def _send_chunks(carrier: Carrier, messages: Sequence[Message], *, now: datetime) -> list[Result]:
    """Send chunk by chunk. One commit per chunk says that the last one went out and the next one
    is about to: the attempt is always written before the call."""
    sent: list[int] = []
    results: list[Result] = []
    for start in range(0, len(messages), carrier.chunk):
        if pacing.is_hopeless(results):
            rest = [message.delivery.pk for message in messages[start:]]
            settling.put_off(rest, messages[0].delivery.lease, now=now)
            break
        chunk = messages[start : start + carrier.chunk]
        ours = settling.advance(sent, chunk)
        outcomes = carrier.send([m for m in chunk if m.delivery.pk in ours], now=now)
        sent = [o.message.delivery.pk for o in outcomes if o.result is Result.SENT]
        results += [outcome.result for outcome in outcomes]
        settling.record_failures(outcomes, is_harmless=carrier.resends_in_doubt, now=now)
    if messages:
        settling.settle(sent, messages[0].delivery.lease, state=Delivery.State.SENT)
    return results


_CLAIM = """
WITH lease AS MATERIALIZED (SELECT nextval('campaigns_lease') AS number),
due AS MATERIALIZED (
    SELECT d.id FROM campaigns_delivery d
     WHERE d.state = 'planned' AND d.channel = %(channel)s AND d.due_at <= %(now)s
       AND d.campaign_id = ANY(ARRAY(SELECT id FROM campaigns_campaign WHERE state = 'live'))
     ORDER BY {order}
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
   SET state = said.state, reason = said.reason,
       beaten_by_id = coalesce(said.beaten_by, d.beaten_by_id),
       due_at = coalesce(said.due_at, d.due_at), channel = coalesce(said.channel, d.channel),
       tries = d.tries - (said.state = 'planned')::int, lease = NULL, leased_until = NULL
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[])
       AS said(id, state, reason, beaten_by, due_at, channel)
 WHERE d.id = said.id AND d.lease = %s AND d.state = 'claimed'
"""
_REAP = """
WITH dead AS MATERIALIZED (
    SELECT d.id,
           d.state = 'claimed' OR d.channel = ANY(%(resend)s) AS is_harmless,
           c.purpose = 'service' AND d.resends < %(most)s AS may_double
      FROM campaigns_delivery d JOIN campaigns_campaign c ON c.id = d.campaign_id
     WHERE d.state IN ('claimed', 'sending') AND d.leased_until < clock_timestamp()
     ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
), taken AS (
    UPDATE campaigns_delivery d
       SET state = CASE WHEN is_harmless OR may_double THEN 'planned' ELSE 'unknown' END,
           reason = CASE WHEN is_harmless OR may_double THEN '' ELSE 'in_doubt' END,
           sent_at = CASE WHEN is_harmless OR may_double THEN NULL ELSE d.sent_at END,
           may_have_arrived = d.may_have_arrived OR d.state = 'sending',
           resends = d.resends + CASE WHEN is_harmless THEN 0 WHEN may_double THEN 1 ELSE 0 END,
           lease = NULL, leased_until = NULL
      FROM dead WHERE d.id = dead.id
    RETURNING d.state
)
SELECT state, count(*) FROM taken GROUP BY state
"""
CHANNELS: tuple[str, ...] = tuple(name for name in Channel.values if name in CARRIERS)
