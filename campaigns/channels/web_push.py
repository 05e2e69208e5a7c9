"""Pushing to browsers: RFC 8030 to their push services, encrypted, vouched for (RFC 8292).

The topic is the delivery's: a second message of it replaces the first, at the service while the
browser is away, and on the screen by the notification's tag. Services are called side by side,
for each is a connection of its own; one that stays silent is not waited for again and again.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
import structlog
from django.conf import settings

from campaigns.channels import plain, sealing
from campaigns.channels.contract import Result
from campaigns.rendering import Message
from members import posting, subscriptions
from members.models import Device

LONGEST_TTL = timedelta(days=28)  # Services keep nothing longer, and some refuse to try.
VOUCHED_FOR = timedelta(hours=12)  # RFC 8292 allows a day; clocks differ.
AT_ONCE = 16
MOST_SILENCES = 3
LONGEST_URL = 1_000
GONE = {404, 410}
LATER = {408, 425, 429}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a push service said; `is_gone`: there is no such subscription any more."""

    result: Result
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class _Letter:
    delivery_id: int
    device_id: int
    endpoint: str
    origin: str
    headers: dict[str, str]
    body: bytes


def send(pairs: Sequence[tuple[Message, Device]], *, now: datetime) -> list[Verdict]:
    """Send each message to the browser beside it; one verdict each, in order.

    Threads do nothing but post: no row is read or written in them.
    """
    if not pairs:
        return []
    vouchers: dict[str, str] = {}
    letters = [_letter(message, device, vouchers, now=now) for message, device in pairs]
    silences: Counter[str] = Counter()
    with ThreadPoolExecutor(min(AT_ONCE, len(letters))) as postmen:
        return list(postmen.map(lambda letter: _posted(letter, silences), letters))


def payload(message: Message) -> bytes:
    """What the app's service worker gets, in JSON: `title`, `body` (no Markdown), `url` of the
    first link, `tag` and `delivery`. The body is as long as there is room."""
    url = message.link
    said = {
        "title": message.subject,
        "url": url if len(json.dumps(url)) <= LONGEST_URL else "",
        "tag": topic_of(message),
        "delivery": str(message.delivery.pk),
    }

    def written(body: str) -> bytes:
        whole = json.dumps({**said, "body": body}, ensure_ascii=False, separators=(",", ":"))
        return whole.encode(errors="replace")

    body = plain.without_addresses(message.text)
    if len(written(body)) <= sealing.MOST_BYTES:
        return written(body)
    # A letter takes one to six bytes: only trying tells how many of them fit.
    sizes = range(1, sealing.MOST_BYTES)
    room = bisect_right(sizes, sealing.MOST_BYTES, key=lambda n: len(written(body[:n] + "…")))
    return written(body[:room].rstrip() + "…")


def topic_of(message: Message) -> str:
    """At most 32 letters of base64url, says RFC 8030."""
    return f"delivery-{message.delivery.pk}"


def _letter(
    message: Message, device: Device, vouchers: dict[str, str], *, now: datetime
) -> _Letter | None:
    """None for an address that is not, or no longer, one of a push service."""
    endpoint = device.endpoint or ""
    if not subscriptions.is_of_a_push_service(endpoint):
        log.warning("push_service_unknown", device=device.pk)
        return None
    origin = subscriptions.origin_of(endpoint)
    if origin not in vouchers:
        vouchers[origin] = _voucher(origin, now=now)
    left = min(max(message.delivery.expires_at - now, timedelta(0)), LONGEST_TTL)
    return _Letter(
        delivery_id=message.delivery.pk,
        device_id=device.pk,
        endpoint=endpoint,
        origin=origin,
        headers={
            "Authorization": vouchers[origin],
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(left.total_seconds())),
            "Topic": topic_of(message),
            "Urgency": "normal" if message.is_marketing else "high",
        },
        body=sealing.seal(
            payload(message), p256dh=bytes(device.p256dh or b""), auth=bytes(device.auth or b"")
        ),
    )


def _voucher(origin: str, *, now: datetime) -> str:
    """Says to one push service who we are, for half a day."""
    claims = {"aud": origin, "exp": now + VOUCHED_FOR, "sub": settings.WEB_PUSH_CONTACT}
    token = jwt.encode(claims, subscriptions.private_key(), algorithm="ES256")
    return f"vapid t={token}, k={subscriptions.public_key()}"


def _posted(letter: _Letter | None, silences: Counter[str]) -> Verdict:
    if letter is None:
        return Verdict(Result.REFUSED)
    if silences[letter.origin] >= MOST_SILENCES:
        return Verdict(Result.RETRY)
    answer = posting.post(url=letter.endpoint, headers=letter.headers, body=letter.body)
    verdict = judged(answer.status)
    if answer.status is None:
        silences[letter.origin] += 1
    if verdict.result is not Result.SENT:
        log.info(
            "push_failed",
            delivery=letter.delivery_id,
            device=letter.device_id,
            service=letter.origin,
            status=answer.status,
            said=answer.text,
        )
    return verdict


def judged(status: int | None) -> Verdict:
    """What a push service's answer means. None is no answer: the message may have arrived, and
    sending it again replaces it there."""
    if status is None:
        return Verdict(Result.IN_DOUBT)
    if status in LATER or status >= 500:
        return Verdict(Result.RETRY)
    if 200 <= status < 300:
        return Verdict(Result.SENT)
    return Verdict(Result.REFUSED, is_gone=status in GONE)
