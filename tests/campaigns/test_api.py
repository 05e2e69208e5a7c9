"""The inbox over HTTP: one's own messages, why each was sent, and nobody else's."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns import tracking
from campaigns.models import Engagement, InboxMessage
from members import privacy
from members.models import Member
from tests import factories
from tests.campaigns import scenes

pytestmark = pytest.mark.django_db

INBOX = "/api/v1/inbox/"


@pytest.fixture
def alex() -> Member:
    return factories.member(given_name="Alex")


def listed(phone: APIClient, query: str = "") -> list[dict[str, Any]]:
    response = phone.get(INBOX + query)
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def sent(to: Member, **said: Any) -> InboxMessage:
    """A message that really went through planning and sending, a moment ago."""
    now = timezone.now()
    entry = {"kind": "moment", "at": (now + timedelta(minutes=1)).isoformat()}
    scenes.live(channels=("inbox",), entry=entry, now=now - timedelta(minutes=5), **said)
    scenes.turn(now + timedelta(minutes=1))
    return to.inbox.get()


# --- The list -------------------------------------------------------------------------------------
def test_message_is_shown_with_its_words_and_picture(alex: Member, phone: APIClient) -> None:
    body = "Hello **{{ member.given_name }}**"
    message = sent(alex, variants=[{**scenes.VARIANT, "body": body, "image": "trail"}])
    (shown,) = listed(phone)
    assert shown == {
        "id": message.pk,
        "campaign": "news",
        "subject": "Hello Alex",
        "text": "Hello **Alex**",
        "html": "<p>Hello <strong>Alex</strong></p>\n",
        "picture_url": tracking.picture_url(message.delivery),
        "created_at": message.created_at.isoformat().replace("+00:00", "Z"),
        "read_at": None,
    }


def test_inbox_is_ones_own_newest_first(alex: Member, phone: APIClient) -> None:
    now = timezone.now()
    for hours in (3, 1, 2):
        at = now - timedelta(hours=hours)
        factories.inbox_message(alex, subject=f"{hours} hours ago", at=at)
    factories.inbox_message(factories.member(), subject="not hers", at=now)
    assert [message["subject"] for message in listed(phone)] == [
        "1 hours ago",
        "2 hours ago",
        "3 hours ago",
    ]


def test_inbox_pages_without_losing_messages_of_one_moment(alex: Member, phone: APIClient) -> None:
    now = timezone.now()
    wanted = {factories.inbox_message(alex, at=now).pk for _ in range(7)}
    url, found = f"{INBOX}?limit=3", []
    while url:
        page = phone.get(url).json()
        found += [message["id"] for message in page["results"]]
        url = page["next"]
    assert (len(found), set(found)) == (7, wanted)


def test_inbox_asks_as_often_for_twenty_as_for_one(alex: Member, phone: APIClient) -> None:
    asked = []
    for many in (1, 19):
        for _ in range(many):
            factories.inbox_message(alex, at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            listed(phone)
        asked.append(len(queries))
    assert asked == [2, 2]  # Who is asking takes three.


# --- Reading --------------------------------------------------------------------------------------
def test_message_is_read_once_whatever_the_network_does(alex: Member, phone: APIClient) -> None:
    message = factories.inbox_message(alex, at=timezone.now())
    first, second = (phone.post(f"{INBOX}{message.pk}/read/") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["read_at"] == second.json()["read_at"] is not None
    opened = Engagement.objects.get()
    assert (opened.kind, opened.human_percent, opened.delivery_id) == ("opened", 100, message.pk)


def test_read_again_under_its_key_is_the_first_answer(alex: Member, phone: APIClient) -> None:
    message = factories.inbox_message(alex, at=timezone.now())
    path, key = f"{INBOX}{message.pk}/read/", {"Idempotency-Key": "k1"}
    first, again = (phone.post(path, headers=key) for _ in range(2))
    assert again["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()


def test_looking_is_not_reading(alex: Member, phone: APIClient) -> None:
    message = factories.inbox_message(alex, at=timezone.now())
    listed(phone)
    phone.get(f"{INBOX}{message.pk}/why/")
    message.refresh_from_db()
    assert (message.read_at, Engagement.objects.count()) == (None, 0)


# --- Why ------------------------------------------------------------------------------------------
def test_why_is_said_in_words_and_in_what_they_were_made_from(
    alex: Member, phone: APIClient
) -> None:
    viewed = timezone.now() - timedelta(days=2)
    scenes.did(alex, "view", "hiking", at=viewed)
    message = sent(alex, variants=[{**scenes.VARIANT, "interest": "hiking"}, scenes.VARIANT])
    said = phone.get(f"{INBOX}{message.pk}/why/").json()
    assert said.pop("sentences") == [
        f"It is the version for hiking, because of: viewed (1, last on {viewed:%d %B %Y}).",
        "You allow messages of this kind by app inbox.",
    ]
    assert said.pop("score") == pytest.approx(0.103, abs=0.001)
    assert said.pop("due_at") == message.delivery.due_at.isoformat().replace("+00:00", "Z")
    assert said == {
        "campaign": "news",
        "name": "News",
        "occasion": None,
        "interest": "hiking",
        "facts": [
            {"what": "Viewed", "times": 1, "last_at": viewed.isoformat().replace("+00:00", "Z")}
        ],
        "zone": "America/Denver",
        "channel": "inbox",
        "rivals": [],
        "step": None,
    }


def test_why_tells_a_member_nothing_of_audiences_and_arms(alex: Member, phone: APIClient) -> None:
    message = sent(alex, audience={"condition": "joined_before", "days": 1})
    said = phone.get(f"{INBOX}{message.pk}/why/").json()
    assert not {"clauses", "arm", "entry", "state", "reason"} & said.keys()


def test_why_of_a_later_message_says_which_it_is_and_nothing_of_money(
    alex: Member, phone: APIClient
) -> None:
    now = timezone.now()
    entry = {"kind": "moment", "at": (now + timedelta(minutes=1)).isoformat()}
    step = {"channels": ["inbox"], "variants": [scenes.VARIANT], "choose": "learned"}
    only_if = {"not": {"condition": "clicked"}}
    scenes.live(entry=entry, now=now, answer_value="77.77", steps=[step, {**step, "if": only_if}])
    scenes.turn(now + timedelta(minutes=1))
    message = alex.inbox.get(delivery__step__position=2)
    said = phone.get(f"{INBOX}{message.pk}/why/").json()
    went_at = message.created_at.isoformat().replace("+00:00", "Z")
    assert said["step"] == {"number": 2, "of": 2, "before_at": went_at}
    assert said["sentences"][1:3] == [
        "It comes because you had followed no earlier link.",
        "Its version was chosen by what other readers answered.",
    ]
    assert not {"loss", "choice", "condition"} & said.keys()


def test_why_asks_a_bounded_number_of_questions(alex: Member, phone: APIClient) -> None:
    for number in range(12):
        scenes.did(alex, "view", "hiking", reference=f"v{number}", at=timezone.now())
    message = sent(alex, variants=[{**scenes.VARIANT, "interest": "hiking"}, scenes.VARIANT])
    with CaptureQueriesContext(connection) as queries:
        phone.get(f"{INBOX}{message.pk}/why/")
    assert len(queries) == 7


# --- Nobody else's --------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["{}/read/", "{}/why/"])
def test_another_members_message_is_not_there(path: str, phone: APIClient) -> None:
    message = factories.inbox_message(factories.member(), at=timezone.now())
    call = phone.post if "read" in path else phone.get
    responses = [call(INBOX + path.format(pk)) for pk in (message.pk, 10**9, 2**63, 10**30)]
    assert {response.status_code for response in responses} == {404}
    assert len({response.json()["detail"] for response in responses}) == 1
    assert responses[0]["Content-Type"] == "application/problem+json"
    message.refresh_from_db()
    assert message.read_at is None


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("post", "1/read/"), ("get", "1/why/")])
def test_inbox_is_for_members_only(method: str, path: str, alex: Member) -> None:
    erased = factories.member()
    gone = factories.app(erased)
    privacy.erase(member=erased, now=timezone.now())
    statuses = [
        getattr(client, method)(INBOX + path).status_code
        for client in (APIClient(), factories.till(), gone)
    ]
    assert statuses == [401, 403, 401]


@pytest.mark.parametrize("path", ["", "1/read/", "1/why/"])
def test_inbox_answers_to_no_other_method(path: str, phone: APIClient) -> None:
    wrong = ["put", "patch", "delete", "get" if "read" in path else "post"]
    assert {getattr(phone, method)(INBOX + path).status_code for method in wrong} == {405}
