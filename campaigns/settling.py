"""What became of a claimed delivery, recorded only while its lease is still ours.

A message in doubt may have arrived. Where the channel drops a second one it is sent again. Where
it does not, the campaign's purpose decides: marketing becomes `unknown` and is never sent again,
so that nobody gets it twice; a service message is sent again, at most twice, so that nobody waits
for it in vain.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F

from campaigns.channels.contract import Outcome, Result
from campaigns.models import Delivery
from campaigns.rendering import Message
from members import mailboxes
from members.mailboxes import News, Report
from members.models import Purpose

MOST_TRIES = 6
FIRST_RETRY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


def settle(ids: Sequence[int], lease: int | None, *, state: str, **fields: object) -> None:
    """Record where the lease is still ours; a fence against a worker that woke up late."""
    if ids:
        Delivery.objects.filter(
            pk__in=ids,
            lease=lease,
            state__in=(Delivery.State.CLAIMED, Delivery.State.SENDING),
        ).update(state=state, lease=None, leased_until=None, **fields)


def advance(sent: Sequence[int], chunk: Sequence[Message]) -> set[int]:
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


def record_failures(outcomes: Sequence[Outcome], *, is_harmless: bool, now: datetime) -> None:
    """Record whatever was not sent; `is_harmless`: a second one is dropped, so that what is in
    doubt is sent again."""
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
        settle(
            [o.message.delivery.pk for o in failed if o.result is Result.REFUSED],
            lease,
            state=Delivery.State.FAILED,
            reason=Delivery.Reason.REFUSED,
            sent_at=None,
        )
        _strike_off([o for o in failed if o.is_nobody], now=now)
        retry([o.message.delivery for o in failed if o.result is Result.RETRY], lease, now=now)
        doubtful = [o.message.delivery for o in failed if o.result is Result.IN_DOUBT]
        for delivery in doubtful:
            delivery.may_have_arrived = True
        settle_doubt = retry if is_harmless else _doubt
        settle_doubt(doubtful, lease, now=now)


def retry(deliveries: Sequence[Delivery], lease: int | None, *, now: datetime) -> None:
    """Try later, with growing pauses; after the last try the delivery has failed, unless an
    earlier one may have arrived."""
    for delivery in deliveries:
        if delivery.tries >= MOST_TRIES and delivery.may_have_arrived:
            _give_up(delivery, lease)
        elif delivery.tries >= MOST_TRIES:
            settle(
                [delivery.pk],
                lease,
                state=Delivery.State.FAILED,
                reason=Delivery.Reason.TRIES,
                sent_at=None,
            )
        else:
            due_at = now + FIRST_RETRY * 2 ** (delivery.tries - 1)
            settle(
                [delivery.pk],
                lease,
                state=Delivery.State.PLANNED,
                due_at=due_at,
                sent_at=None,
                may_have_arrived=delivery.may_have_arrived,
            )


def put_off(ids: Sequence[int], lease: int | None, *, now: datetime) -> None:
    """What the provider was not even asked about waits, and keeps its tries."""
    settle(
        ids,
        lease,
        state=Delivery.State.PLANNED,
        due_at=now + FIRST_RETRY,
        sent_at=None,
        tries=F("tries") - 1,
    )


def _doubt(deliveries: Sequence[Delivery], lease: int | None, *, now: datetime) -> None:
    for delivery in deliveries:
        may_double = delivery.campaign.purpose == Purpose.SERVICE
        if may_double and delivery.resends < Delivery.MOST_RESENDS:
            settle(
                [delivery.pk],
                lease,
                state=Delivery.State.PLANNED,
                due_at=now + FIRST_RETRY,
                sent_at=None,
                resends=F("resends") + 1,
                may_have_arrived=True,
            )
        else:
            _give_up(delivery, lease)


def _strike_off(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Whose server said that there is no such address is not written to again."""
    keys = [(o.message.member.email_key, o.detail) for o in outcomes]
    reports = [Report(key, News.HARD, now, said) for key, said in keys if key]
    if reports:
        mailboxes.record(reports)


def _give_up(delivery: Delivery, lease: int | None) -> None:
    """Nobody knows. Its time stays: what may have arrived counts against the caps."""
    settle([delivery.pk], lease, state=Delivery.State.UNKNOWN, reason=Delivery.Reason.IN_DOUBT)


_ADVANCE = """
UPDATE campaigns_delivery
   SET state = CASE state WHEN 'claimed' THEN 'sending' ELSE 'sent' END,
       lease = CASE state WHEN 'claimed' THEN lease END,
       leased_until = CASE state WHEN 'claimed'
                      THEN clock_timestamp() + make_interval(secs => %(seconds)s) END
 WHERE lease = %(lease)s
   AND (id = ANY(%(next)s) AND state = 'claimed' OR id = ANY(%(sent)s) AND state = 'sending')
RETURNING id, state
"""
