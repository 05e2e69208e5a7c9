"""The phones and browsers a member can be pushed to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from config.errors import Invalid
from members import devices, joining
from members.models import Device, Member
from tests import browsers
from tests.browsers import Browser

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def web_push(settings: Any) -> None:
    browsers.switch_on(settings)


def enrol(email: str) -> Member:
    return joining.enrol(enrolment=joining.Enrolment(email=email), now=NOW, source="test")


def test_a_device_registered_twice_is_one() -> None:
    member = enrol("ann@example.com")

    for _ in range(2):
        devices.register(member=member, token="t", platform="ios", now=NOW)

    assert Device.objects.get().member == member


def test_a_phone_that_changes_hands_belongs_to_who_signed_in_last() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    devices.register(member=ann, token="t", platform="ios", now=NOW)

    devices.register(member=bob, token="t", platform="ios", now=NOW)

    assert Device.objects.get().member == bob


def test_a_refused_device_that_registers_again_is_pushed_to_again() -> None:
    member = enrol("ann@example.com")
    device = devices.register(member=member, token="t", platform="web", now=NOW)
    Device.objects.filter(pk=device.pk).update(refused_at=NOW)

    devices.register(member=member, token="t", platform="web", now=NOW)

    assert Device.objects.get().refused_at is None


def test_somebody_elses_device_is_not_forgotten() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    devices.register(member=ann, token="t", platform="ios", now=NOW)

    devices.forget(member=bob, token="t")

    assert Device.objects.exists()


# --- Browsers -------------------------------------------------------------------------------------
def subscribe(member: Member, browser: Browser, *, now: datetime = NOW) -> Device:
    said = browser.subscription()
    return devices.subscribe(member=member, endpoint=said["endpoint"], now=now, **said["keys"])


def test_a_browser_is_kept_with_its_keys_in_bytes() -> None:
    member, browser = enrol("ann@example.com"), Browser()

    subscribe(member, browser)

    row = Device.objects.get()
    assert (row.member, row.platform, row.token) == (member, "web", None)
    assert (row.endpoint, bytes(row.p256dh or b""), bytes(row.auth or b"")) == (
        browser.subscription()["endpoint"],
        browser.public,
        browser.auth,
    )


def test_a_browser_that_subscribes_anew_has_its_new_keys() -> None:
    member, browser = enrol("ann@example.com"), Browser()

    for one in (Browser(), browser):
        subscribe(member, one)

    assert bytes(Device.objects.get().p256dh or b"") == browser.public


def test_a_browser_that_changes_hands_belongs_to_who_signed_in_last() -> None:
    ann, bob, browser = enrol("ann@example.com"), enrol("bob@example.com"), Browser()
    subscribe(ann, browser)

    subscribe(bob, browser)

    assert Device.objects.get().member == bob


def test_a_refused_browser_that_subscribes_again_is_pushed_to_again() -> None:
    member, browser = enrol("ann@example.com"), Browser()
    subscribe(member, browser)
    Device.objects.update(refused_at=NOW)

    subscribe(member, browser)

    assert Device.objects.get().refused_at is None


def test_a_subscription_that_cannot_be_leaves_nothing() -> None:
    with pytest.raises(Invalid):
        subscribe(enrol("ann@example.com"), Browser("https://cairn.example/"))

    assert not Device.objects.exists()


def test_a_browser_that_is_unsubscribed_is_forgotten_and_the_phone_is_not() -> None:
    member, browser = enrol("ann@example.com"), Browser()
    devices.register(member=member, token="t", platform="ios", now=NOW)
    row = subscribe(member, browser)

    devices.unsubscribe(member=member, endpoint=row.endpoint or "")

    assert Device.objects.get().token == "t"


def test_somebody_elses_browser_is_not_unsubscribed() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    row = subscribe(ann, Browser())

    devices.unsubscribe(member=bob, endpoint=row.endpoint or "")

    assert Device.objects.exists()


def test_of_many_devices_the_newest_are_kept() -> None:
    ann, bob = enrol("ann@example.com"), enrol("bob@example.com")
    devices.register(member=bob, token="bobs", platform="ios", now=NOW)
    devices.register(member=ann, token="oldest", platform="ios", now=NOW)

    for number in range(devices.MOST):
        browser = Browser(f"{browsers.FCM}{number}/")
        subscribe(ann, browser, now=NOW + timedelta(days=number + 1))

    assert ann.devices.count() == devices.MOST
    assert list(Device.objects.filter(token__isnull=False)) == [bob.devices.get()]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"endpoint": "https://a.example/"},
        {"p256dh": b"x", "auth": b"x"},
        {"token": "t", "endpoint": "https://a.example/", "p256dh": b"x", "auth": b"x"},
        {"token": "t", "auth": b"x"},
    ],
    ids=str,
)
def test_a_device_is_an_app_or_a_browser(row: dict[str, Any]) -> None:
    member = enrol("ann@example.com")

    with (
        pytest.raises(IntegrityError, match="device_is_an_app_or_a_browser"),
        transaction.atomic(),
    ):
        Device.objects.create(member=member, platform="web", added_at=NOW, **row)
