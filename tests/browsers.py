"""A browser that can be pushed to, and the push service it is at: a real server that speaks https.

The browser reads its messages as RFC 8291 says, written from the specification and sharing nothing
with ours.
"""

import base64
import hmac
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from members import devices, posting
from members.models import Device, Member
from tests import shops
from tests.factories import JOINED
from tests.shops import Shop

SERVER_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"  # That of RFC 8291's example
CONTACT = "mailto:push@cairn.example"
FCM = "https://fcm.googleapis.com/fcm/send/"
_numbers = itertools.count(10**70)


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def switch_on(settings: Any) -> None:
    settings.WEB_PUSH_PRIVATE_KEY, settings.WEB_PUSH_CONTACT = SERVER_KEY, CONTACT


class Browser:
    """One subscription: the private half that never leaves a browser."""

    def __init__(self, service: str = FCM) -> None:
        self.service = service
        # One after the other, so that tests are named alike by all who collect them.
        self.private = ec.derive_private_key(next(_numbers), ec.SECP256R1())
        self.public = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        self.auth = bytes(range(16))

    def subscription(self, name: str = "b") -> dict[str, Any]:
        """What the browser's `toJSON()` gives."""
        return {
            "endpoint": self.service + name,
            "keys": {"p256dh": base64url(self.public), "auth": base64url(self.auth)},
        }

    def of(self, member: Member, name: str = "b") -> Device:
        """Registered as that member's."""
        said = self.subscription(name)
        return devices.subscribe(
            member=member, endpoint=said["endpoint"], now=JOINED, **said["keys"]
        )

    def read(self, body: bytes) -> Any:
        """The message, decrypted."""
        return json.loads(self.opened(body))

    def opened(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        assert (size, length) == (4_096, 65)
        theirs, sealed = body[21:86], body[86:]
        assert len(body) <= size
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        shared = self.private.exchange(ec.ECDH(), sender)
        about = b"WebPush: info\x00" + self.public + theirs + b"\x01"
        secret = _hmac(_hmac(self.auth, shared), about)
        pseudo_random = _hmac(salt, secret)
        key = _hmac(pseudo_random, b"Content-Encoding: aes128gcm\x00\x01")[:16]
        nonce = _hmac(pseudo_random, b"Content-Encoding: nonce\x00\x01")[:12]
        text, _, padding = AESGCM(key).decrypt(nonce, sealed, None).rpartition(b"\x02")
        assert padding.strip(b"\x00") == b""
        return text


@dataclass
class Service:
    """A push service: a shop that answers 201, or first what stands in `answers`."""

    shop: Shop
    origin: str

    def browser(self) -> Browser:
        return Browser(f"{self.origin}/push/")

    def headers(self, number: int = 0) -> dict[str, str]:
        return self.shop.heard[number].headers

    def body(self, number: int = 0) -> bytes:
        return self.shop.heard[number].body

    def vouched(self, number: int = 0) -> dict[str, Any]:
        """The claims of a request's VAPID token, its signature checked with the key it names."""
        scheme, _, said = self.headers(number)["authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in said.split(", "))
        assert (scheme, set(parts)) == ("vapid", {"t", "k"})
        point = base64.urlsafe_b64decode(parts["k"] + "=")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims: dict[str, Any] = jwt.decode(
            parts["t"], key, algorithms=["ES256"], audience=self.origin
        )
        return {**claims, "k": parts["k"]}


@contextmanager
def service(folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A push service on this machine that is trusted and on the list."""
    certificate = shops.certificate(folder, of="localhost")
    with shops.opened(certificate=certificate) as shop:
        host = shop.url.split("/")[2].replace("127.0.0.1", "localhost")
        switch_on(settings)
        settings.WEB_PUSH_SERVICES = [host]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        posting._trust.cache_clear()
        yield Service(shop, f"https://{host}")
    posting._trust.cache_clear()


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
