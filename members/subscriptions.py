"""A browser's way to be pushed to (RFC 8030): what it may register, and the key it asks with.

The endpoint of a subscription is an address that a stranger names and that we post to later. Only
https at the push services of `WEB_PUSH_SERVICES` is taken: asked when it is registered and again
each time something is sent. Endpoints and keys are what lets somebody write to a browser, so
nothing shows them.
"""

import base64
import re
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from config.errors import Invalid, NotFound, Refusal

CURVE = ec.SECP256R1()  # P-256, the only one of RFC 8291 and RFC 8292
PRIVATE_BYTES = 32
POINT_BYTES = 65
AUTH_BYTES = 16
HTTPS = 443
_UNCOMPRESSED = b"\x04"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}", re.ASCII)


class WebPushIsOff(Refusal):
    code = "web_push_off"


def is_on() -> bool:
    """Whether browsers are pushed to at all."""
    return bool(settings.WEB_PUSH_PRIVATE_KEY)


def public_key() -> str:
    """What a browser subscribes with, its `applicationServerKey`; `NotFound` while it is off."""
    if not is_on():
        raise NotFound("No browser is pushed to here.")
    return encoded(point_of(private_key().public_key()))


def private_key() -> ec.EllipticCurvePrivateKey:
    """The key that vouches for us at the push services."""
    number = base64url(settings.WEB_PUSH_PRIVATE_KEY, size=PRIVATE_BYTES)
    return ec.derive_private_key(int.from_bytes(number), CURVE)


def new_private_key() -> str:
    """A key for `WEB_PUSH_PRIVATE_KEY`."""
    number = ec.generate_private_key(CURVE).private_numbers().private_value
    return encoded(number.to_bytes(PRIVATE_BYTES))


def check(*, endpoint: str, p256dh: str, auth: str) -> tuple[bytes, bytes]:
    """The keys of a subscription in bytes. `Invalid`, with a pointer, for an address that is no
    push service's, a key that is no point of the curve, a secret of another length."""
    if not is_on():
        raise WebPushIsOff("No browser is pushed to here.")
    if not is_of_a_push_service(endpoint):
        raise Invalid("This is not an address of a known push service.", pointer="/endpoint")
    try:
        point = base64url(p256dh, size=POINT_BYTES)
        if not point.startswith(_UNCOMPRESSED):
            raise ValueError
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    except ValueError as error:
        raise Invalid("This is not a public key on P-256.", pointer="/keys/p256dh") from error
    try:
        return point, base64url(auth, size=AUTH_BYTES)
    except ValueError as error:
        raise Invalid("The secret has 16 bytes, in base64url.", pointer="/keys/auth") from error


def is_of_a_push_service(endpoint: str) -> bool:
    """Whether an address is https, at a host of the list, and means the same to every reader."""
    if not (endpoint.isascii() and endpoint.isprintable()) or set(endpoint) & set(' \\#"<>'):
        return False
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or parts.username is not None:
        return False
    at = _with_port(host, port)
    return any(_is_at(at, service) for service in settings.WEB_PUSH_SERVICES)


def origin_of(endpoint: str) -> str:
    """The push service of a checked address, as RFC 8292 wants it addressed."""
    parts = urlsplit(endpoint)
    return f"https://{_with_port(parts.hostname or '', parts.port)}"


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as it travels: 65 bytes, not compressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encoded(value: bytes) -> str:
    """In base64url without padding, as browsers and JWT write it."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def base64url(text: str, *, size: int) -> bytes:
    """So many bytes of base64url, padded or not; `ValueError` for anything else."""
    if _BASE64URL.fullmatch(text) is None:
        raise ValueError("not base64url")
    bare = text.rstrip("=")
    value = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if len(value) != size:
        raise ValueError(f"not {size} bytes")
    return value


def _with_port(host: str, port: int | None) -> str:
    return host if port in (None, HTTPS) else f"{host}:{port}"


def _is_at(host: str, service: str) -> bool:
    """`*.example.com` stands for every host below example.com."""
    if service.startswith("*."):
        return host.endswith(service[1:]) and len(host) > len(service[1:])
    return host == service
