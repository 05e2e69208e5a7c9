"""How the clock gets in. Each task asks what is due and stops when nothing is.

What is more than a task's share goes on in a task of its own, behind whatever waits meanwhile: a
million messages do not wait for a tick each time, and a greeting does not wait for a million.
"""

from collections.abc import Callable

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from campaigns import (
    arbitration,
    arrivals,
    gifts,
    journeys,
    learning,
    planning,
    sending,
    tasks_for_people,
    triggers,
)

# A task gives way to others after so many batches.
BATCHES = 10
# Later than this the clock has asked anyway.
AGAIN_WITHIN_S = 60


def _drains(do: Callable[[], object]) -> bool:
    """Do batch after batch until nothing is left; False when a task's share was not enough."""
    return not all(do() for _ in range(BATCHES))


@shared_task
def answer() -> None:
    """Answer interactions, and send at once what that planned."""
    if not _drains(lambda: triggers.answer(now=timezone.now())):
        answer.apply_async(expires=AGAIN_WITHIN_S)
    for channel in sending.CHANNELS:
        send(channel)


@shared_task
def plan() -> None:
    planning.plan_due(now=timezone.now())
    arbitration.arbitrate(now=timezone.now())


@shared_task
def learn() -> None:
    learning.fold(now=timezone.now())


@shared_task
def advance() -> None:
    """Plan the next steps of journeys, and send at once what that planned."""
    if not _drains(lambda: journeys.advance(now=timezone.now())):
        advance.apply_async(expires=AGAIN_WITHIN_S)


@shared_task
def arrive() -> None:
    arrivals.note(now=timezone.now())


@shared_task
def send(channel: str) -> None:
    """Send what is due on a channel, unless enough others are at it."""
    if sending.senders(channel=channel) >= settings.SENDERS:
        return
    if not _drains(lambda: sending.send_due(channel=channel, now=timezone.now()).claimed):
        send.apply_async((channel,), expires=AGAIN_WITHIN_S)


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
