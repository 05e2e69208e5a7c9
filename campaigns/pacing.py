"""How much of a channel a claim may take: its rate, and a breaker for when the provider fails.

After five batches in a row of which the provider took nothing, nothing is claimed for a minute,
then for two, and so on up to thirty; in between a few messages try whether it is back, and one
that gets through opens the way for all. So an outage uses up the tries of a few messages only.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.channels.contract import Result
from campaigns.models import ChannelState, Delivery

MOST_FAILURES = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
# So many failures in a row say that the next would fail as well; so many messages try again.
STREAK = 10
FAILED = {Result.RETRY, Result.IN_DOUBT}

log = structlog.get_logger(__name__)


def allowance(*, channel: str, most: int, now: datetime) -> int:
    """How many deliveries a claim may take now, at most `most`.

    Call it in the transaction of the claim: where there is a rate, the channel's row stays locked
    until its end, so that two workers together keep it.
    """
    state = ChannelState.objects.filter(channel=channel).first()
    if state is None:
        return most
    if state.open_until is not None:
        most = 0 if state.open_until > now else min(most, STREAK)
    if state.max_per_minute is not None and most:
        rate = ChannelState.objects.select_for_update().get(channel=channel).max_per_minute
        most = min(most, max(0, rate - _taken(channel, now=now))) if rate else most
    return most


def occupy(*, channel: str, is_held: bool = False) -> bool:
    """Take a channel for sending what is due, for as long as a lease lasts; False where somebody
    else has it. Whoever goes on for those who took it (`is_held`) takes it for longer."""
    free = Q() if is_held else Q(busy_until__isnull=True) | Q(busy_until__lte=Now())
    lease = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    rows = ChannelState.objects.filter(free, channel=channel)
    return bool(rows.update(busy_until=Now() + lease))


def vacate(*, channel: str) -> None:
    """Nothing is due: let whoever comes next look."""
    ChannelState.objects.filter(channel=channel).update(busy_until=None)


def note(*, channel: str, results: Collection[Result], now: datetime) -> None:
    """What came of a batch: a failure counts, a success closes the breaker, nothing is neither."""
    if results and set(results) <= FAILED:
        _fail(channel, now=now)
    elif results:
        close(channel=channel)


def is_hopeless(results: Collection[Result]) -> bool:
    """Whether the rest of a batch need not be tried."""
    return set(list(results)[-STREAK:]) <= FAILED and len(results) >= STREAK


def close(*, channel: str) -> None:
    """Let the channel go again. No row is touched where all is well."""
    ChannelState.objects.filter(
        Q(failures__gt=0) | Q(open_until__isnull=False), channel=channel
    ).update(failures=0, open_until=None)


def _fail(channel: str, *, now: datetime) -> None:
    with transaction.atomic():
        ChannelState.objects.get_or_create(channel=channel)
        state = ChannelState.objects.select_for_update().get(channel=channel)
        if state.open_until is not None and state.open_until > now:
            return  # A batch of another worker's, claimed before.
        state.failures += 1
        if state.failures >= MOST_FAILURES:
            doublings = min(state.failures - MOST_FAILURES, 10)
            pause = min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
            state.open_until = now + pause
            log.warning("channel_pauses", channel=channel, failures=state.failures, pause=pause)
        state.save(update_fields=["failures", "open_until"])


def _taken(channel: str, *, now: datetime) -> int:
    """What went out in the last minute, and what others have claimed and not yet let go."""
    rows = Delivery.objects.filter(channel=channel)
    # Clocks of two machines differ a little.
    went = rows.filter(sent_at__gt=now - MINUTE, sent_at__lte=now + MINUTE)
    claimed = rows.filter(state=Delivery.State.CLAIMED, sent_at__isnull=True)
    return went.count() + claimed.count()
