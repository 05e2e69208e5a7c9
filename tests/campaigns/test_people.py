"""Calls at the last gate: whose they become, how many a day, and what is said when nobody can."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns import sending
from campaigns.models import ContactCap, Delivery, Desk, Link, StaffTask
from tests import factories
from tests.campaigns import calls, scenes
from tests.campaigns.scenes import DUE
from tests.processes import at_once

pytestmark = pytest.mark.django_db


def only(label: str) -> dict[str, Any]:
    """An audience of those with a label."""
    return {"all": [{"condition": "labelled", "label": label}]}


# --- Whose ------------------------------------------------------------------------------------
def test_call_goes_to_the_home_store_that_takes_calls() -> None:
    home = factories.store()
    calls.desk(home)
    calls.desk()
    member = calls.callable_(home_store=home)
    calls.campaign()
    assert calls.send() == 1
    task = StaffTask.objects.get()
    assert (task.member, task.store, task.state) == (member, home, "open")
    assert (task.subject, task.text) == ("Hello Alex", "Hello **Alex**")
    assert scenes.fate(member) == ("sent", "")


@pytest.mark.parametrize("has_closed_desk", [True, False])
def test_call_goes_to_the_call_centre_while_the_store_takes_none(has_closed_desk: bool) -> None:
    home = factories.store()
    if has_closed_desk:
        calls.desk(home, is_open=False)
    calls.desk()
    calls.callable_(home_store=home)
    calls.campaign()
    calls.send()
    assert StaffTask.objects.get().store is None


def test_call_that_nobody_takes_is_objected_to() -> None:
    calls.desk(factories.store("oslo"))
    calls.desk(is_open=False)
    member = calls.callable_(home_store=factories.store())
    calls.campaign()
    calls.send()
    assert scenes.fate(member) == ("objected", "desk")
    assert not StaffTask.objects.exists()


def test_there_is_one_desk_a_store_and_one_call_centre() -> None:
    home = factories.store()
    for store in (home, None):
        calls.desk(store)
        with pytest.raises(IntegrityError, match="desk_once_per_store"), transaction.atomic():
            calls.desk(store)


# --- Whether and when -------------------------------------------------------------------------
def test_calls_take_a_yes_for_marketing_and_none_for_service() -> None:
    calls.desk()
    member = factories.member()
    marketing = calls.campaign("film")
    service = calls.campaign("recall", purpose="service")
    calls.send()
    assert scenes.fate(member, marketing) == ("objected", "consent")
    assert scenes.fate(member, service) == ("sent", "")


def test_call_is_due_within_minutes() -> None:
    task = calls.call(calls.callable_())
    assert (task.created_at, task.due_at) == (DUE, DUE + timedelta(minutes=20))


def test_call_of_the_night_is_due_when_the_member_is_awake() -> None:
    calls.desk()
    calls.callable_(time_zone="America/Denver")
    late = scenes.utc("2027-03-02T05:30")  # 22:30 there
    calls.campaign(at=late)
    calls.send(late)
    assert StaffTask.objects.get().due_at == scenes.utc("2027-03-02T16:00")


def test_script_has_the_plain_address_of_a_link() -> None:
    calls.desk()
    calls.callable_()
    variant = {"interest": None, "subject": "Film", "body": "See [it](https://cairn.example/film)"}
    calls.campaign(variants=[variant])
    calls.send()
    assert Link.objects.get().url == "https://cairn.example/film"
    assert "/l/" not in StaffTask.objects.get().text
    assert "https://cairn.example/film" in StaffTask.objects.get().text


def test_sending_again_makes_no_second_call() -> None:
    task = calls.call(calls.callable_())
    scenes.turn()
    assert StaffTask.objects.get() == task


# --- Seats ------------------------------------------------------------------------------------
def test_desk_gets_no_more_calls_than_it_has_seats() -> None:
    calls.desk(seats=2)
    members = [calls.callable_() for _ in range(3)]
    campaign = calls.campaign()
    calls.send()
    fates = scenes.fates(campaign)
    assert [fates[member.pk] for member in members] == [
        ("sent", ""), ("sent", ""), ("objected", "seats"),
    ]  # fmt: skip


def test_last_seat_goes_to_the_highest_priority() -> None:
    calls.desk(seats=1)
    member = calls.callable_()
    low, high = calls.campaign("low", priority=1), calls.campaign("high", priority=99)
    calls.send()
    assert scenes.fate(member, high) == ("sent", "")
    assert scenes.fate(member, low) == ("objected", "seats")


def test_seats_of_one_desk_are_not_those_of_another() -> None:
    home = factories.store()
    calls.desk(home, seats=1)
    calls.desk(seats=1)
    calls.callable_(home_store=home)
    calls.callable_()
    calls.campaign()
    assert calls.send() == 2


def test_campaign_that_waits_has_its_call_made_the_next_morning() -> None:
    calls.desk(factories.store(), seats=1)
    for _ in range(2):
        calls.callable_(home_store=Desk.objects.get().store)
    calls.campaign(in_quiet_hours="wait", expires_hours=48)
    assert calls.send() == 1
    waiting = Delivery.objects.get(state="planned")
    assert (waiting.due_at, waiting.tries) == (scenes.utc("2027-03-02T16:00"), 0)  # 9:00 there
    assert calls.send(waiting.due_at) == 1


def test_campaign_that_waits_does_not_wait_past_its_moment() -> None:
    calls.desk(seats=0)
    member = calls.callable_()
    calls.campaign(in_quiet_hours="wait", expires_hours=2)
    calls.send()
    assert scenes.fate(member) == ("objected", "seats")


def test_seats_are_counted_by_the_desks_own_day() -> None:
    calls.desk(factories.store(time_zone="America/Denver"), seats=1)
    store = Desk.objects.get().store
    for label in ("one", "two"):
        calls.callable_(home_store=store, labels=(label,))
    evening, midnight = scenes.utc("2027-03-02T06:59"), scenes.utc("2027-03-02T07:00")
    calls.campaign("one", at=evening, audience=only("one"))
    calls.campaign("two", at=midnight, audience=only("two"))
    assert (calls.send(evening), calls.send(midnight)) == (1, 1)


def test_seat_of_a_call_that_was_withdrawn_stays_taken() -> None:
    calls.desk(seats=1)
    calls.call(calls.callable_(), "one")
    calls.callable_(labels=("two",))
    StaffTask.objects.update(state="withdrawn", withdrawn_because="goal")
    calls.campaign("two", audience=only("two"))
    assert calls.send() == 0


def test_call_that_a_cap_refuses_takes_no_seat() -> None:
    calls.desk(seats=1)
    calls.callable_(labels=("one",))
    second = calls.callable_(labels=("two",))
    ContactCap.objects.create(name="Calls", channels=["people"], max_messages=0, window_days=7)
    calls.campaign("film", audience=only("one"))
    calls.campaign("recall", purpose="service", audience=only("two"))
    assert calls.send() == 1
    assert StaffTask.objects.get().member == second


def test_other_channels_ask_nothing_of_desks() -> None:
    scenes.reader()
    scenes.planned()
    with CaptureQueriesContext(connection) as asked:
        sending.send_due(channel="email", now=DUE)
    assert [query["sql"] for query in asked if "campaigns_desk" in query["sql"]] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_eight_workers_fill_three_seats_and_no_fourth() -> None:
    home = factories.store()
    calls.desk(home, seats=3)
    for _ in range(24):
        calls.callable_(home_store=home)
    calls.campaign()

    def work(_: int) -> int:
        sent = 0
        while (batch := sending.send_due(channel="people", now=DUE, limit=1)).claimed:
            sent += batch.sent
        return sent

    assert sum(at_once(work)) == 3
    assert StaffTask.objects.filter(store=home).count() == 3
    assert Delivery.objects.filter(state="objected", reason="seats").count() == 21
