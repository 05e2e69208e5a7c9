"""The page behind a message's link, where a member without a login says what they want."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from campaigns import tracking
from campaigns.models import Engagement
from config.api import throttling
from loyalty import merging
from members import consents, joining, preferences, privacy, topics
from members.models import Consent, Member, Topic, TopicDecision
from members.preferences import Frequency
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
PRIVATE = ("Quuxington", "quuxington", "Q-1", "+14155552671", "84101", "1990")


@pytest.fixture(autouse=True)
def unthrottled() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def kim() -> Member:
    """Was sent a message; two topics are there to choose from."""
    for slug in ("stories", "gear"):
        Topic.objects.create(slug=slug, name=slug.title(), description=f"All about {slug}")
    member = scenes.reader(
        given_name="Kim", family_name="Quuxington", number="Q-1", phone="+14155552671",
        postal_code="84101", country="US", birth_date=NOW.date().replace(year=1990),
        email="quuxington@example.com",
    )  # fmt: skip
    scenes.planned()
    scenes.send()
    return member


@pytest.fixture
def browser() -> Client:
    """No cookie, no session, and no other proof than the link."""
    return Client(enforce_csrf_checks=True)


def address(of: Member) -> str:
    url = tracking.preferences_url(scenes.delivery(of))
    return url.removeprefix("http://localhost:8000")


def form(**said: Any) -> dict[str, Any]:
    """The form of a member who changed nothing yet, but for what is said."""
    untouched = {"do": "save", "channels": ["email", "inbox"], "topics": ["stories", "gear"]}
    return {**untouched, "shown": ["stories", "gear"], "often": "", "pause": "", **said}


def text(answer: Any) -> str:
    said: str = answer.content.decode()
    return said


def allowed(member: Member) -> set[str]:
    said = consents.preferences(member=member)
    return {channel for channel, purposes in said.items() if purposes["marketing"]}


def changes(before: Any) -> dict[str, int]:
    now = factories.row_counts()
    return {table: now[table] - before[table] for table in now if now[table] != before[table]}


# --- Looking ----------------------------------------------------------------------------------
def test_looking_changes_nothing(kim: Member, browser: Client) -> None:
    before = factories.row_counts()
    page = browser.get(address(kim))
    assert (page.status_code, browser.head(address(kim)).status_code) == (200, 200)
    assert changes(before) == {}
    assert text(page).count(" checked") == 4  # E-mail, inbox and both topics.


def test_page_is_not_kept_found_or_told_of(kim: Member, browser: Client) -> None:
    for answer in (browser.get(address(kim)), browser.post(address(kim), form())):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert not answer.cookies


def test_page_tells_the_given_name_and_nothing_else_of_the_person(
    kim: Member, browser: Client
) -> None:
    pages = text(browser.get(address(kim))) + text(browser.post(address(kim), form(often="1-week")))
    assert "Kim" in pages
    assert [word for word in PRIVATE if word in pages] == []


def test_name_and_topics_are_escaped(kim: Member, browser: Client) -> None:
    joining.change(member=kim, changes={"given_name": "<b>Kim</b>"})
    Topic.objects.create(slug="x", name="<script>x</script>", description='"><img>')
    page = text(browser.get(address(kim)))
    assert [tag for tag in ("<b>", "<script", "<img") if tag in page] == []


def test_every_marketing_mail_leads_there(kim: Member, mailoutbox: Any) -> None:
    (mail,) = mailoutbox
    url = tracking.preferences_url(scenes.delivery(kim))
    assert f"Choose what you get: {url}" in mail.body
    assert f'href="{url}"' in mail.alternatives[0].content


def test_service_mail_does_not(mailoutbox: Any) -> None:
    scenes.reader()
    scenes.planned(purpose="service")
    scenes.turn()
    assert "/m/s/" not in mailoutbox[0].body + mailoutbox[0].alternatives[0].content


def test_page_that_says_goodbye_leads_there(kim: Member, browser: Client) -> None:
    stop = tracking.unsubscribe_url(scenes.delivery(kim)).removeprefix("http://localhost:8000")
    for answer in (browser.get(stop), browser.post(stop)):
        assert address(kim) in text(answer)


# --- How often --------------------------------------------------------------------------------
def test_who_says_too_much_is_told_to_wait_and_may_still_look(kim: Member, browser: Client) -> None:
    for _ in range(29):
        throttling.seconds_to_wait("page", caller="address:127.0.0.1")
    assert browser.post(address(kim), form()).status_code == 200
    before = factories.row_counts()
    refused = browser.post(address(kim), form(often="1-week"))
    assert (refused.status_code, 0 < int(refused["Retry-After"]) <= 60) == (429, True)
    assert "That was too often." in text(refused)
    assert changes(before) == {}
    assert browser.get(address(kim)).status_code == 200
    assert browser.post(address(kim), form(), REMOTE_ADDR="10.9.9.9").status_code == 200


# --- Saying -----------------------------------------------------------------------------------
def test_what_is_said_is_kept_and_told(kim: Member, browser: Client) -> None:
    said = form(channels=["inbox", "push"], topics=["gear"], often="1-week", pause="4")
    page = text(browser.post(address(kim), said))
    kim.refresh_from_db()
    assert allowed(kim) == {"inbox", "push"}
    assert topics.unwanted(member=kim) == ["stories"]
    assert preferences.frequency_of(kim) == Frequency(1, "week")
    assert kim.paused_until is not None
    assert abs(kim.paused_until - timezone.now() - 4 * WEEK) < timedelta(minutes=1)
    for line in (
        "E-mail: no",
        "Notifications of the app: yes",
        "Stories: no",
        "At most 1 message a",
    ):
        assert line in page
    assert "Gear: " not in page
    assert "A pause until " in page


def test_only_what_is_new_is_recorded_with_its_source(kim: Member, browser: Client) -> None:
    before = factories.row_counts()
    browser.post(address(kim), form(channels=["email", "inbox", "sms"]))
    assert changes(before) == {
        "members_consent": 1,
        "members_consentstate": 1,
        "campaigns_engagement": 1,
    }
    row = Consent.objects.latest("pk")
    told = (row.channel, row.action, row.source, row.text_version)
    assert told == ("sms", "granted", f"message {scenes.delivery(kim).pk}", "page-1")
    assert Engagement.objects.get().kind == "opened"


def test_saying_it_again_changes_nothing(kim: Member, browser: Client) -> None:
    browser.post(address(kim), form(topics=[]))
    assert TopicDecision.objects.count() == 2
    assert "Everything is as it was." in text(browser.post(address(kim), form(topics=[])))
    assert TopicDecision.objects.count() == 2


def test_pause_is_kept_when_it_is_not_spoken_of_and_lifted_when_it_is(
    kim: Member, browser: Client
) -> None:
    until = timezone.now() + 3 * WEEK
    joining.change(member=kim, changes={"paused_until": until})
    browser.post(address(kim), form(pause="keep"))
    kim.refresh_from_db()
    assert kim.paused_until == until
    browser.post(address(kim), form(pause=""))
    kim.refresh_from_db()
    assert kim.paused_until is None


def test_pause_that_is_over_is_nothing_to_tell(kim: Member, browser: Client) -> None:
    joining.change(member=kim, changes={"paused_until": NOW - 99 * WEEK})
    page = text(browser.get(address(kim)))
    assert '<option value="" selected>No pause' in page
    assert "Everything is as it was." in text(browser.post(address(kim), form()))


def test_topic_that_was_added_meanwhile_is_not_refused(kim: Member, browser: Client) -> None:
    Topic.objects.create(slug="new", name="New")  # The page the member looks at has no such box.
    browser.post(address(kim), form(topics=["gear"]))
    assert topics.unwanted(member=kim) == ["stories"]


def test_frequency_said_in_the_app_is_there_to_stay(kim: Member, browser: Client) -> None:
    changes = {"frequency": Frequency(7, "month")}
    preferences.record(
        member=kim, wishes=preferences.Wishes(changes=changes), source="app", now=NOW
    )
    assert '<option value="7-month" selected>' in text(browser.get(address(kim)))
    browser.post(address(kim), form(often="7-month"))
    kim.refresh_from_db()
    assert preferences.frequency_of(kim) == Frequency(7, "month")


def test_stop_everything_stops_everything(kim: Member, browser: Client) -> None:
    page = text(browser.post(address(kim), {"do": "stop"}))
    assert (allowed(kim), "No more offers" in page) == (set(), True)
    assert consents.preferences(member=kim)["email"]["service"] is True
    assert Engagement.objects.get().kind == "unsubscribed"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"List-Unsubscribe": "One-Click"},
        {"do": "erase"},
        form(do=""),
        form(channels=["pigeon"]),
        form(topics=["sailing"]),
        form(shown=["sailing"]),
        form(often="99-week"),
        form(pause="-1"),
        form(pause="9" * 400),
        form(topics=["\x00"]),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    kim: Member, browser: Client, said: dict[str, Any]
) -> None:
    before = factories.row_counts()
    answer = browser.post(address(kim), said)
    assert (answer.status_code, changes(before)) == (400, {})
    assert "Nothing was changed." in text(answer)


# --- Whose page it is ---------------------------------------------------------------------------
def test_forged_link_leads_nowhere(kim: Member, browser: Client) -> None:
    good = address(kim).rpartition("/")[2]
    signed, _, signature = good.rpartition(":")
    forged = {
        "another delivery": good.replace("s", "s9", 1),
        "no signature": signed,
        "half a signature": f"{signed}:{signature[:20]}",
        "another key": signing.Signer(key="another", salt="cairn.message").sign(signed),
        "the link that stops": tracking.unsubscribe_url(scenes.delivery(kim)).rpartition("/")[2],
        "another salt": signing.Signer(salt="cairn.confirmation").sign(signed),
        "a lot": "s1:" + "x" * 5_000,
    }
    before = factories.row_counts()
    for token in forged.values():
        for answer in (
            browser.get(f"/m/s/{token}"),
            browser.post(f"/m/s/{token}", {"do": "stop"}),
        ):
            assert (answer.status_code, answer["Referrer-Policy"]) == (404, "no-referrer")
    assert changes(before) == {}


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_page_answers_to_no_other_method(method: str, browser: Client) -> None:
    assert getattr(browser, method)("/m/s/x").status_code == 405


def test_page_of_a_merged_member_is_the_persons(kim: Member, browser: Client) -> None:
    where = address(kim)
    kept = scenes.reader(given_name="Kimberly")
    merging.merge(gone=kim, kept=kept, reason="same", by=None, now=DUE)
    assert "Kimberly" in text(browser.get(where))
    browser.post(where, form(channels=[], often="1-month"))
    kept.refresh_from_db()
    assert (allowed(kept), preferences.frequency_of(kept)) == (set(), Frequency(1, "month"))


def test_stop_of_a_merged_member_binds_the_person(kim: Member) -> None:
    token = tracking.unsubscribe_url(scenes.delivery(kim)).rpartition("/")[2]
    kept = scenes.reader()
    merging.merge(gone=kim, kept=kept, reason="same", by=None, now=DUE)
    tracking.unsubscribe(token, now=DUE)
    assert allowed(kept) == set()


def test_page_of_an_erased_member_is_gone(kim: Member, browser: Client) -> None:
    where = address(kim)
    Member.objects.update(erased_at=NOW)  # While the delivery is still there.
    assert browser.get(where).status_code == 404
    Member.objects.update(erased_at=None)
    privacy.erase(member=kim, now=NOW)
    assert (browser.get(where).status_code, browser.post(where, form()).status_code) == (404, 404)
