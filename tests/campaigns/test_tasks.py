"""Tasks give way to each other and leave nothing lying."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaigns import sending, tasks
from campaigns.models import Delivery
from tests import processes
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

POKE = """
import sys
from config.celery import app
app.send_task("campaigns.tasks.send", ("inbox",))
"""


def due_by_the_real_clock() -> datetime:
    """Plan a message in the inbox for everybody, and make it due now."""
    now = timezone.now()
    scenes.planned(channels=("inbox",), purpose="service")
    Delivery.objects.update(due_at=now, expires_at=now + timedelta(hours=1))
    return now


@pytest.mark.django_db(transaction=True)
def test_more_than_a_tasks_share_is_sent_without_another_tick(tmp_path: Path) -> None:
    many = tasks.BATCHES * sending.BATCH + 1
    scenes.readers(many)
    due_by_the_real_clock()
    with (
        processes.running(processes.WORKER, broker=tmp_path),
        processes.running(POKE, broker=tmp_path),
    ):
        sent = Delivery.objects.filter(state="sent")
        processes.wait_until(lambda: sent.count() == many, seconds=60, every=0.1)


@pytest.mark.django_db
def test_senders_of_a_channel_are_no_more_than_allowed(settings: Any) -> None:
    scenes.readers(3)
    now = due_by_the_real_clock()
    sending.claim(channel="inbox", now=now, limit=1)
    settings.SENDERS = 1
    tasks.send("inbox")
    assert Delivery.objects.filter(state="planned").count() == 2
    settings.SENDERS = 2
    tasks.send("inbox")
    assert not Delivery.objects.filter(state="planned").exists()


@pytest.mark.django_db
def test_batches_under_way_are_counted_by_channel() -> None:
    scenes.readers(3)
    scenes.planned(channels=("inbox",))
    for _ in range(2):
        sending.claim(channel="inbox", now=DUE, limit=1)
    assert sending.senders(channel="inbox") == 2
    assert sending.senders(channel="email") == 0
