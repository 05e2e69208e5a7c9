"""Alive, ready, and numbers: each reason for 503 made real."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns.models import Audience, Campaign, ChannelState, Delivery, Journey, Step
from members import announcing, webhooks
from members.models import (
    Announcement,
    Confirmation,
    Interaction,
    InteractionKind,
    Member,
    UnansweredInteraction,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def alex() -> Member:
    return Member.objects.create(number="A1", zone="UTC", joined_at=timezone.now())


def deliver(member: Member, *, minutes_ago: int, campaign_state: str = "live") -> Delivery:
    now = timezone.now()
    campaign = Campaign.objects.create(
        code=campaign_state,
        name="x",
        audience=Audience.objects.create(code=campaign_state, name="x"),
        entry={},
        state=campaign_state,
        launched_at=now,
    )
    due = now - timedelta(minutes=minutes_ago)
    journey = Journey.objects.create(
        campaign=campaign,
        member=member,
        occurrence="once",
        is_held_out=False,
        entered_at=now,
        due_at=due,
        zone="UTC",
    )
    return Delivery.objects.create(
        journey=journey,
        member=member,
        campaign=campaign,
        step=Step.objects.create(campaign=campaign, channels=["email"]),
        channel="email",
        due_at=due,
        expires_at=now,
        value=0.05,
    )


def leave_unanswered(member: Member, *, minutes_ago: int) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    kind, _ = InteractionKind.objects.get_or_create(slug="view-of-test", name="view")
    interaction = Interaction.objects.create(
        member=member, kind=kind, occurred_at=at, recorded_at=at, reference=str(minutes_ago)
    )
    UnansweredInteraction.objects.create(interaction=interaction)


def ready(client: Client) -> tuple[int, list[str]]:
    response = client.get("/readyz")
    return response.status_code, response.json()["reasons"]


def test_process_is_healthy_without_asking_the_database(
    client: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "ok"}


def test_everything_in_order_is_ready(client: Client) -> None:
    assert ready(client) == (200, [])


@pytest.mark.parametrize(("minutes_ago", "status"), [(-60, 200), (10, 200), (20, 503)])
def test_delivery_due_for_too_long_is_unready(
    client: Client, alex: Member, minutes_ago: int, status: int
) -> None:
    deliver(alex, minutes_ago=minutes_ago)
    assert ready(client)[0] == status


def test_delivery_of_a_paused_campaign_is_not_late(client: Client, alex: Member) -> None:
    deliver(alex, minutes_ago=60, campaign_state="paused")
    assert ready(client) == (200, [])


@pytest.mark.parametrize(("minutes_ago", "status"), [(10, 200), (20, 503)])
def test_interaction_unanswered_for_too_long_is_unready(
    client: Client, alex: Member, minutes_ago: int, status: int
) -> None:
    leave_unanswered(alex, minutes_ago=minutes_ago)
    leave_unanswered(alex, minutes_ago=1)
    assert ready(client)[0] == status


@pytest.mark.parametrize(("minutes_ago", "status"), [(10, 200), (20, 503)])
def test_member_not_asked_for_too_long_is_unready(
    client: Client, alex: Member, minutes_ago: int, status: int
) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    Confirmation.objects.create(
        member=alex, email_key="x", source="till", asked_at=at, asked_on=at.date(), due_at=at
    )
    assert ready(client)[0] == status


def test_reason_says_what_is_late_and_by_how_much(client: Client, alex: Member) -> None:
    leave_unanswered(alex, minutes_ago=20)
    assert ready(client)[1] == ["interactions: the oldest has been due for 1200 seconds"]


def test_broker_that_does_not_answer_is_unready(client: Client, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
    status, reasons = ready(client)
    assert (status, reasons[0].partition(":")[0]) == (503, "broker")


def test_folder_of_the_broker_that_is_gone_is_unready(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    folder = str(tmp_path / "gone")
    settings.CELERY_BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": folder, "data_folder_out": folder}
    assert ready(client) == (503, [f"broker: the folder {folder} cannot be written to"])


def test_database_that_is_away_is_unready_and_metrics_still_answer(
    client: Client, monkeypatch: Any
) -> None:
    with monkeypatch.context() as away:
        away.setattr("config.health.OLDEST_DUE_DELIVERY", "SELECT pg_sleep(9)")
        away.setattr("config.health.QUERY_TIMEOUT", "10ms")
        assert ready(client) == (503, ["database: canceling statement due to statement timeout"])
        assert b"cairn_database_up 0.0" in client.get("/metrics").content


def test_metrics_count_the_queues(client: Client, alex: Member) -> None:
    deliver(alex, minutes_ago=20)
    leave_unanswered(alex, minutes_ago=10)
    lines = client.get("/metrics").content.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values["cairn_database_up"] == "1.0"
    assert values['cairn_rows{rows="deliveries_planned"}'] == "1.0"
    assert values['cairn_rows{rows="interactions_unanswered"}'] == "1.0"
    assert 1199 < float(values['cairn_oldest_due_seconds{queue="deliveries"}']) < 1260
    assert float(values["process_resident_memory_bytes"]) > 0


def test_metrics_tell_which_channel_waits(client: Client) -> None:
    in_an_hour = timezone.now() + timedelta(hours=1)
    ChannelState.objects.filter(channel="sms").update(failures=5, open_until=in_an_hour)
    lines = client.get("/metrics").content.decode().splitlines()
    assert 'cairn_channel_paused{channel="sms"} 1.0' in lines
    assert 'cairn_channel_paused{channel="email"} 0.0' in lines


def test_metrics_count_what_webhooks_have_not_heard(client: Client) -> None:
    shop, _ = webhooks.subscribe(
        name="shop", url="https://shop.example/", kinds=["*"], now=timezone.now()
    )
    for state in ("planned", "failed", "failed", "sent"):
        row = announcing.try_out(webhook=shop, now=timezone.now())
        Announcement.objects.filter(pk=row.pk).update(state=state)
    lines = client.get("/metrics").content.decode().splitlines()
    assert [line for line in lines if "announcements" in line] == [
        'cairn_rows{rows="announcements_failed"} 2.0',
        'cairn_rows{rows="announcements_planned"} 1.0',
    ]


def test_readiness_costs_a_handful_of_statements(client: Client, alex: Member) -> None:
    deliver(alex, minutes_ago=1)
    connection.queries_log.clear()
    connection.force_debug_cursor = True
    try:
        ready(client)
    finally:
        connection.force_debug_cursor = False
    asked = [query["sql"] for query in connection.queries_log if "SELECT" in query["sql"]]
    assert len(asked) == 3
