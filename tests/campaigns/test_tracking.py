"""Links in messages: what they change, for whom, and that nobody can bend them."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone
from PIL import Image

from campaigns import tracking
from campaigns.models import Delivery, Engagement, Link
from config.errors import NotFound
from members import consents, interests, privacy
from members.models import Interaction, Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db

LATER = DUE + timedelta(minutes=10)
BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)"
BODY = "[a](https://example.com/a?x=1&y=2) [b](https://example.com/b)"
A, B = "https://example.com/a?x=1&y=2", "https://example.com/b"


@pytest.fixture
def hiker() -> Member:
    """Loves hiking, and was sent the version for hikers with two links."""
    member = scenes.reader()
    scenes.did(member, "purchase", "hiking")
    variants = [{**scenes.VARIANT, "interest": i, "body": BODY} for i in ("hiking", None)]
    scenes.planned(variants=[{**each, "image": "trail"} for each in variants])
    scenes.send()
    return member


def token(member: Member, url: str = A) -> str:
    row = scenes.delivery(member)
    return part(tracking.click_url(row, Link.objects.get(variant=row.variant, url=url)))


def part(url: str) -> str:
    return url.rpartition("/")[2]


def click(member: Member, url: str = A, *, after: timedelta = LATER - DUE, **said: Any) -> str:
    how = {"agent": BROWSER, "is_head": False, **said}
    return tracking.record_click(token(member, url), now=DUE + after, **how)


def likelihoods() -> list[int]:
    return list(Engagement.objects.order_by("pk").values_list("human_percent", flat=True))


def clicks_taught() -> int:
    return Interaction.objects.filter(kind__slug="click").count()


def changes(before: Any) -> dict[str, int]:
    """{table: new rows} since."""
    now = factories.row_counts()
    return {table: now[table] - before[table] for table in now if now[table] != before[table]}


# --- Clicks ---------------------------------------------------------------------------------------
def test_click_goes_where_the_link_goes_and_teaches(hiker: Member) -> None:
    before = interests.profile(member=hiker, at=LATER)[0].score
    assert click(hiker) == A
    assert interests.profile(member=hiker, at=LATER)[0].score > before
    engagement = Engagement.objects.get()
    assert (engagement.kind, engagement.at, engagement.human_percent) == ("clicked", LATER, 95)
    taught = Interaction.objects.get(kind__slug="click")
    assert (taught.member, taught.campaign, taught.occurred_at) == (hiker, "news", LATER)


def test_click_repeated_teaches_once_for_each_link(hiker: Member) -> None:
    for minutes in (1, 2, 3):
        click(hiker, A, after=timedelta(minutes=minutes))
    click(hiker, B, after=timedelta(minutes=9))
    assert (Engagement.objects.count(), clicks_taught()) == (4, 2)


@pytest.mark.parametrize(
    ("said", "likelihood"),
    [
        ({"is_head": True}, 0),
        ({"agent": ""}, 0),
        ({"agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, 0),
        ({"agent": "BarracudaLinkScanner/1.0"}, 0),
        ({"agent": "python-requests/2.32"}, 0),
        ({"after": timedelta(seconds=2)}, 10),
    ],
)
def test_scanner_is_noticed_and_does_not_teach(
    said: dict[str, Any], likelihood: int, hiker: Member
) -> None:
    assert click(hiker, **said) == A
    assert (likelihoods(), clicks_taught()) == ([likelihood], 0)


def test_scanner_that_opens_every_link_at_once_is_noticed(hiker: Member) -> None:
    click(hiker, A, after=timedelta(seconds=60))
    click(hiker, B, after=timedelta(seconds=61))
    assert likelihoods() == [95, 20]
    assert clicks_taught() == 1


def test_click_on_the_version_for_everybody_teaches_no_interest() -> None:
    member = scenes.reader()
    scenes.planned(variants=[{**scenes.VARIANT, "body": BODY}])
    scenes.turn()
    click(member)
    assert interests.profile(member=member, at=LATER) == []


def test_get_of_a_link_by_a_scanner_only_appends_what_happened(
    hiker: Member, client: Client
) -> None:
    address = f"/m/c/{token(hiker)}"
    before = factories.row_counts()
    for how in (client.get, client.head):
        response = how(address, headers={"user-agent": "LinkScanner"})
        assert (response.status_code, response["Location"]) == (302, A)
    assert changes(before) == {"campaigns_engagement": 2}


def test_get_of_a_link_by_a_person_leaves_what_they_allow(hiker: Member, client: Client) -> None:
    Delivery.objects.update(sent_at=timezone.now() - timedelta(minutes=5))
    allowed = consents.preferences(member=hiker)
    before = factories.row_counts()
    client.get(f"/m/c/{token(hiker)}", headers={"user-agent": BROWSER})
    assert changes(before) == {
        "campaigns_engagement": 1,
        "members_interaction": 1,
        "members_interestevidence": 1,
        "members_unansweredinteraction": 1,
    }
    assert consents.preferences(member=hiker) == allowed


# --- Forgery --------------------------------------------------------------------------------------
def forged(member: Member) -> dict[str, str]:
    """What others may try in the place of a token."""
    good = token(member)
    signed, _, signature = good.rpartition(":")
    other = signing.Signer(key="another key", salt="cairn.message")
    row = scenes.delivery(member)
    foreign = Link.objects.exclude(variant=row.variant).first()
    assert foreign is not None
    return {
        "another delivery": good.replace("c", "c9", 1),
        "no signature": signed,
        "an empty signature": f"{signed}:",
        "half a signature": f"{signed}:{signature[:20]}",
        "another key": other.sign(signed),
        "another salt": signing.Signer(salt="x").sign(signed),
        "another letter": part(tracking.unsubscribe_url(row)),
        "no number": signing.Signer(salt="cairn.message").sign("cx.y"),
        "another campaign's link": part(tracking.click_url(row, foreign)),
        "an address": "https:%2F%2Fevil.example",
        "nothing much": ":",
        "a lot": "c1.1:" + "x" * 5_000,
        "odd characters": "c١.٢:\x00\ud800".encode("utf-8", "replace").decode(),
    }


@pytest.mark.parametrize(
    "what",
    [
        "another delivery", "no signature", "an empty signature", "half a signature",
        "another key", "another salt", "another letter", "no number",
        "another campaign's link", "an address", "nothing much", "a lot", "odd characters",
    ],
)  # fmt: skip
def test_forged_token_leads_nowhere(what: str, hiker: Member, client: Client) -> None:
    before = factories.row_counts()
    response = client.get(f"/m/c/{forged(hiker)[what]}", headers={"user-agent": BROWSER})
    assert response.status_code == 404
    assert changes(before) == {}


def test_redirect_goes_nowhere_else_whatever_is_asked(hiker: Member, client: Client) -> None:
    for query in ("url=https://evil.example", "next=//evil.example", "/../..//evil.example"):
        response = client.get(f"/m/c/{token(hiker)}?{query}")
        assert response["Location"] == A


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://example.com/a", True),
        ("http://example.com", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com", False),
        ("https:///x", False),
        ("https://[bad", False),
        ("https://example.com/" + "x" * 981, False),
    ],
)
def test_only_addresses_of_the_web_are_links(url: str, is_one: bool) -> None:
    assert tracking.is_web_address(url) is is_one


# --- Stopping -------------------------------------------------------------------------------------
def test_asking_to_stop_changes_nothing_before_the_answer(hiker: Member, client: Client) -> None:
    address = tracking.unsubscribe_url(scenes.delivery(hiker)).removeprefix("http://localhost:8000")
    before = factories.row_counts()
    page = client.get(address)
    client.head(address)
    assert (page.status_code, page.content.count(b'<form method="post">')) == (200, 1)
    assert changes(before) == {}


def test_one_post_stops_marketing_on_every_channel(hiker: Member) -> None:
    for channel in ("push", "sms", "people"):
        scenes.decide(hiker, channel, "granted", at=factories.JOINED)
    provider = Client(enforce_csrf_checks=True)  # A mail provider: no cookie, no session.
    address = f"/m/u/{part(tracking.unsubscribe_url(scenes.delivery(hiker)))}"
    form = {"List-Unsubscribe": "One-Click"}
    assert provider.post(address, form).status_code == 200
    allowed = consents.preferences(member=hiker)
    assert {channel: said["marketing"] for channel, said in allowed.items()} == dict.fromkeys(
        ["email", "push", "sms", "inbox", "people"], False
    )
    assert {said["service"] for said in allowed.values()} == {True}


def test_stopping_twice_is_stopping(hiker: Member) -> None:
    stop = part(tracking.unsubscribe_url(scenes.delivery(hiker)))
    for minutes in (1, 2):
        tracking.unsubscribe(stop, now=DUE + timedelta(minutes=minutes))
    assert not consents.preferences(member=hiker)["email"]["marketing"]


def test_stopping_binds_what_is_already_planned(hiker: Member) -> None:
    second = scenes.planned("film", channels=("email", "inbox"))
    first = Delivery.objects.get(campaign__code="news")
    tracking.unsubscribe(part(tracking.unsubscribe_url(first)), now=DUE)
    scenes.turn(LATER)
    assert scenes.fate(hiker, second) == ("objected", "consent")


def test_links_of_an_erased_member_are_not_valid(hiker: Member) -> None:
    row = scenes.delivery(hiker)
    tokens = {"c": token(hiker), "u": part(tracking.unsubscribe_url(row))}
    privacy.erase(member=hiker, now=LATER)
    for letter, said in tokens.items():
        with pytest.raises(NotFound):
            tracking.delivery_of(said, letter=letter)


# --- Pictures -------------------------------------------------------------------------------------
def test_picture_is_drawn_and_counts_as_nothing(hiker: Member, client: Client) -> None:
    before = factories.row_counts()
    address = part(tracking.picture_url(scenes.delivery(hiker)))
    response = client.get(f"/m/p/{address}")
    assert (response["Content-Type"], response["Cache-Control"]) == (
        "image/png",
        "private, max-age=86400",
    )
    assert Image.open(BytesIO(response.content)).size == (1200, 628)
    assert changes(before) == {}


def test_picture_of_a_version_without_one_is_not_there(client: Client) -> None:
    member = scenes.reader()
    scenes.planned()
    address = part(tracking.picture_url(scenes.delivery(member)))
    assert client.get(f"/m/p/{address}").status_code == 404


@pytest.mark.parametrize("letter", ["c", "p", "u"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_links_answer_to_no_other_method(letter: str, method: str, client: Client) -> None:
    if (letter, method) == ("u", "post"):
        return
    path = "x.png" if letter == "p" else "x"
    assert getattr(client, method)(f"/m/{letter}/{path}").status_code == 405
