"""The right person is told when a member does something, and what that person learns binds.

As in the field force of product.md: somebody has just read about side effects; the store calls
within minutes; "no e-mails please" stops what was planned already.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import clock, files, launching, tasks_for_people
from campaigns.models import Delivery, StaffTask
from loyalty import behaviour
from members.models import Consent, Member, Store, User
from tests import factories
from tests.staff import person

pytestmark = pytest.mark.django_db

TEN = datetime(2027, 3, 1, 17, tzinfo=UTC)  # 10:00 in Denver
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CALL: dict[str, Any] = {
    "code": "side-effects",
    "name": "Read about side effects",
    "audience": {"all": []},
    "entry": {"kind": "interaction", "interaction": "view", "category": "side-effects"},
    "goal": {"kind": "visit", "within_days": 7},
    "priority": 90,
    "steps": [
        {
            "channels": ["people"],
            "variants": [
                {
                    "subject": "{{ member.given_name }} read about side effects",
                    "body": "Ask how they get on. Offer a visit.",
                }
            ],
        }
    ],
}
LETTER: dict[str, Any] = {
    "code": "letter",
    "name": "Letter",
    "audience": {"all": []},
    "entry": {"kind": "moment", "at": (TEN + HOUR).isoformat()},
    "steps": [{"channels": ["email"], "variants": [{"subject": "News", "body": "News."}]}],
}


@pytest.fixture
def practice() -> Store:
    """A store that takes calls, beside a call centre."""
    store = factories.store("practice", time_zone="America/Denver")
    for at in (store, None):
        store.desks.model.objects.create(store=at, seats_per_day=5)
    return store


@pytest.fixture
def rosa(practice: Store) -> Member:
    for document in (CALL, LETTER):
        files.load(document, now=TEN - HOUR)
        launching.launch(code=document["code"], by=None, now=TEN - HOUR)
    return factories.member(
        given_name="Rosa", home_store=practice, marketing={"email": True, "people": True}
    )


@pytest.fixture
def clerk(practice: Store) -> User:
    return person("Clerk", store=practice)


def reads(member: Member, *, at: datetime) -> None:
    said = behaviour.Report(
        member_id=member.pk, kind="view", occurred_at=at, reference="page", category="side-effects"
    )
    behaviour.report([said], now=at)


def tick(now: datetime) -> None:
    while not clock.turn(now=now).is_idle:
        pass


def state(code: str) -> tuple[str, str]:
    row = Delivery.objects.get(campaign__code=code)
    return row.state, row.reason


def test_what_the_clerk_learns_on_the_phone_stops_the_letter(
    rosa: Member, clerk: User, practice: Store, mailoutbox: list[Any]
) -> None:
    clock.turn(now=TEN)
    assert state("letter") == ("planned", "")

    reads(rosa, at=TEN + MINUTE)
    clock.turn(now=TEN + MINUTE)  # One turn, and it is on the right desk.
    (task,) = tasks_for_people.open_for(clerk)
    assert (task.store, task.subject) == (practice, "Rosa read about side effects")
    assert task.due_at - TEN <= 21 * MINUTE

    tasks_for_people.take(task_id=task.pk, by=clerk, now=TEN + 5 * MINUTE)
    tasks_for_people.finish(
        task_id=task.pk,
        by=clerk,
        outcome="no_emails",
        note="Would rather come in.",
        now=TEN + 9 * MINUTE,
    )
    said = Consent.objects.get(action="withdrawn")
    assert (said.channel, said.purpose, said.source) == ("email", "marketing", "store practice")

    tick(TEN + HOUR)
    assert state("letter") == ("objected", "consent")
    assert mailoutbox == []


def test_call_takes_itself_back_when_the_member_comes_by(rosa: Member, clerk: User) -> None:
    reads(rosa, at=TEN + MINUTE)
    tick(TEN + MINUTE)
    report = behaviour.Report(
        member_id=rosa.pk, kind="store-visit", occurred_at=TEN + 3 * MINUTE, reference="door"
    )
    behaviour.report([report], now=TEN + 3 * MINUTE)
    tick(TEN + 4 * MINUTE)
    task = StaffTask.objects.get()
    assert (task.state, task.get_withdrawn_because_display()) == (
        "withdrawn", "they came by themselves",
    )  # fmt: skip
    assert not tasks_for_people.open_for(clerk).exists()
