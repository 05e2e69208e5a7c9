"""The last gate: what it reads right before sending, whatever planning thought."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from campaigns.models import Delivery, QuietHours
from members import consents, joining, privacy
from members.models import Member
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EVENING = scenes.utc("2027-03-02T04:30")  # 21:30 in Denver, 23:30 in New York.


# --- Consent and address ------------------------------------------------------------------------
def test_consent_withdrawn_after_planning_binds() -> None:
    member = scenes.reader()
    scenes.planned()
    consents.stop_marketing(member=member, at=NOW, source="app", now=NOW)
    scenes.turn()
    assert scenes.fate(member) == ("objected", "consent")


def test_address_lost_after_planning_is_said() -> None:
    member = scenes.reader()
    scenes.planned()
    joining.change(member=member, changes={"email": ""})
    scenes.turn()
    assert scenes.fate(member) == ("objected", "address")


def test_consent_withdrawn_for_one_channel_takes_the_next_of_the_step(mailoutbox: Any) -> None:
    member = scenes.reader()
    scenes.planned(channels=("email", "push", "inbox"))
    scenes.decide(member, "email", "withdrawn")
    scenes.turn()
    row = scenes.delivery(member)
    assert (row.channel, row.state, row.tries) == ("inbox", "sent", 1)
    assert (member.inbox.count(), mailoutbox) == (1, [])


def test_channel_that_comes_back_later_does_not_send_a_second_time(mailoutbox: Any) -> None:
    member = scenes.reader()
    scenes.planned(channels=("email", "inbox"))
    scenes.decide(member, "email", "withdrawn")
    scenes.turn()
    scenes.decide(member, "email", "granted", at=DUE)
    scenes.turn(DUE + timedelta(minutes=5))
    assert (member.inbox.count(), mailoutbox) == (1, [])


def test_channel_of_a_step_that_sends_all_is_not_replaced() -> None:
    member = scenes.reader()
    scenes.planned(channels=("email", "inbox"), send="all")
    scenes.decide(member, "email", "withdrawn")
    scenes.turn()
    rows = Delivery.objects.filter(member=member).values_list("channel", "state", "reason")
    assert sorted(rows) == [("email", "objected", "consent"), ("inbox", "sent", "")]


def test_member_erased_after_planning_gets_nothing(mailoutbox: Any) -> None:
    member = scenes.reader()
    scenes.planned()
    privacy.erase(member=member, now=NOW)
    scenes.turn()
    assert (Delivery.objects.count(), mailoutbox) == (0, [])


def test_member_emptied_while_claimed_is_objected() -> None:
    member = scenes.reader()
    scenes.planned()
    Member.objects.update(erased_at=NOW)
    scenes.turn()
    assert scenes.fate(member) == ("objected", "erased")


# --- A pause of the member's ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("until", "purpose", "fate"),
    [
        (DUE + timedelta(seconds=1), "marketing", ("objected", "member_pause")),
        (DUE, "marketing", ("sent", "")),
        (DUE + DAY, "service", ("sent", "")),
    ],
)
def test_pause_of_the_member_stops_marketing_until_its_end(
    until: datetime, purpose: str, fate: tuple[str, str]
) -> None:
    member = scenes.reader()
    scenes.planned(purpose=purpose, channels=("inbox",))
    joining.change(member=member, changes={"paused_until": until})
    scenes.turn()
    assert scenes.fate(member) == fate


# --- Quiet hours --------------------------------------------------------------------------------
def test_quiet_hours_are_the_members_own() -> None:
    denver, kolkata = scenes.reader(), scenes.reader(time_zone="Asia/Kolkata")
    campaign = scenes.planned_at(DUE)  # Half past midnight in Kolkata.
    scenes.turn()
    assert scenes.fates(campaign) == {
        denver.pk: ("sent", ""),
        kolkata.pk: ("objected", "quiet_hours"),
    }


@pytest.mark.parametrize(
    ("wall", "fate"),
    [
        ("20:59", ("sent", "")),
        ("21:00", ("objected", "quiet_hours")),
        ("00:00", ("objected", "quiet_hours")),
        ("07:59", ("objected", "quiet_hours")),
        ("08:00", ("sent", "")),
    ],
)
def test_quiet_hours_across_midnight_begin_and_end_on_the_minute(
    wall: str, fate: tuple[str, str]
) -> None:
    member = scenes.reader(time_zone="UTC")
    moment = scenes.utc(f"2027-03-03T{wall}")
    scenes.planned_at(moment)
    scenes.turn(moment)
    assert scenes.fate(member) == fate


def test_quiet_hours_are_waited_for_where_the_campaign_waits() -> None:
    member = scenes.reader()
    scenes.planned_at(EVENING, in_quiet_hours="wait")
    scenes.turn(EVENING)
    row = scenes.delivery(member)
    assert (row.state, row.due_at) == ("planned", scenes.utc("2027-03-02T15:00"))
    scenes.turn(row.due_at)
    assert scenes.fate(member) == ("sent", "")


def test_quiet_hours_that_outlast_the_message_are_not_waited_for() -> None:
    member = scenes.reader()
    scenes.planned_at(EVENING, in_quiet_hours="wait", expires_hours=10)
    scenes.turn(EVENING)
    assert scenes.fate(member) == ("objected", "quiet_hours")


def test_waiting_for_the_morning_costs_no_try() -> None:
    member = scenes.reader()
    scenes.planned_at(EVENING, in_quiet_hours="wait")
    scenes.turn(EVENING)
    assert scenes.delivery(member).tries == 0


@pytest.mark.parametrize(
    "said",
    [{"channels": ("inbox",)}, {"purpose": "service"}],
    ids=["inbox", "service"],
)
def test_quiet_hours_are_about_what_disturbs(said: dict[str, Any]) -> None:
    member = scenes.reader()
    scenes.planned_at(EVENING, **said)
    scenes.turn(EVENING)
    assert scenes.fate(member) == ("sent", "")


def test_two_quiet_hours_are_waited_for_to_the_later_end() -> None:
    QuietHours.objects.create(
        name="Sunday", channels=["email"], starts=time(20, 0), ends=time(10, 0)
    )
    member = scenes.reader()
    scenes.planned_at(EVENING, in_quiet_hours="wait")
    scenes.turn(EVENING)
    assert scenes.delivery(member).due_at == scenes.utc("2027-03-02T17:00")


# --- Expiry and the marketer's pause --------------------------------------------------------------
@pytest.mark.parametrize(
    ("hours", "fate"), [(timedelta(hours=23), ("sent", "")), (DAY, ("expired", "late"))]
)
def test_message_goes_until_it_expires(hours: timedelta, fate: tuple[str, str]) -> None:
    member = scenes.reader()
    scenes.planned_at(DUE, expires_hours=24)
    scenes.turn(DUE + hours)
    assert scenes.fate(member) == fate


def test_objection_is_final() -> None:
    member = scenes.reader()
    scenes.planned()
    scenes.decide(member, "email", "withdrawn")
    scenes.turn()
    scenes.decide(member, "email", "granted", at=DUE)
    scenes.turn(DUE + timedelta(hours=1))
    assert scenes.fate(member) == ("objected", "consent")
