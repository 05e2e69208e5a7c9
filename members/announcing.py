"""Telling webhooks what happened: none lost, one id at every try, a slow shop nobody's delay.

The row is the queue. A worker claims due rows (`SKIP LOCKED`, a lease by the database's clock) and
posts them side by side, outside of any transaction; what came of it is recorded while the lease is
still its own. A worker that dies leaves a lease that runs out, and the next one sends again: shops
drop an id they know. No webhook has more than a few posts under way, in all workers together, and
one that does not answer is left alone for a minute.
"""

import uuid
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Coalesce, Now

from members import posting, webhooks
from members.models import Announcement, Webhook
from members.posting import Answer

BATCH = 100
ABREAST = 24  # posts at a time in one worker
ABREAST_EACH = 6  # and to one webhook
# What Standard Webhooks proposes: the last try is three days after the first.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
REST = timedelta(minutes=1)
KEPT = timedelta(days=30)
GONE = 410
FORGET_AT_ONCE = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What one batch came to; `claimed` is 0 when nothing was due."""

    claimed: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An announcement that is this worker's to send, with all that it takes."""

    id: int
    webhook_id: int
    event_id: uuid.UUID
    body: bytes
    tries: int
    url: str
    seeds: tuple[bytes, ...]
    lease: uuid.UUID


def deliver(*, now: datetime, limit: int = BATCH) -> Told:
    """Send what is due, at most `limit` of it. As soon as one post ends the next one begins."""
    claimed = sent = 0
    under_way: dict[Future[Answer], Claimed] = {}
    with ThreadPoolExecutor(ABREAST) as crew:
        while True:
            for one in claim(now=now, limit=min(ABREAST - len(under_way), limit - claimed)):
                claimed += 1
                under_way[crew.submit(_post, one, now=now)] = one
            if not under_way:
                return Told(claimed, sent)
            for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                sent += _record(under_way.pop(ended), ended.result(), now=now)


def claim(*, now: datetime, limit: int) -> list[Claimed]:
    """Take due announcements for this worker, for as long as the lease lasts."""
    if limit <= 0:
        return []
    lease = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "now": now,
                "each": ABREAST_EACH,
                "n": limit,
                "lease": lease,
                "seconds": settings.DELIVERY_LEASE_SECONDS,
            },
        )
        return [
            Claimed(pk, webhook, event, body.encode(), tries, url, _seeds(seeds), lease)
            for pk, webhook, event, body, tries, url, *seeds in cursor.fetchall()
        ]


def try_out(*, webhook: Webhook, now: datetime) -> Announcement:
    """Announce an event of no meaning to one webhook, to see whether it arrives."""
    return Announcement.objects.create(
        webhook=webhook,
        event_id=uuid.uuid4(),
        kind="webhook.test",
        body={
            "type": "webhook.test",
            "timestamp": now.isoformat(),
            "data": {"webhook": webhook.name},
        },
        created_at=now,
        due_at=now,
    )


def say_erased(*, member_id: int, now: datetime) -> None:
    """Tell whoever wants to know that a member is about to be erased, by the number they know:
    what shops keep of somebody has to go as well."""
    with connection.cursor() as cursor:
        cursor.execute(_ERASED, [now, now, member_id])


def send_again(rows: QuerySet[Announcement], *, now: datetime) -> int:
    """Make these due now, under the ids they had, with all tries before them; returns how many.

    What is under way this moment is left alone, and so is what a webhook that is off would get.
    """
    idle = Q(leased_until__isnull=True) | Q(leased_until__lte=Now())
    chosen = Announcement.objects.filter(
        idle, pk__in=rows.order_by().values("pk"), webhook__is_active=True
    )
    Webhook.objects.filter(announcements__in=chosen).update(rests_until=None)
    return chosen.update(
        state=Announcement.State.PLANNED, due_at=now, tries=0, lease=None, leased_until=None
    )


def forget(*, now: datetime) -> int:
    """Drop what was settled a month ago, and what a webhook that is off has not fetched by then."""
    dropped = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FORGET, [now - KEPT, FORGET_AT_ONCE])
            dropped += int(cursor.rowcount)
            if cursor.rowcount < FORGET_AT_ONCE:
                return dropped


