"""Webhooks: who wants to hear of what, where, and how they know that it is us.

Events are signed as Standard Webhooks says (standardwebhooks.com): any of its libraries verifies
them. The secret is derived from a random seed and the server's key, so a stolen database signs
nothing. The statements that write points and interactions plan the announcements themselves, with
the SQL given here: no event without its row, no row without its event, no round trip more.
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from config.errors import Invalid
from members.models import InteractionKind, Webhook

EVERYTHING = "*"
# What was signed with the secret of before keeps being signed with it for so long.
BOTH_SECRETS_FOR = timedelta(hours=24)
LONGEST_ADDRESS = 300

type Kinds = Callable[[], Iterable[str]]

_families: dict[str, Kinds] = {}


def announces(family: str) -> Callable[[Kinds], Kinds]:
    """Say which kinds of event there are in a family: `points` has `points.earned` and others."""

    def remember(kinds: Kinds) -> Kinds:
        _families[family] = kinds
        return kinds

    return remember


@announces("interaction")
def interaction_kinds() -> Iterable[str]:
    return InteractionKind.objects.order_by("slug").values_list("slug", flat=True)


@announces("member")
def member_kinds() -> Iterable[str]:
    return ["erased"]


def known_kinds() -> list[str]:
    """All that one can subscribe to: everything, each family, each kind."""
    found = [EVERYTHING]
    for family, kinds in sorted(_families.items()):
        found += [f"{family}.*", *(f"{family}.{kind}" for kind in kinds())]
    return found


def planning(source: str, *, family: str, facts: str) -> str:
    """SQL that plans an announcement of each row of `source` for each webhook that wants it.

    `source` is a WITH or a subquery with id, kind, member_id, at and recorded_at; `facts` are the
    names and values that the event tells besides the member's number, of a row called `fact`.
    """
    return _PLAN.format(source=source, family=family, facts=facts)


def subscribe(*, name: str, url: str, kinds: Sequence[str], now: datetime) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret. `Invalid` for an address or kind that is none.

    What happens from now on is announced to it; nothing of before.
    """
    webhook = Webhook(seed=_new_seed(), created_at=now)
    _describe(webhook, name=name, url=url, kinds=kinds)
    webhook.save()
    return webhook, secret_of(webhook.seed)


def change(*, webhook: Webhook, name: str, url: str, kinds: Sequence[str], is_active: bool) -> None:
    """Correct a webhook. Switched on again it is tried at once."""
    _describe(webhook, name=name, url=url, kinds=kinds)
    if is_active and not webhook.is_active:
        Webhook.objects.filter(pk=webhook.pk).update(failing_since=None, rests_until=None)
    webhook.is_active = is_active
    # The secret and how it is doing may have changed meanwhile.
    webhook.save(update_fields=["name", "url", "kinds", "is_active"])


def rotate(*, webhook: Webhook, now: datetime) -> str:
    """Give a webhook a new secret and return it. For a day both sign, so that no event is refused
    while the other side changes over."""
    webhook.previous_seed, webhook.previous_until = webhook.seed, now + BOTH_SECRETS_FOR
    webhook.seed = _new_seed()
    webhook.save(update_fields=["seed", "previous_seed", "previous_until"])
    return secret_of(webhook.seed)


def secret_of(seed: bytes | memoryview) -> str:
    """The secret as the other side configures it: whsec_ and the key in base64."""
    return f"whsec_{base64.b64encode(_key(seed)).decode()}"


def signed(*, event_id: str, body: bytes, seeds: Iterable[bytes], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks for a body, one signature for each seed."""
    stamp = str(int(now.timestamp()))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(
            signature(key=_key(seed), event_id=event_id, stamp=stamp, body=body) for seed in seeds
        ),
    }


def signature(*, key: bytes, event_id: str, stamp: str, body: bytes) -> str:
    """One symmetric signature, version 1: HMAC-SHA256 of id, time and body."""
    digest = hmac.digest(key, f"{event_id}.{stamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def _describe(webhook: Webhook, *, name: str, url: str, kinds: Sequence[str]) -> None:
    if not 0 < len(name.strip()) <= 80:
        raise Invalid("A webhook needs a name of at most 80 characters.", pointer="/name")
    if not kinds:
        raise Invalid("Say what it shall hear of.", pointer="/kinds")
    # What it has heard of so far it may keep, though it is offered no more.
    if unknown := set(kinds) - set(webhook.kinds or ()) - set(known_kinds()):
        raise Invalid(f"There are no such events: {', '.join(sorted(unknown))}.", pointer="/kinds")
    webhook.name, webhook.url = name.strip(), _checked(url.strip())
    webhook.kinds = sorted(set(kinds))


def _checked(url: str) -> str:
    """The address, if it can be one: https, or http where nothing is at stake."""
    allowed = ("https",) if settings.IS_PRODUCTION else ("https", "http")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        parts, is_whole = SplitResult("", "", "", "", ""), False
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' \\#"<>')
    if parts.scheme not in allowed or not (is_whole and is_plain):
        raise Invalid(f"An address begins with {allowed[0]}://, and has no user.", pointer="/url")
    if len(url) > LONGEST_ADDRESS:
        raise Invalid(f"An address has at most {LONGEST_ADDRESS} characters.", pointer="/url")
    return url


def _new_seed() -> bytes:
    return secrets.token_bytes(16)


def _key(seed: bytes | memoryview) -> bytes:
    server = settings.SECRET_KEY.encode()
    return hmac.digest(server, b"webhook-secret:" + bytes(seed), "sha256")


# The id of an event is made of its row, so that whoever announced it twice would say the same.
_PLAN = """
    INSERT INTO members_announcement
        (webhook_id, event_id, kind, member_id, body, created_at, due_at, state, tries, last_answer)
    SELECT w.id,
           md5('{family} ' || fact.id || ' ' || extract(epoch FROM fact.recorded_at))::uuid,
           '{family}.' || fact.kind, fact.member_id,
           jsonb_build_object(
               'type', '{family}.' || fact.kind,
               'timestamp', fact.at,
               'data', jsonb_strip_nulls(
                   jsonb_build_object('member', m.number) || jsonb_build_object({facts}))),
           fact.recorded_at, fact.recorded_at, 'planned', 0, ''
      FROM members_webhook w
      JOIN {source} fact
           ON w.kinds && ARRAY['*', '{family}.*', '{family}.' || fact.kind]::varchar[]
      JOIN members_member m ON m.id = fact.member_id
     WHERE w.is_active
"""
