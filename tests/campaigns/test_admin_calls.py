"""The pages of calls: whose queue one sees, what is on the card, and what the buttons do."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Desk, StaffTask
from members import consents
from members.models import Member, Store
from tests import factories
from tests.campaigns import calls, scenes
from tests.campaigns.desk import NASTY, page, told

pytestmark = pytest.mark.django_db

QUEUE, DESKS = "stafftask_changelist", "desk_changelist"


@pytest.fixture
def home() -> Store:
    return factories.store(time_zone="America/Denver")


@pytest.fixture
def member(home: Store) -> Member:
    return calls.callable_(home_store=home, phone="+14155552671", family_name="Rivera")


@pytest.fixture
def task(member: Member) -> StaffTask:
    return waiting(member)


@pytest.fixture
def clerk(home: Store) -> Client:
    return client_of(home, name="Kim")


def client_of(store: Store | None, role: str = "Clerk", **said: Any) -> Client:
    client = Client()
    client.force_login(calls.clerk(store, role, **said))
    return client


def waiting(to: Member, code: str = "ring", **said: Any) -> StaffTask:
    """A call that waits as of now."""
    return calls.call(to, code, at=timezone.now() - timedelta(hours=1), **said)


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def finish(client: Client, task: StaffTask, outcome: str, note: str = "") -> Any:
    said = {"outcome": outcome, "note": note}
    return client.post(page("stafftask_finish", task.pk), said, follow=True)


# --- Whose --------------------------------------------------------------------------------------
def test_clerk_sees_the_calls_of_the_own_store(clerk: Client, task: StaffTask) -> None:
    foreign = waiting(calls.callable_(home_store=factories.store("oslo"), given_name="Odd"), "odd")
    shown = text(clerk.get(page(QUEUE)))
    assert "Alex Rivera" in shown
    assert "Odd" not in shown
    assert [row["task"] for row in clerk.get(page(QUEUE)).context["rows"]] == [task]
    assert "Odd" not in text(clerk.get(page(QUEUE) + "?desk=oslo"))
    assert foreign.store is not None


def test_another_stores_call_is_not_found(task: StaffTask) -> None:
    stranger = client_of(factories.store("oslo"))
    assert stranger.get(page("stafftask_change", task.pk)).status_code == 404
    assert stranger.get(page("stafftask_history", task.pk)).status_code == 302
    for verb in ("take", "finish"):
        said = {"outcome": "no_contact"}
        assert stranger.post(page(f"stafftask_{verb}", task.pk), said).status_code == 404
    task.refresh_from_db()
    assert task.state == "open"


@pytest.mark.parametrize("asked", ["0", "x", "9" * 30])
def test_call_that_is_none_is_not_found(asked: str, clerk: Client) -> None:
    assert clerk.get(page("stafftask_change", asked)).status_code == 404


def test_call_centre_sees_its_own_queue_and_others(task: StaffTask) -> None:
    own = waiting(calls.callable_(), "own")
    agent = client_of(None, "Call centre")
    answer = agent.get(page(QUEUE))
    assert [row["task"] for row in answer.context["rows"]] == [own]
    assert [(d["code"], d["waiting"]) for d in answer.context["desks"]] == [
        ("call-centre", 1), ("denver", 1),
    ]  # fmt: skip
    others = agent.get(page(QUEUE) + "?desk=denver").context["rows"]
    assert [row["task"] for row in others] == [task]


def test_calls_take_a_permission(task: StaffTask) -> None:
    finance = client_of(None, "Finance")
    assert finance.get(page(QUEUE)).status_code == 403
    assert finance.get(page("stafftask_change", task.pk)).status_code == 404
    assert Client().get(page(QUEUE)).status_code == 302


# --- The queue ----------------------------------------------------------------------------------
def test_most_urgent_comes_first_in_the_time_of_the_store(clerk: Client, home: Store) -> None:
    tasks = [waiting(calls.callable_(home_store=home), code) for code in ("one", "two")]
    noon = scenes.utc("2027-03-02T19:05")
    for task, minutes in zip(tasks, (30, 0), strict=True):
        StaffTask.objects.filter(pk=task.pk).update(due_at=noon + timedelta(minutes=minutes))
    answer = clerk.get(page(QUEUE))
    assert [row["task"] for row in answer.context["rows"]] == tasks[::-1]
    assert "due Tue 12:05" in text(answer).replace("</span>", "").replace("due since", "due")


def test_empty_queue_says_what_to_do_next(clerk: Client, marketer: Client) -> None:
    assert "Nobody takes calls yet" in text(clerk.get(page(QUEUE)))
    assert page("desk_add") in text(marketer.get(page(QUEUE)))
    calls.desk()
    assert "Nobody waits for a call" in text(clerk.get(page(QUEUE)))


def test_what_is_done_is_kept_with_its_note(clerk: Client, task: StaffTask) -> None:
    finish(clerk, task, "interested", "Asks for the film")
    shown = text(clerk.get(page(QUEUE) + "?show=done"))
    assert "Asks for the film" in shown
    assert "Interested" in shown
    assert "Nobody waits" in text(clerk.get(page(QUEUE)))


def test_queue_takes_the_same_queries_however_long(
    clerk: Client, home: Store, django_assert_max_num_queries: Any
) -> None:
    for number in range(9):
        waiting(calls.callable_(home_store=home), f"c{number}")
    with django_assert_max_num_queries(10):
        assert len(clerk.get(page(QUEUE)).context["rows"]) == 9


# --- The card -----------------------------------------------------------------------------------
def test_card_has_what_one_needs_on_the_phone(
    clerk: Client, task: StaffTask, member: Member, home: Store
) -> None:
    scenes.did(member, "view", "hiking", at=timezone.now())
    now = timezone.now()
    factories.buy(member, factories.line(189, sku="boots"), store=home, occurred_at=now)
    shown = text(clerk.get(page("stafftask_change", task.pk)))
    for said in ("tel:+14155552671", "Hello Alex", "Hiking", "boots", "189.00", "Points",
                 "You allow messages of this kind by call or visit.", "Denver"):  # fmt: skip
        assert said in shown, said


def test_card_without_a_number_says_so(clerk: Client, home: Store) -> None:
    task = waiting(calls.callable_(home_store=home))
    assert "No telephone number is known" in text(clerk.get(page("stafftask_change", task.pk)))


def test_call_that_is_over_shows_what_came_of_it_and_no_card(
    clerk: Client, task: StaffTask
) -> None:
    finish(clerk, task, "reached", "Was glad")
    shown = text(clerk.get(page("stafftask_change", task.pk)))
    assert "Was glad" in shown
    assert "tel:" not in shown


def test_clerk_reads_how_many_are_alike_and_a_marketer_who(
    clerk: Client, marketer: Client, task: StaffTask, member: Member, home: Store
) -> None:
    now = timezone.now()
    twin = factories.member(given_name="Twin", family_name="Secret", home_store=home)
    for one in (member, twin):
        scenes.did(one, "view", "hiking", at=now - timedelta(days=2))
    for _ in range(2):
        factories.buy(twin, "20", occurred_at=now - timedelta(days=1))
    hers = page("stafftask_change", task.pk)
    to_clerk, to_marketer = text(clerk.get(hers)), text(marketer.get(hers))
    assert "1 member with the same interests bought more within a year" in to_clerk
    assert [said in to_clerk for said in (twin.number, "Twin", "Secret")] == [False] * 3
    assert reverse("admin:members_member_change", args=[twin.pk]) in to_marketer


def test_what_people_write_is_text(clerk: Client, home: Store) -> None:
    member = calls.callable_(home_store=home, given_name=NASTY)
    task = waiting(member, variants=[{"interest": None, "subject": NASTY, "body": NASTY}])
    finish(clerk, task, "not_reached", NASTY)
    addresses = [page(QUEUE), page("stafftask_change", task.pk), reverse("admin:index")]
    finish_later = [page(QUEUE) + "?show=done", page("stafftask_change", task.pk)]
    for address in addresses:
        assert "<script>alert" not in text(clerk.get(address))
    finish(clerk, task, "reached", NASTY)
    of_member = reverse("admin:members_member_change", args=[member.pk])
    for address in [*finish_later, of_member]:
        assert "<script>alert" not in text(clerk.get(address))


# --- The buttons --------------------------------------------------------------------------------
def test_taking_a_call_tells_colleagues(clerk: Client, task: StaffTask, home: Store) -> None:
    clerk.post(page("stafftask_take", task.pk))
    colleague = client_of(home, name="Lee")
    hers = page("stafftask_change", task.pk)
    assert "You are on it" in text(clerk.get(hers))
    assert "Kim is on it" in text(colleague.get(hers))
    assert 'name="outcome"' not in text(colleague.get(hers))
    assert "Kim is on it" in told(colleague.post(page("stafftask_take", task.pk), follow=True))


def test_no_is_noted_and_binds(clerk: Client, task: StaffTask, member: Member) -> None:
    answer = finish(clerk, task, "no_emails", "Too many")
    assert told(answer) == "Noted: no more marketing e-mails, from this moment on."
    assert not consents.preferences(member=member)["email"]["marketing"]
    assert LogEntry.objects.filter(object_id=str(task.pk)).exists()


def test_nobody_there_says_when_it_comes_back(clerk: Client, task: StaffTask) -> None:
    assert "Nobody there: it comes back at" in told(finish(clerk, task, "not_reached"))


def test_refused_outcome_keeps_the_note(clerk: Client, task: StaffTask) -> None:
    answer = finish(clerk, task, "nonsense", "A long story\0")
    assert told(answer) == "Say what came of it."
    assert ">A long story</textarea>" in text(answer)


@pytest.mark.parametrize("verb", ["take", "finish"])
def test_following_a_link_does_nothing(verb: str, clerk: Client, task: StaffTask) -> None:
    assert clerk.get(page(f"stafftask_{verb}", task.pk)).status_code == 405
    task.refresh_from_db()
    assert task.state == "open"


# --- Around it ----------------------------------------------------------------------------------
def test_first_page_says_how_many_calls_wait(clerk: Client, task: StaffTask) -> None:
    StaffTask.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    context = clerk.get(reverse("admin:index")).context
    figure = next(figure for figure in context["figures"] if figure.label == "Calls waiting")
    assert (figure.value, figure.note) == (1, "1 of them due")
    assert context["steps"][0].text == "Call Alex Rivera"


def test_page_of_the_member_says_what_calls_came_to(
    clerk: Client, task: StaffTask, member: Member
) -> None:
    finish(clerk, task, "interested", "Wants the film")
    shown = text(clerk.get(reverse("admin:members_member_change", args=[member.pk])))
    assert "Wants the film" in shown


def test_marketer_says_who_takes_calls(marketer: Client, home: Store) -> None:
    for store in (home.pk, ""):
        said = {"store": store, "seats_per_day": 5, "is_open": "on"}
        marketer.post(page("desk_add"), said)
    assert [(str(d), d.seats_per_day) for d in Desk.objects.order_by("pk")] == [
        ("Denver", 5), ("Call centre", 5),
    ]  # fmt: skip
    again = marketer.post(page("desk_add"), {"store": "", "seats_per_day": 5, "is_open": "on"})
    assert again.status_code == 200
    assert Desk.objects.count() == 2
    assert "0 of 5" in text(marketer.get(page(DESKS)))


def test_desks_are_counted_at_once(marketer: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(9):
        calls.desk(factories.store(f"s{number}"))
    with django_assert_max_num_queries(9):
        assert "0 of 10" in text(marketer.get(page(DESKS)))


def test_marketer_writes_a_campaign_of_calls(marketer: Client) -> None:
    assert 'value="people"' in text(marketer.get(page("campaign_add")))