def _post(one: Claimed, *, now: datetime) -> Answer:
    headers = {
        "content-type": "application/json",
        "user-agent": "Cairn-Webhooks/1",
        "connection": "close",
        **webhooks.signed(event_id=str(one.event_id), body=one.body, seeds=one.seeds, now=now),
    }
    return posting.post(url=one.url, headers=headers, body=one.body)


def _record(one: Claimed, answer: Answer, *, now: datetime) -> bool:
    """Write down what came of a try, where the lease is still ours; whether it was sent."""
    state, due_at = _verdict(one, answer, now=now)
    is_sent = state == Announcement.State.SENT
    ours = Announcement.objects.filter(pk=one.id, lease=one.lease, state__in=Announcement.OPEN)
    changed = ours.update(
        state=state,
        due_at=due_at,
        sent_at=now if is_sent else None,
        last_status=answer.status,
        last_answer=answer.text,
        lease=None,
        leased_until=None,
    )
    if changed:
        _remember(one.webhook_id, answer, now=now)
    if changed and not is_sent:
        log.info(
            "announcement_failed", announcement=one.id, webhook=one.webhook_id, status=answer.status
        )
    return bool(changed) and is_sent


def _verdict(one: Claimed, answer: Answer, *, now: datetime) -> tuple[str, datetime]:
    """The state after a try, and when the next one is due."""
    if answer.is_yes:
        return Announcement.State.SENT, now
    if answer.status == GONE or one.tries > len(DELAYS):
        return Announcement.State.DEAD, now
    return Announcement.State.FAILED, now + DELAYS[one.tries - 1]


def _remember(webhook_id: int, answer: Answer, *, now: datetime) -> None:
    """Keep how a webhook is doing; writes only where that changes."""
    webhook = Webhook.objects.filter(pk=webhook_id)
    if answer.is_yes:
        webhook.filter(failing_since__isnull=False).update(failing_since=None, rests_until=None)
        return
    said: dict[str, Any] = {"failing_since": Coalesce("failing_since", Value(now))}
    if answer.status == GONE:
        said["is_active"] = False
        log.warning("webhook_gone", webhook=webhook_id)
    if answer.status is None:
        said["rests_until"] = now + REST
    webhook.update(**said)


def _seeds(found: Sequence[memoryview | bytes | None]) -> tuple[bytes, ...]:
    return tuple(bytes(seed) for seed in found if seed is not None)


# Shops in any order, or the first ones would keep the places of those after them.
_CLAIM = """
WITH chosen AS MATERIALIZED (
    SELECT due.id
      FROM (SELECT w.id,
                   %(each)s - (SELECT count(*) FROM members_announcement a
                                WHERE a.webhook_id = w.id
                                  AND a.leased_until > clock_timestamp()) AS places
              FROM members_webhook w
             WHERE w.is_active AND (w.rests_until IS NULL OR w.rests_until <= %(now)s)
             ORDER BY random()) AS shop
     CROSS JOIN LATERAL (
            SELECT a.id FROM members_announcement a
             WHERE a.webhook_id = shop.id AND a.state IN ('planned', 'failed')
               AND a.due_at <= %(now)s
               AND (a.leased_until IS NULL OR a.leased_until <= clock_timestamp())
             ORDER BY a.due_at
             LIMIT greatest(shop.places, 0) FOR UPDATE SKIP LOCKED) AS due
     LIMIT %(n)s
)
UPDATE members_announcement a
   SET lease = %(lease)s, tries = a.tries + 1,
       leased_until = clock_timestamp() + make_interval(secs => %(seconds)s)
  FROM chosen, members_webhook w
 WHERE a.id = chosen.id AND w.id = a.webhook_id
RETURNING a.id, a.webhook_id, a.event_id, a.body::text, a.tries, w.url, w.seed,
          CASE WHEN w.previous_until > %(now)s THEN w.previous_seed END
"""
_ERASED = webhooks.planning(
    "(SELECT id, 'erased' AS kind, id AS member_id, %s::timestamptz AS at,"
    " %s::timestamptz AS recorded_at FROM members_member WHERE id = %s)",
    family="member",
    facts="",
)
_FORGET = """
DELETE FROM members_announcement WHERE id IN (
    SELECT a.id FROM members_announcement a JOIN members_webhook w ON w.id = a.webhook_id
     WHERE a.created_at < %s AND (a.state IN ('sent', 'dead') OR NOT w.is_active)
     ORDER BY a.id LIMIT %s)
"""
