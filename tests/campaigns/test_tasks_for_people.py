"""Calls: who may take one, what its outcome does at once, and when it takes itself back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from campaigns import launching, tasks_for_people
from campaigns.models import Desk, StaffTask
from config.errors import Invalid, NotFound
from loyalty import merging
from members import consents, privacy
from members.models import Consent, Member, Store, User
from tests import factories
from tests.campaigns import calls, scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def home() -> Store:
    return factories.store(time_zone="America/Denver")


@pytest.fixture
def member(home: Store) -> Member:
    return calls.callable_(home_store=home, time_zone="America/Denver")


@pytest.fixture
def task(member: Member) -> StaffTask:
    return calls.call(member)


@pytest.fixture
def kim(home: Store) -> User:
    return calls.clerk(home, name="Kim")


@pytest.fixture
def lee(home: Store) -> User:
    return calls.clerk(home, name="Lee")


def finish(
    task: StaffTask, by: User, outcome: str, *, note: str = "", now: datetime = DUE
) -> StaffTask:
    return tasks_for_people.finish(task_id=task.pk, by=by, outcome=outcome, note=note, now=now)


def take(task: StaffTask, by: User, *, now: datetime = DUE) -> StaffTask:
    return tasks_for_people.take(task_id=task.pk, by=by, now=now)


def withdrawn(now: datetime = DUE + HOUR) -> str:
    """Why the one call there is was taken back, if it was."""
    tasks_for_people.withdraw(now=now)
    return StaffTask.objects.get().withdrawn_because


# --- The queue ----------------------------------------------------------------------------------
def test_queue_is_that_of_the_own_store_the_most_urgent_first(home: Store, kim: User) -> None:
    oslo = factories.store("oslo")
    for store in (home, oslo, None):
        calls.desk(store)
        calls.callable_(home_store=store)
    for code, at in (("late", DUE + HOUR), ("soon", DUE)):
        calls.campaign(code, at=at)
        calls.send(at)
    queue = tasks_for_people.open_for(kim)
    assert [(t.store, t.delivery.campaign.code) for t in queue] == [(home, "soon"), (home, "late")]


@pytest.mark.parametrize(("role", "seen"), [("Call centre", 1), ("Marketer", 1), ("Clerk", 0)])
def test_calls_of_the_centre_are_for_those_who_see_every_store(role: str, seen: int) -> None:
    calls.call(calls.callable_())
    assert tasks_for_people.open_for(calls.clerk(None, role)).count() == seen


def test_queue_leaves_out_what_is_done_withdrawn_or_paused(task: StaffTask, kim: User) -> None:
    assert tasks_for_people.open_for(kim).count() == 1
    launching.pause(code="ring", now=DUE)
    assert tasks_for_people.open_for(kim).count() == 0
    launching.resume(code="ring", now=DUE)
    finish(task, kim, "reached")
    assert tasks_for_people.open_for(kim).count() == 0


# --- Taking -------------------------------------------------------------------------------------
def test_taken_call_is_kept_from_others_for_half_an_hour(
    task: StaffTask, kim: User, lee: User
) -> None:
    take(task, kim)
    shortly = DUE + 29 * MINUTE
    with pytest.raises(tasks_for_people.NotYours, match="Kim is on it"):
        take(task, lee, now=shortly)
    with pytest.raises(tasks_for_people.NotYours, match="Kim is on it"):
        finish(task, lee, "reached", now=shortly)
    assert take(task, lee, now=DUE + 30 * MINUTE).taken_by == lee


def test_taking_again_keeps_it_longer(task: StaffTask, kim: User) -> None:
    take(task, kim)
    assert take(task, kim, now=DUE + 20 * MINUTE).taken_at == DUE + 20 * MINUTE


def test_call_that_is_over_is_not_taken(task: StaffTask, kim: User) -> None:
    finish(task, kim, "interested")
    with pytest.raises(tasks_for_people.NotOpen, match="This call is done: interested"):
        take(task, kim)


def test_call_of_another_store_is_not_found(task: StaffTask) -> None:
    stranger = calls.clerk(factories.store("oslo"))
    with pytest.raises(NotFound):
        take(task, stranger)
    with pytest.raises(NotFound):
        finish(task, stranger, "reached")


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_of_two_who_take_it_at_once_one_is_on_it(home: Store) -> None:
    task = calls.call(calls.callable_(home_store=home))
    people = [calls.clerk(home, name=name) for name in ("Kim", "Lee", "Mo", "Nell")]

    def work(number: int) -> str:
        return str(take(task, people[number]).taken_by)

    told = at_once(work, callers=4)

    (taken,) = [name for name in told if name in {"Kim", "Lee", "Mo", "Nell"}]
    assert [f"{taken} is on it" in name for name in told].count(True) == 3
    assert str(StaffTask.objects.get().taken_by) == taken


# --- What came of it ----------------------------------------------------------------------------
@pytest.mark.parametrize("outcome", ["reached", "interested", "not_interested", "wrong_number"])
def test_outcome_and_note_are_kept(outcome: str, task: StaffTask, kim: User) -> None:
    take(task, kim)
    done = finish(task, kim, outcome, note=" Asks for the film. ", now=DUE + MINUTE)
    assert (done.state, done.outcome, done.note) == ("done", outcome, "Asks for the film.")
    assert (done.done_by, done.done_at, done.taken_by) == (kim, DUE + MINUTE, None)


def test_no_more_emails_binds_e_mail_and_says_where_it_was_said(
    task: StaffTask, kim: User, member: Member
) -> None:
    finish(task, kim, "no_emails")
    allowed = consents.preferences(member=member)
    assert (allowed["email"]["marketing"], allowed["people"]["marketing"]) == (False, True)
    assert Consent.objects.get(action="withdrawn").source == "store denver"


def test_no_more_contact_binds_every_channel(task: StaffTask, kim: User, member: Member) -> None:
    finish(task, kim, "no_contact")
    allowed = consents.preferences(member=member)
    assert {channel for channel, said in allowed.items() if said["marketing"]} == set()


def test_no_binds_whoever_the_member_was_merged_into(
    task: StaffTask, kim: User, member: Member
) -> None:
    kept = calls.callable_()
    take(task, kim)
    merging.merge(gone=member, kept=kept, reason="twice", by=None, now=DUE)
    finish(task, kim, "no_emails")
    assert not consents.preferences(member=kept)["email"]["marketing"]


def test_planned_e_mail_is_objected_to_after_no_more_emails(
    task: StaffTask, kim: User, member: Member
) -> None:
    later = DUE + HOUR
    mail = scenes.planned_at(later, "mail")
    finish(task, kim, "no_emails")
    scenes.turn(later)
    assert scenes.fate(member, mail) == ("objected", "consent")


def test_nobody_there_brings_it_back_twice_and_then_it_is_over(task: StaffTask, kim: User) -> None:
    first = finish(task, kim, "not_reached", note="Engaged.")
    assert (first.state, first.due_at, first.outcome) == ("open", DUE + 2 * HOUR, "")
    second = finish(task, kim, "not_reached", now=DUE + 2 * HOUR)
    assert (second.state, second.due_at) == ("open", scenes.utc("2027-03-02T16:00"))  # 9:00 there
    third = finish(task, kim, "not_reached", note="Again.", now=second.due_at)
    assert (third.state, third.outcome, third.attempts) == ("done", "not_reached", 3)
    assert third.note == "Engaged.\nAgain."


def test_call_is_not_brought_back_at_night(task: StaffTask, kim: User) -> None:
    evening = scenes.utc("2027-03-02T02:00")  # 19:00 in Denver
    again = finish(task, kim, "not_reached", now=evening)
    assert again.due_at == scenes.utc("2027-03-02T16:00")


def test_call_is_finished_once(task: StaffTask, kim: User) -> None:
    finish(task, kim, "reached")
    with pytest.raises(tasks_for_people.NotOpen, match="This call is done: reached"):
        finish(task, kim, "no_contact")


@pytest.mark.parametrize("outcome", ["", "bought", "NOT_REACHED"])
def test_outcome_that_is_none_is_refused(outcome: str, task: StaffTask, kim: User) -> None:
    with pytest.raises(Invalid):
        finish(task, kim, outcome)


def test_note_without_end_is_refused(task: StaffTask, kim: User) -> None:
    with pytest.raises(Invalid, match="2000 characters"):
        finish(task, kim, "reached", note="x" * 2_001)


def test_no_said_while_the_call_was_taken_back_binds_all_the_same(
    task: StaffTask, kim: User, member: Member
) -> None:
    factories.buy(member, "20", occurred_at=DUE + MINUTE)
    tasks_for_people.withdraw(now=DUE + HOUR)
    with pytest.raises(tasks_for_people.NotOpen, match="they came by themselves"):
        finish(task, kim, "not_reached")
    assert finish(task, kim, "no_contact").state == "done"
    assert not consents.preferences(member=member)["email"]["marketing"]


# --- Taken back ---------------------------------------------------------------------------------
def test_call_that_is_still_wanted_stays(task: StaffTask) -> None:
    assert tasks_for_people.withdraw(now=DUE + HOUR) == 0
    assert StaffTask.objects.get().state == "open"


def test_clock_takes_a_call_back_once(task: StaffTask, member: Member) -> None:
    factories.buy(member, "20", occurred_at=DUE + MINUTE)
    assert tasks_for_people.withdraw(now=DUE + HOUR) == 1
    assert tasks_for_people.withdraw(now=DUE + HOUR) == 0
    assert StaffTask.objects.get().state == "withdrawn"


def test_purchase_of_before_the_moment_takes_nothing_back(task: StaffTask, member: Member) -> None:
    factories.buy(member, "20", occurred_at=DUE - MINUTE)
    factories.buy(member, "20", occurred_at=DUE)
    factories.buy(factories.member(), "20", occurred_at=DUE + MINUTE)
    assert withdrawn() == ""


@pytest.mark.parametrize(
    ("goal", "does", "because"),
    [
        ("purchase", "purchase", "goal"),
        ("purchase", "check-in", ""),
        ("visit", "store-visit", "goal"),
        ("visit", "click", ""),
        ("check_in", "check-in", "goal"),
        ("check_in", "store-visit", ""),
    ],
)
def test_call_is_taken_back_when_its_campaigns_goal_is_reached(
    goal: str, does: str, because: str, member: Member
) -> None:
    calls.call(member, goal={"kind": goal, "within_days": 7})
    if does == "purchase":
        factories.buy(member, "20", occurred_at=DUE + MINUTE)
    else:
        scenes.did(member, does, at=DUE + MINUTE)
    assert withdrawn() == because


def test_call_is_taken_back_when_calls_are_no_longer_allowed(
    task: StaffTask, member: Member
) -> None:
    scenes.decide(member, "people", "withdrawn", at=DUE)
    assert withdrawn() == "consent"


def test_call_for_service_needs_no_yes_for_marketing(member: Member) -> None:
    calls.call(member, purpose="service")
    scenes.decide(member, "people", "withdrawn", at=DUE)
    assert withdrawn() == ""
    scenes.decide(member, "people", "withdrawn", purpose="service", at=DUE)
    assert withdrawn() == "consent"


def test_call_is_taken_back_when_the_member_wants_a_pause(task: StaffTask, member: Member) -> None:
    Member.objects.filter(pk=member.pk).update(paused_until=DUE + DAY)
    assert withdrawn() == "member_pause"


def test_call_is_taken_back_when_the_member_is_merged(task: StaffTask, member: Member) -> None:
    merging.merge(gone=member, kept=factories.member(), reason="twice", by=None, now=DUE)
    assert withdrawn() == "merged"


def test_call_is_taken_back_when_its_moment_has_passed(task: StaffTask) -> None:
    assert withdrawn(DUE + DAY) == "late"


def test_call_is_gone_with_an_erased_member(task: StaffTask, member: Member) -> None:
    privacy.erase(member=member, now=DUE)
    assert not StaffTask.objects.exists()


def test_call_somebody_is_making_is_not_taken_back(
    task: StaffTask, kim: User, member: Member
) -> None:
    factories.buy(member, "20", occurred_at=DUE + MINUTE)
    take(task, kim, now=DUE + HOUR)
    assert withdrawn(DUE + HOUR + 29 * MINUTE) == ""
    assert withdrawn(DUE + HOUR + 30 * MINUTE) == "goal"


def test_outcome_of_one_call_takes_back_the_others(home: Store, kim: User, member: Member) -> None:
    calls.desk(home)
    first, second = (calls.call(member, code) for code in ("one", "two"))
    finish(first, kim, "no_contact")
    tasks_for_people.withdraw(now=DUE)
    second.refresh_from_db()
    assert (second.state, second.withdrawn_because) == ("withdrawn", "consent")


# --- What can never be --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("staff_task_taken_by_somebody", {"state": "taken"}),
        ("staff_task_done_has_an_outcome", {"state": "done"}),
        ("staff_task_withdrawn_has_a_reason", {"state": "withdrawn"}),
        ("staff_task_attempts_at_most_3", {"attempts": 4}),
    ],
)
def test_database_refuses(constraint: str, change: dict[str, Any], task: StaffTask) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        StaffTask.objects.update(**change)


def test_call_that_thanks_for_a_purchase_is_not_taken_back_because_of_it() -> None:
    Desk.objects.create(seats_per_day=9)
    member = scenes.allow(factories.member(), "people")
    steps = [
        {"channels": ["inbox"], "variants": [scenes.VARIANT]},
        {
            "channels": ["people"],
            "wait": {"days": 2},
            "if": {"condition": "bought_since"},
            "variants": [scenes.VARIANT],
        },
    ]
    entry = {"kind": "interaction", "interaction": "view"}
    factories.campaign("thanks", steps=steps, entry=entry, is_live=True)
    scenes.did(member, "view")
    scenes.turn(NOW)
    factories.buy(member, 10, occurred_at=NOW + timedelta(days=1))
    scenes.turn(NOW + timedelta(days=2))
    assert StaffTask.objects.get().state == "open"


def test_call_to_a_member_who_moved_to_another_store_is_taken_back() -> None:
    """And the former store does not see them any more, as on every other page."""
    here, there = factories.store("here"), factories.store("there")
    Desk.objects.create(store=here, seats_per_day=9)
    member = scenes.allow(factories.member(home_store=here), "people")
    scenes.planned(channels=("people",))
    scenes.turn()
    clerk = User.objects.create(email="clerk@example.com", is_staff=True, store=here)
    assert tasks_for_people.open_for(clerk).count() == 1
    Member.objects.filter(pk=member.pk).update(home_store=there)
    assert tasks_for_people.seen_by(clerk).count() == 0
    scenes.turn(DUE + timedelta(minutes=1))
    task = StaffTask.objects.get()
    assert (task.state, task.withdrawn_because) == ("withdrawn", "moved")
