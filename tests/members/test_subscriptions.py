"""What a browser may register: nothing but an address of a push service and keys that can be."""

import base64
from io import StringIO
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command

from config.errors import Invalid, NotFound
from members import subscriptions
from tests import browsers
from tests.browsers import FCM, Browser, base64url


@pytest.fixture(autouse=True)
def web_push(settings: Any) -> None:
    browsers.switch_on(settings)


def check(endpoint: str = f"{FCM}x", **changed: str) -> tuple[bytes, bytes]:
    keys = {**Browser().subscription()["keys"], **changed}
    return subscriptions.check(endpoint=endpoint, **keys)


# --- Addresses ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://fcm.googleapis.com:443/wp/abc",
        "https://FCM.googleapis.com/wp/abc",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA-_=",
        "https://eu.push.services.mozilla.com/wpush/v2/x",
        "https://web.push.apple.com/QGuQ",
        "https://api.push.apple.com/QGuQ",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAB%2fx",
    ],
)
def test_address_of_a_push_service_is_taken(endpoint: str) -> None:
    assert len(check(endpoint)[0]) == 65


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "fcm.googleapis.com/x",
        "//fcm.googleapis.com/x",
        "http://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://",
        "https://cairn.example/x",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evilfcm.googleapis.com/x",
        "https://notify.windows.com/x",
        "https://.notify.windows.com/x",
        "https://evilnotify.windows.com/x",
        "https://evil.example/fcm.googleapis.com",
        "https://evil.example/?fcm.googleapis.com",
        "https://evil.example#fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example@fcm.googleapis.com/x",
        "https://:secret@fcm.googleapis.com/x",
        "https://@fcm.googleapis.com/x",
        "https://evil.example\\@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://evil.example\\.fcm.googleapis.com/x",
        "https://fcm.googleapis.com:22/x",
        "https://fcm.googleapis.com:0/x",
        "https://fcm.googleapis.com:99999/x",
        "https://fcm.googleapis.com:x/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com%2eevil.example/x",
        "https://fcm.googleapis.com%00.evil.example/x",
        "https://[fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: evil.example",
        "https://fcm.google\tapis.com/x",
        " https://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#part",
        "https://fcm。googleapis.com/x",
        "https://ｆcm.googleapis.com/x",
    ],
)
def test_any_other_address_is_refused_by_name(endpoint: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check(endpoint)
    assert refusal.value.pointer == "/endpoint"


@pytest.mark.parametrize(
    ("services", "is_taken"),
    [
        (["push.example:8443"], True),
        (["push.example"], False),
        (["*.example:8443"], True),
        (["*"], False),
        ([], False),
    ],
    ids=str,
)
def test_list_of_services_decides(services: list[str], is_taken: bool, settings: Any) -> None:
    settings.WEB_PUSH_SERVICES = services
    assert subscriptions.is_of_a_push_service("https://push.example:8443/x") is is_taken


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://FCM.googleapis.com:443/wp/x", "https://fcm.googleapis.com"),
        ("https://push.example:8443/wp/x?y", "https://push.example:8443"),
    ],
)
def test_push_service_is_addressed_by_its_origin(endpoint: str, origin: str) -> None:
    assert subscriptions.origin_of(endpoint) == origin


# --- Keys -----------------------------------------------------------------------------------------
def test_keys_are_taken_padded_or_not() -> None:
    browser = Browser()
    p256dh, auth = (
        base64.urlsafe_b64encode(key).decode() for key in (browser.public, browser.auth)
    )
    assert check(p256dh=p256dh, auth=auth) == (browser.public, browser.auth)
    assert check(p256dh=p256dh.rstrip("="), auth=auth.rstrip("=")) == (browser.public, browser.auth)


def compressed() -> bytes:
    return Browser().private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def of_another_curve() -> bytes:
    key = ec.derive_private_key(10**70, ec.SECP256K1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize(
    "p256dh",
    [
        "",
        "?",
        "BNcRdreALRFX",
        base64url(b"\x04" + b"\x00" * 64),
        base64url(b"\x04" + b"\xff" * 64),
        base64url(b"\x06" + Browser().public[1:]),
        base64url(Browser().public + b"x"),
        base64url(compressed()),
        base64url(of_another_curve()),
        base64url(Browser().public)[:-1] + "é",
        base64url(Browser().public)[:43] + "\n" + base64url(Browser().public)[43:],
        base64url(b"\x00"),
    ],
)
def test_key_that_is_no_point_is_refused_by_name(p256dh: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check(p256dh=p256dh)
    assert refusal.value.pointer == "/keys/p256dh"


@pytest.mark.parametrize(
    "auth", ["", "=", base64url(b"x" * 15), base64url(b"x" * 17), "!" * 22, "A", "A" * 21 + "+"]
)
def test_secret_of_another_length_is_refused_by_name(auth: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check(auth=auth)
    assert refusal.value.pointer == "/keys/auth"


# --- Ours -----------------------------------------------------------------------------------------
def test_nothing_is_taken_while_there_is_no_key(settings: Any) -> None:
    settings.WEB_PUSH_PRIVATE_KEY = ""
    with pytest.raises(subscriptions.WebPushIsOff):
        check()
    with pytest.raises(NotFound):
        subscriptions.public_key()


def test_command_prints_a_key_to_be_set(settings: Any) -> None:
    out = StringIO()
    call_command("make_web_push_key", stdout=out)
    settings.WEB_PUSH_PRIVATE_KEY = out.getvalue().strip()
    assert len(subscriptions.base64url(subscriptions.public_key(), size=65)) == 65
    assert subscriptions.new_private_key() != settings.WEB_PUSH_PRIVATE_KEY
