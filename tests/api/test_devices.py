"""/me/devices/: phones and browsers in one list."""

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from members import subscriptions
from members.models import Device, Member
from tests import factories
from tests.browsers import Browser

DEVICES, KEY = "/api/v1/me/devices/", "/api/v1/me/devices/key/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unthrottled() -> None:
    cache.clear()


def refused(answer: Any) -> tuple[int, str, list[str]]:
    problem = answer.json()
    pointers = [error["pointer"] for error in problem.get("errors", [])]
    return answer.status_code, problem["code"], pointers


def test_browser_registers_what_it_was_given(phone: APIClient, alex: Member) -> None:
    answer = phone.post(DEVICES, {**Browser().subscription(), "expirationTime": None})
    row = Device.objects.get()
    assert (answer.status_code, row.member) == (201, alex)
    assert answer.json()["platform"] == "web"


def test_list_has_both_and_no_way_to_either(phone: APIClient) -> None:
    phone.post(DEVICES, {"token": "t", "platform": "ios"})
    phone.post(DEVICES, Browser().subscription())
    rows = phone.get(DEVICES).json()["results"]
    assert [set(row) for row in rows] == [{"id", "platform", "added_at"}] * 2
    assert {row["platform"] for row in rows} == {"ios", "web"}


def test_browser_is_removed_by_its_endpoint(phone: APIClient) -> None:
    said = Browser().subscription()
    phone.post(DEVICES, said)
    phone.post(DEVICES, {"token": "t", "platform": "ios"})
    assert phone.delete(DEVICES, {"endpoint": said["endpoint"]}).status_code == 204
    assert Device.objects.get().token == "t"


def test_browser_of_another_member_stays(phone: APIClient) -> None:
    said = Browser().subscription()
    factories.app(factories.member()).post(DEVICES, said)
    assert phone.delete(DEVICES, {"endpoint": said["endpoint"]}).status_code == 204
    assert Device.objects.exists()


def test_browser_that_is_not_at_hand_is_removed_by_its_id(phone: APIClient) -> None:
    row = phone.post(DEVICES, Browser().subscription()).json()
    assert phone.delete(f"{DEVICES}{row['id']}/").status_code == 204
    assert refused(phone.delete(f"{DEVICES}{row['id']}/")) == (404, "not_found", [])
    assert not Device.objects.exists()


@pytest.mark.parametrize("number", ["0", "9" * 30])
def test_device_that_is_not_there_is_not_removed(number: str, phone: APIClient) -> None:
    assert refused(phone.delete(f"{DEVICES}{number}/")) == (404, "not_found", [])


def test_device_of_another_member_is_not_there(phone: APIClient) -> None:
    row = factories.app(factories.member()).post(DEVICES, Browser().subscription()).json()
    assert refused(phone.delete(f"{DEVICES}{row['id']}/")) == (404, "not_found", [])
    assert Device.objects.exists()


KEYS = Browser().subscription()["keys"]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"endpoint": "https://cairn.example/hook"}, ["/endpoint"]),
        ({"endpoint": "http://fcm.googleapis.com/fcm/send/x"}, ["/endpoint"]),
        ({"endpoint": "https://fcm.googleapis.com/" + "x" * 1_000}, ["/endpoint"]),
        ({"endpoint": 5}, ["/endpoint"]),
        ({"keys": None}, ["/keys"]),
        ({"keys": {}}, ["/keys/p256dh", "/keys/auth"]),
        ({"keys": {**KEYS, "p256dh": KEYS["p256dh"][:-4]}}, ["/keys/p256dh"]),
        ({"keys": {**KEYS, "auth": KEYS["p256dh"]}}, ["/keys/auth"]),
        ({"keys": {**KEYS, "private": "x"}}, ["/keys/private"]),
        ({"expirationTime": "tomorrow"}, ["/expirationTime"]),
        ({"token": "t"}, ["/token"]),
        ({"platform": "web"}, ["/platform"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_subscription_that_cannot_be_names_its_field(
    changes: dict[str, Any], pointers: list[str], phone: APIClient
) -> None:
    answer = phone.post(DEVICES, {**Browser().subscription(), **changes})
    assert refused(answer) == (400, "invalid", pointers)
    assert not Device.objects.exists()


def test_neither_phone_nor_browser_is_asked_for_its_token(phone: APIClient) -> None:
    assert refused(phone.post(DEVICES, {"keys": KEYS}))[0] == 400
    assert refused(phone.delete(DEVICES, {"keys": KEYS}))[0] == 400


def test_public_key_is_what_browsers_subscribe_with(phone: APIClient) -> None:
    answer = phone.get(KEY)
    assert answer.json() == {"public_key": subscriptions.public_key()}
    assert APIClient().get(KEY).status_code == 401


def test_without_a_key_no_browser_is_taken(phone: APIClient, settings: Any) -> None:
    settings.WEB_PUSH_PRIVATE_KEY = ""
    assert refused(phone.get(KEY)) == (404, "not_found", [])
    assert refused(phone.post(DEVICES, Browser().subscription())) == (409, "web_push_off", [])
    assert not Device.objects.exists()
