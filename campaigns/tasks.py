"""How the clock gets in. Each task asks what is due and stops when nothing is."""

from celery import shared_task
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

# A task gives way to others after so many batches; whatever is left is due at the next tick.
BATCHES = 10


@shared_task
def answer() -> None:
    """Answer interactions, and send at once what that planned."""
    for _ in range(BATCHES):
        if not triggers.answer(now=timezone.now()):
            break
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
    for _ in range(BATCHES):
        if not journeys.advance(now=timezone.now()):
            break


@shared_task
def arrive() -> None:
    arrivals.note(now=timezone.now())


@shared_task
def send(channel: str) -> None:
    for _ in range(BATCHES):
        if not sending.send_due(channel=channel, now=timezone.now()).claimed:
            break


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
