"""How the clock gets in. Each task asks what is due and stops when nothing is.

Sending has a queue of its own: a greeting is answered beside a million messages. What is more than
a task's share goes on in a task of its own, a few of them for each channel, behind whatever waits
there for other channels.
"""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from campaigns import (
    arbitration,
    arrivals,
    gifts,
    journeys,
    learning,
    pacing,
    planning,
    sending,
    tasks_for_people,
    triggers,
)

# A task gives way to others after so many batches; whatever is left is due at the next tick.
BATCHES = 10
# Sending gives way after so long; later than so many seconds the clock has asked again.
SHARE_S, AGAIN_WITHIN_S = 2.0, 60


@shared_task
def answer() -> None:
    """Answer interactions, and send at once as many messages as that may have planned, the latest
    first: they do not wait behind what else is due."""
    for _ in range(BATCHES):
        answered = triggers.answer(now=timezone.now())
        if not answered:
            break
        for channel in sending.CHANNELS:
            _send_latest(channel, answered)


def _send_latest(channel: str, most: int) -> None:
    for done in range(0, most, sending.BATCH):
        limit = min(most - done, sending.BATCH)
        now = timezone.now()
        if not sending.send_due(channel=channel, now=now, limit=limit, latest_first=True).claimed:
            return


@shared_task
def plan() -> None:
    planning.plan_due(now=timezone.now())
    arbitration.arbitrate(now=timezone.now())


@shared_task
def learn() -> None:
    learning.fold(now=timezone.now())


@shared_task
def advance() -> None:
    """Plan the next steps of journeys."""
    for _ in range(BATCHES):
        if not journeys.advance(now=timezone.now()):
            break


@shared_task
def arrive() -> None:
    arrivals.note(now=timezone.now())


@shared_task
def send(channel: str, goes_on: bool = False) -> None:
    """Send what is due on a channel. Where that takes longer than a task's share, a few tasks that
    go on share the rest; the clock begins none as long as they do."""
    if not pacing.occupy(channel=channel, is_held=goes_on):
        return
    has_more = False
    try:
        has_more = _send_a_share(channel)
    finally:
        if not has_more:
            pacing.vacate(channel=channel)
    if has_more:
        for _ in range(1 if goes_on else settings.SENDERS):
            send.apply_async((channel, True), expires=AGAIN_WITHIN_S)


def _send_a_share(channel: str) -> bool:
    """Send for as long as a task may; True where more may be due."""
    end = time.monotonic() + SHARE_S
    while sending.send_due(channel=channel, now=timezone.now()).claimed:
        if time.monotonic() > end:
            return True
    return False


@shared_task
def withdraw() -> None:
    tasks_for_people.withdraw(now=timezone.now())


@shared_task
def reap() -> None:
    sending.reap()


@shared_task
def finish() -> None:
    gifts.take_back(now=timezone.now())
    sending.finish(now=timezone.now())
