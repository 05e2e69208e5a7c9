"""Pushing to browsers, at a push service on this machine that decrypts what it gets."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaigns.channels import push, sealing, web_push
from campaigns.channels.contract import Result
from campaigns.models import Delivery
from members import devices, posting
from members.models import Device, Member
from tests import browsers, factories, shops
from tests.browsers import Service
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE

pytestmark = pytest.mark.django_db

PUBLIC_KEY = (
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
)


@pytest.fixture
def service(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    settings.PUSH_LOG = tmp_path / "push.log"
    with browsers.service(tmp_path, settings, monkeypatch) as service:
        yield service


def surfer() -> Member:
    """A member who allows notifications."""
    return scenes.allow(factories.member(), "push")


def send(**said: Any) -> None:
    scenes.planned(channels=("push",), **said)
    scenes.turn()


def body(text: str) -> list[dict[str, Any]]:
    return [{**scenes.VARIANT, "body": text}]


# --- What arrives ---------------------------------------------------------------------------------
def test_browser_gets_the_message_and_nobody_on_the_way_can_read_it(service: Service) -> None:
    member, browser = surfer(), service.browser()
    browser.of(member)
    send(variants=body("Hello **Alex**: [the trail](https://a.example/x) and more"))
    row = scenes.delivery(member)
    read = browser.read(service.body())
    assert read.pop("url").startswith("http://localhost")  # Followed through us, as in a mail.
    assert read == {
        "title": "Hello Alex",
        "body": "Hello Alex: the trail and more",
        "tag": f"delivery-{row.pk}",
        "delivery": str(row.pk),
    }
    assert (row.state, service.shop.heard[0].path) == ("sent", "/push/b")
    assert b"Alex" not in service.body()


def test_message_without_a_link_leads_nowhere(service: Service) -> None:
    member, browser = surfer(), service.browser()
    browser.of(member)
    send()
    assert browser.read(service.body())["url"] == ""


def test_service_is_told_how_long_how_urgent_and_what_it_replaces(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    send()
    row = scenes.delivery(member)
    told = service.headers()
    names = ("ttl", "urgency", "topic", "content-encoding", "content-type")
    assert {name: told[name] for name in names} == {
        "ttl": str(int((row.expires_at - DUE).total_seconds())),
        "urgency": "normal",
        "topic": f"delivery-{row.pk}",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }


def test_service_message_is_urgent(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    send(purpose="service")
    assert service.headers()["urgency"] == "high"


def test_service_keeps_nothing_for_longer_than_it_takes(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    send(expires_hours=24 * 60)
    assert service.headers()["ttl"] == str(28 * 86_400)


def test_service_is_told_who_we_are(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    send()
    assert service.vouched() == {
        "aud": service.origin,
        "exp": int((DUE + timedelta(hours=12)).timestamp()),
        "sub": browsers.CONTACT,
        "k": PUBLIC_KEY,
    }


def test_second_try_replaces_the_first(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    service.shop.answers = [503]
    send()
    scenes.turn(scenes.delivery(member).due_at)
    topics = [heard.headers["topic"] for heard in service.shop.heard]
    assert topics == [f"delivery-{scenes.delivery(member).pk}"] * 2
    assert scenes.fate(member) == ("sent", "")


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🏔", '"', "\\", "\x01"], ids=repr)
def test_long_text_is_shortened_to_what_services_take(letter: str) -> None:
    message = worded(letter * 5_000)
    said = web_push.payload(message)
    read = json.loads(said)
    assert sealing.MOST_BYTES - 12 < len(said) <= sealing.MOST_BYTES
    assert read["body"] == letter * (len(read["body"]) - 1) + "…"


def test_text_that_just_fits_is_whole() -> None:
    room = sealing.MOST_BYTES - len(web_push.payload(worded("")))
    assert json.loads(web_push.payload(worded("x" * room)))["body"] == "x" * room
    assert json.loads(web_push.payload(worded("x" * (room + 1))))["body"].endswith("x…")


def test_longest_title_and_address_leave_room_for_the_text() -> None:
    address = f"https://a.example/{'x' * 5_000}"
    message = worded(f"[go]({address}) " + "y" * 5_000, subject="\x01" * 300, link=address)
    said = web_push.payload(message)
    assert len(said) <= sealing.MOST_BYTES
    assert (json.loads(said)["url"], json.loads(said)["body"][:6]) == ("", "go yyy")


def test_no_name_decides_where_a_push_leads(service: Service) -> None:
    member, browser = surfer(), service.browser()
    Member.objects.update(given_name="[Ann](https://evil.example/)")
    browser.of(member)
    body = "Hello {{ member.given_name }}, [come in](https://shop.example/)"
    send(variants=[{"interest": None, "subject": "Hi", "body": body}])
    url = browser.read(service.body())["url"]
    assert url.startswith("http://localhost:8000/m/c/")


def worded(text: str, *, subject: str = "Hello", link: str = "") -> Any:
    delivery = SimpleNamespace(pk=2**62)
    return SimpleNamespace(text=text, subject=subject, link=link, delivery=delivery)


# --- What services answer -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "fate", "is_gone"),
    [
        (200, ("sent", ""), False),
        (201, ("sent", ""), False),
        (202, ("sent", ""), False),
        (307, ("failed", "refused"), False),
        (400, ("failed", "refused"), False),
        (401, ("failed", "refused"), False),
        (403, ("failed", "refused"), False),
        (404, ("failed", "refused"), True),
        (410, ("failed", "refused"), True),
        (413, ("failed", "refused"), False),
        (429, ("planned", ""), False),
        (500, ("planned", ""), False),
        (503, ("planned", ""), False),
    ],
)
def test_answer_of_the_push_service_decides(
    status: int, fate: tuple[str, str], is_gone: bool, service: Service
) -> None:
    member = surfer()
    service.browser().of(member)
    service.shop.answers = [status]
    send()
    assert (scenes.fate(member), len(service.shop.heard)) == (fate, 1)
    assert (Device.objects.get().refused_at == DUE) is is_gone


def test_subscription_that_is_gone_is_not_asked_again(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    service.shop.answers = [410]
    send()
    again = scenes.planned("again", channels=("push",))
    scenes.turn()
    assert scenes.fate(member, again) == ("objected", "address")
    assert len(service.shop.heard) == 1


def test_silence_is_a_second_try(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "MOST_SECONDS", 0.2)
    member = surfer()
    service.browser().of(member)
    service.shop.is_open.clear()
    send()
    assert scenes.fate(member) == ("planned", "")
    service.shop.is_open.set()
    scenes.turn(scenes.delivery(member).due_at)
    assert scenes.fate(member) == ("sent", "")


def test_service_that_stays_silent_does_not_hold_up_a_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "MOST_SECONDS", 0.5)
    monkeypatch.setattr(web_push, "AT_ONCE", 4)
    for member in scenes.readers(60):
        service.browser().of(scenes.allow(member, "push"), f"b{member.pk}")
    service.shop.is_open.clear()
    before = time.monotonic()
    send()
    assert time.monotonic() - before < 60 / 4 * 0.5
    assert len(service.shop.heard) < 10
    assert set(Delivery.objects.values_list("state", flat=True)) == {"planned"}


def test_redirect_is_not_followed(service: Service) -> None:
    member = surfer()
    service.browser().of(member)
    with shops.opened() as other:
        service.shop.answers = [(307, {"Location": other.url})]
        send()
        assert other.heard == []


# --- Whom we call ---------------------------------------------------------------------------------
def test_address_that_is_not_on_the_list_any_more_is_not_called(
    service: Service, settings: Any
) -> None:
    member = surfer()
    service.browser().of(member)
    settings.WEB_PUSH_SERVICES = ["fcm.googleapis.com"]
    send()
    assert (scenes.fate(member), service.shop.heard) == (("failed", "refused"), [])


@pytest.mark.parametrize("address", [None, "https://[no-address", "no address"])
def test_row_that_somebody_slipped_in_is_not_called(address: str | None, service: Service) -> None:
    slipped, other = surfer(), surfer()
    with shops.opened() as inside:
        row = service.browser().of(slipped, "a")
        service.browser().of(other, "b")
        Device.objects.filter(pk=row.pk).update(endpoint=address or inside.url)
        send()
        assert (scenes.fate(slipped), inside.heard) == (("failed", "refused"), [])
    assert scenes.fate(other) == ("sent", "")


# --- Several devices ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answers", "fate", "gone"),
    [
        ([201, 201], ("sent", ""), 0),
        ([410, 201], ("sent", ""), 1),
        ([503, 201], ("sent", ""), 0),
        ([410, 503], ("planned", ""), 1),
        ([410, 404], ("failed", "refused"), 2),
    ],
    ids=str,
)
def test_every_browser_of_the_member_is_pushed_to(
    answers: list[int], fate: tuple[str, str], gone: int, service: Service
) -> None:
    member = surfer()
    for name in ("a", "b"):
        service.browser().of(member, name)
    service.shop.answers = list(answers)
    send()
    assert sorted(heard.path for heard in service.shop.heard) == ["/push/a", "/push/b"]
    assert scenes.fate(member) == fate
    assert member.devices.filter(refused_at=DUE).count() == gone


class Gone(Exception):
    pass


@pytest.mark.parametrize(
    ("answer", "error", "fate"),
    [
        (201, None, ("sent", "")),
        (503, None, ("sent", "")),
        (201, Gone(), ("sent", "")),
        (503, Gone(), ("planned", "")),
        (410, Gone(), ("failed", "refused")),
    ],
    ids=str,
)
def test_apps_and_browsers_are_pushed_to_alike(
    answer: int,
    error: Exception | None,
    fate: tuple[str, str],
    service: Service,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Any] = []

    def take(notice: Any) -> None:
        told.append(notice)
        if error:
            raise error

    firebase = SimpleNamespace(
        Message=lambda **said: said, Notification=dict, AndroidConfig=dict, APNSConfig=dict,
        UnregisteredError=Gone, send=take,
    )  # fmt: skip
    settings.FIREBASE_CREDENTIALS = "key.json"
    monkeypatch.setattr(push, "_firebase", lambda: firebase)
    member, browser = surfer(), service.browser()
    scenes.phone_of(member)
    browser.of(member)
    service.shop.answers = [answer]
    send()
    read = browser.read(service.body())
    assert told[0]["notification"] == {"title": read["title"], "body": read["body"]}
    assert len(told) == 1
    assert scenes.fate(member) == fate
    assert member.devices.get(token__isnull=False).refused_at == (DUE if error else None)


def test_apps_are_logged_without_a_provider_and_browsers_pushed_to(
    service: Service, settings: Any
) -> None:
    member = surfer()
    scenes.phone_of(member)
    service.browser().of(member)
    send()
    assert len(settings.PUSH_LOG.read_text().splitlines()) == len(service.shop.heard) == 1
    assert scenes.fate(member) == ("sent", "")


def test_each_gets_their_own(service: Service) -> None:
    found = {}
    for name in ("Ann", "Bob"):
        member = scenes.allow(factories.member(given_name=name), "push")
        found[name] = service.browser()
        found[name].of(member, name)
    send()
    for heard in service.shop.heard:
        name = heard.path.removeprefix("/push/")
        assert found[name].read(heard.body)["title"] == f"Hello {name}"
    assert len(service.shop.heard) == 2


def test_batch_asks_as_often_for_many_as_for_one(
    service: Service, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        service.browser().of(surfer(), f"b{number}")
    scenes.planned(channels=("push",))
    rows = Delivery.objects.select_related("campaign", "member")
    messages: list[Any] = [
        SimpleNamespace(
            delivery=row, member=row.member, subject="Hi", text="Hi", link="", is_marketing=True
        )
        for row in rows
    ]
    with django_assert_num_queries(1):
        outcomes = push.Push().send(messages, now=DUE)
    assert [outcome.result for outcome in outcomes] == [Result.SENT] * 5


# --- Off ------------------------------------------------------------------------------------------
def test_browser_is_no_device_while_there_is_no_key(service: Service, settings: Any) -> None:
    member = surfer()
    service.browser().of(member)
    settings.WEB_PUSH_PRIVATE_KEY = ""
    send()
    assert (scenes.fate(member), service.shop.heard) == (("objected", "address"), [])


def test_key_taken_away_after_planning_leaves_no_device(service: Service, settings: Any) -> None:
    member = surfer()
    service.browser().of(member)
    scenes.planned(channels=("push",))
    settings.WEB_PUSH_PRIVATE_KEY = ""
    scenes.turn()
    assert (scenes.delivery(member).state, service.shop.heard) == ("objected", [])


def test_member_with_a_phone_is_reached_without_the_key(service: Service, settings: Any) -> None:
    member = surfer()
    scenes.phone_of(member)
    service.browser().of(member)
    settings.WEB_PUSH_PRIVATE_KEY = ""
    send()
    assert (scenes.fate(member), service.shop.heard) == (("sent", ""), [])


def test_browser_that_was_unsubscribed_is_not_pushed_to(service: Service) -> None:
    member = surfer()
    row = service.browser().of(member)
    devices.unsubscribe(member=member, endpoint=row.endpoint or "")
    send()
    assert (scenes.fate(member), service.shop.heard) == (("objected", "address"), [])
