"""Next best action: one member, many campaigns; the best allowed set goes, the losers know why."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns import arbitration, odds, sending
from campaigns.models import Campaign, ContactCap, Delivery, TrackRecord
from members.models import Member
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def cap(most: int, days: int = 7, **said: Any) -> ContactCap:
    ContactCap.objects.all().delete()
    return ContactCap.objects.create(
        name="cap", **{"channels": ["email"], "max_messages": most, "window_days": days, **said}
    )


def rivals(**priorities: int) -> dict[str, Campaign]:
    """Campaigns planned for DUE, by code."""
    return {code: scenes.planned(code, priority=each) for code, each in priorities.items()}


def lost_to(loser: Delivery) -> str:
    return loser.beaten_by.campaign.code if loser.beaten_by else ""


def test_best_messages_that_a_cap_allows_stay_and_the_others_say_whom_they_lost_to() -> None:
    cap(2)
    member = scenes.reader()
    campaigns = rivals(a=10, b=90, c=50, d=70)
    assert arbitration.arbitrate(now=NOW) == 2
    fates = {code: scenes.fate(member, each) for code, each in campaigns.items()}
    assert fates == {
        "a": ("objected", "cap"),
        "b": ("planned", ""),
        "c": ("objected", "cap"),
        "d": ("planned", ""),
    }
    losers = [scenes.delivery(member, campaigns[code]) for code in "ac"]
    assert [lost_to(each) for each in losers] == ["d", "d"]
    assert [(o.objection.had, o.objection.allowed) for o in losers] == [(3, 2), (2, 2)]


def test_what_a_member_had_leaves_less_room() -> None:
    cap(2)
    member = scenes.reader()
    scenes.planned("earlier")
    scenes.turn(DUE)
    later = DUE + timedelta(hours=1)
    campaigns = {
        code: scenes.planned_at(later, code, priority=each) for code, each in (("a", 10), ("b", 90))
    }
    arbitration.arbitrate(now=DUE)
    assert scenes.fate(member, campaigns["a"]) == ("objected", "cap")
    assert scenes.fate(member, campaigns["b"]) == ("planned", "")
    objection = scenes.delivery(member, campaigns["a"]).objection
    assert objection.passes_at == DUE + 7 * DAY


def test_loser_that_waits_has_its_turn_when_the_window_has_passed() -> None:
    cap(1, days=1)
    member = scenes.reader()
    scenes.planned("film", priority=90)
    patient = scenes.planned("news", priority=10, when_beaten="wait", expires_hours=48)
    assert arbitration.arbitrate(now=NOW) == 1
    assert arbitration.arbitrate(now=NOW) == 0
    row = scenes.delivery(member, patient)
    assert (row.state, row.due_at, lost_to(row)) == ("planned", DUE + DAY, "film")
    scenes.turn()
    scenes.turn(DUE + DAY)
    assert scenes.fate(member, patient) == ("sent", "")


def test_loser_that_cannot_wait_so_long_gives_way() -> None:
    cap(1, days=7)
    member = scenes.reader()
    scenes.planned("film", priority=90)
    patient = scenes.planned("news", priority=10, when_beaten="wait", expires_hours=48)
    arbitration.arbitrate(now=NOW)
    assert scenes.fate(member, patient) == ("objected", "cap")
    assert scenes.delivery(member, patient).objection.passes_at == DUE + 7 * DAY


def test_last_gate_lets_a_patient_loser_wait_as_well() -> None:
    cap(1, days=1)
    member = scenes.reader()
    scenes.planned("film")
    scenes.turn(DUE)
    later = DUE + timedelta(hours=1)
    patient = scenes.planned_at(later, "news", when_beaten="wait")
    sending.send_due(channel="email", now=later)
    row = scenes.delivery(member, patient)
    assert (row.state, row.due_at, lost_to(row)) == ("planned", DUE + DAY, "film")
    assert (row.objection.had, row.objection.allowed) == (1, 1)


def test_message_that_is_not_worth_another_disturbance_stays_unsent() -> None:
    cap(10, price="0.06")
    member = scenes.reader()
    # 0.05 an answer: 0.10, 0.09 and 0.20 in money.
    campaigns = rivals(a=100, b=90, c=200)
    arbitration.arbitrate(now=NOW)
    fates = {code: scenes.fate(member, each) for code, each in campaigns.items()}
    assert fates == {
        "c": ("planned", ""),  # nothing before it
        "a": ("planned", ""),  # 0.10 against 1 x 0.06
        "b": ("objected", "worth"),  # 0.09 against 2 x 0.06
    }


def test_members_do_not_compete_with_each_other() -> None:
    cap(1)
    members = scenes.readers(5)
    scenes.planned()
    assert arbitration.arbitrate(now=NOW) == 0
    assert {scenes.fate(member) for member in members} == {("planned", "")}


def test_rival_on_a_channel_the_cap_does_not_count_is_none() -> None:
    cap(1, channels=["email"])
    member = scenes.reader()
    mail = scenes.planned("mail")
    app = scenes.planned("app", channels=("inbox",))
    assert arbitration.arbitrate(now=NOW) == 0
    assert {scenes.fate(member, each) for each in (mail, app)} == {("planned", "")}


def test_campaign_that_is_answered_more_often_wins() -> None:
    cap(1)
    member = scenes.reader()
    campaigns = {code: scenes.live(code) for code in ("dull", "loved")}
    for code, answered in (("dull", 10), ("loved", 300)):
        variant = campaigns[code].steps.get().variants.get()
        TrackRecord.objects.create(variant=variant, context=None, sent=1_000, answered=answered)
    for campaign in campaigns.values():
        scenes.plan(campaign)
    arbitration.arbitrate(now=NOW)
    assert scenes.fate(member, campaigns["loved"]) == ("planned", "")
    assert lost_to(scenes.delivery(member, campaigns["dull"])) == "loved"


def test_chance_of_an_answer_begins_at_one_in_twenty_and_follows_the_record() -> None:
    assert odds.of_answer(sent=0, answered=0) == pytest.approx(0.05)
    assert odds.of_answer(sent=10_000, answered=2_000) == pytest.approx(0.2, abs=0.001)


def _had(member: Member) -> int:
    return Delivery.objects.filter(member=member, state="sent").count()


def test_members_of_a_crowd_get_what_the_cap_allows_and_no_more() -> None:
    cap(2)
    members = scenes.readers(40)
    rivals(a=10, b=20, c=30, d=40, e=50)
    arbitration.arbitrate(now=NOW)
    scenes.turn()
    assert {_had(member) for member in members} == {2}
