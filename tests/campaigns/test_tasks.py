"""Tasks give way to each other and leave nothing lying."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaigns import pacing, sending, tasks
from campaigns.models import Campaign, Delivery, InboxMessage
from config import nudging
from config.celery import BEAT_SCHEDULE, app
from members import interactions
from tests import processes
from tests.campaigns import scenes

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
    many = 5_000  # Two seconds' work and more.
    scenes.readers(many)
    due_by_the_real_clock()
    with (
        processes.running(processes.WORKER, broker=tmp_path),
        processes.running(POKE, broker=tmp_path),
    ):
        sent = Delivery.objects.filter(state="sent")
        processes.wait_until(lambda: sent.count() == many, seconds=60, every=0.1)


def test_every_task_of_the_schedule_and_of_a_nudge_is_known() -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in BEAT_SCHEDULE.values()} | set(nudging.TASKS.values())
    assert asked - app.tasks.keys() == set()


@pytest.mark.django_db
def test_task_of_the_clock_leaves_a_channel_to_those_who_have_it() -> None:
    scenes.readers(3)
    due_by_the_real_clock()
    assert pacing.occupy(channel="inbox")
    tasks.send("inbox")
    assert Delivery.objects.filter(state="planned").count() == 3
    tasks.send("inbox", goes_on=True)
    assert Delivery.objects.filter(state="sent").count() == 3


@pytest.mark.django_db
def test_channel_is_free_again_when_nothing_is_due() -> None:
    tasks.send("inbox")
    assert pacing.occupy(channel="inbox")
    assert not pacing.occupy(channel="inbox")
    pacing.vacate(channel="inbox")
    assert pacing.occupy(channel="inbox")


@pytest.mark.django_db
def test_channel_of_a_task_that_failed_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**asked: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(sending, "send_due", fail)
    with pytest.raises(OSError, match="disk"):
        tasks.send("inbox")
    assert pacing.occupy(channel="inbox")


@pytest.mark.django_db
def test_channel_of_a_task_that_died_is_free_after_a_lease(settings: Any) -> None:
    settings.DELIVERY_LEASE_SECONDS = 0
    assert pacing.occupy(channel="inbox")
    assert pacing.occupy(channel="inbox")


@pytest.mark.django_db
def test_answer_does_not_wait_behind_what_else_is_due() -> None:
    scenes.readers(sending.BATCH + 1)
    due_by_the_real_clock()
    member = scenes.reader()
    entry = {"kind": "interaction", "interaction": "view"}
    scenes.live("seen", channels=("inbox",), entry=entry, purpose="service")
    Campaign.objects.filter(code="seen").update(launched_at=timezone.now() - timedelta(hours=1))
    now = timezone.now()
    fact = interactions.Fact(member_id=member.pk, kind="view", occurred_at=now, reference="1")
    interactions.record([fact], now=now)
    tasks.answer()
    assert InboxMessage.objects.get().member == member
