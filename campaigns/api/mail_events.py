"""What mail providers say, checked and parsed by django-anymail, in our own words.

Who asks is told by the provider's signature, or by the user and password of WEBHOOK_SECRET; a
provider that could not be checked counts as not set up.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks import (
    brevo,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    sparkpost,
    unisender_go,
)
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated

from campaigns import bouncing
from campaigns.api import ses_events
from campaigns.channels import email
from campaigns.feedback import Event
from campaigns.models import Engagement
from config.errors import Invalid, NotFound, Refusal
from members import contacts
from members.mailboxes import News

Kind = Engagement.Kind
VIEWS = {
    "amazon_ses": ses_events.SesTrackingView,
    "brevo": brevo.BrevoTrackingWebhookView,
    "mailersend": mailersend.MailerSendTrackingWebhookView,
    "mailgun": mailgun.MailgunTrackingWebhookView,
    "mailjet": mailjet.MailjetTrackingWebhookView,
    "mailtrap": mailtrap.MailtrapTrackingWebhookView,
    "mandrill": mandrill.MandrillCombinedWebhookView,
    "postal": postal.PostalTrackingWebhookView,
    "postmark": postmark.PostmarkTrackingWebhookView,
    "resend": resend.ResendTrackingWebhookView,
    "sendgrid": sendgrid.SendGridTrackingWebhookView,
    "sparkpost": sparkpost.SparkPostTrackingWebhookView,
    "unisender_go": unisender_go.UnisenderGoTrackingWebhookView,
}
MOST_EVENTS = 10_000
DEEPEST = 6
# Where providers say what kind of bounce it was, beside what django-anymail makes of it.
WORDS = {
    "type", "event", "bouncetype", "bouncesubtype", "subtype", "status", "error",
    "bounce_category", "delivery_status", "suppressionreason", "reason",
}  # fmt: skip
# Where they say that a program opened or clicked.
MACHINES = {"sg_machine_open", "bot", "is_bot", "is_prefetched", "isprefetched"}
PROXIES = {"proxy_open", "unique_proxy_open"}
# SparkPost's classes of bounces that are about the address, or about its being full or away.
SPARKPOST = {"10": "hardbounce", "30": "hardbounce", "22": "mailboxfull", "70": "transient"}

log = structlog.get_logger(__name__)


# What each of django-anymail's views may be given to check its provider with.
KEYS = ("webhook_key", "webhook_signing_key", "signing_key", "signing_secret", "api_key_bytes")
FRESH_FOR_S = 300


class Forged(Refusal):
    code = "forged"
    status = 403


def is_set_up(provider: str) -> bool:
    """Whether this shop sends through this provider."""
    return provider in VIEWS and provider in settings.EMAIL_WEBHOOKS


def told(request: HttpRequest, *, provider: str) -> list[Event]:
    """What a provider's request tells; `NotFound`, `Forged` or `Invalid` when it tells nothing."""
    view = _view(provider)
    if provider == "amazon_ses" and "Authorization" not in request.headers:
        raise NotAuthenticated  # SNS says its password when it is asked for it, not before.
    try:
        view.run_validators(request)
        if provider == "mailgun":
            _check_freshness(request)
        said = view.parse_events(request)
        if len(said) > MOST_EVENTS:
            raise Invalid(f"At most {MOST_EVENTS} events at once.")
        found = [_event(event, provider=provider) for event in said]
    except AnymailWebhookValidationFailure as error:
        raise Forged("The signature or password of the provider is not right.") from error
    except (Refusal, RequestDataTooBig, UnreadablePostError):
        raise
    except Exception as error:
        # Each parser fails in its own ways at what its provider never sends.
        log.info("webhook_not_read", provider=provider, error=type(error).__name__)
        raise Invalid("This is not what the provider sends.") from error
    return [event for event in found if event is not None]


def _view(provider: str) -> Any:
    if not is_set_up(provider):
        raise NotFound("There is no such mail provider here.")
    try:
        view = VIEWS[provider]()
    except (ImproperlyConfigured, ValueError) as error:  # A key is missing, or none.
        log.warning("webhook_not_set_up", provider=provider, why=str(error).partition("\n")[0])
        raise NotFound("There is no such mail provider here.") from error
    is_open = view.warn_if_no_basic_auth and not view.basic_auth
    keys = [getattr(view, name) for name in KEYS if hasattr(view, name)]
    half_empty = any(not all(pair.split(":", 1)) for pair in view.basic_auth or ())
    if is_open or half_empty or "" in keys or b"" in keys or _lacks_key(view):
        log.warning("webhook_not_set_up", provider=provider, why="there is no key or secret")
        raise NotFound("There is no such mail provider here.")
    return view


def _lacks_key(view: Any) -> bool:
    return getattr(view, "webhook_key", "-") is None


def _check_freshness(request: HttpRequest) -> None:
    """Mailgun signs a moment and a token, not the body: both must be new, or a signature that was
    seen once would be good for anything."""
    signed = json.loads(request.body)["signature"]
    age = abs(timezone.now().timestamp() - float(signed["timestamp"]))
    body = hashlib.sha256(request.body).hexdigest()
    known = cache.get_or_set(f"mailgun:{signed['token']}"[:200], body, 2 * FRESH_FOR_S)
    if age > FRESH_FOR_S or known != body:
        raise Forged("This signature is too old, or was used for something else.")


def _event(said: Any, *, provider: str) -> Event | None:
    """One of django-anymail's events; None for those that are about nothing we keep."""
    pairs = list(_flat(said.esp_event))
    raw = dict(pairs)
    kind, news = _meaning(said, pairs)
    if kind is None:
        return None
    metadata = said.metadata if isinstance(said.metadata, Mapping) else {}
    recipient = _address(said.recipient)
    return Event(
        provider=provider,
        identity=_identity(said, recipient),
        kind=kind,
        at=_moment(said.timestamp),
        email_key=recipient,
        delivery_id=_number(metadata.get(email.METADATA))
        or email.delivery_id(message_id=_text(said.message_id)),
        news=news,
        said=_words(_printable(said.mta_response or said.description)),
        url=_text(said.click_url),
        agent=_text(said.user_agent),
        is_machine=any(raw.get(name) for name in MACHINES) or raw.get("event") in PROXIES,
    )


def _words(text: str) -> str:
    """What a server said, without the addresses in it: they may be somebody else's."""
    return " ".join(word for word in text.split() if "@" not in word)[:200]


def _meaning(said: Any, pairs: list[tuple[str, Any]]) -> tuple[Kind | None, News | None]:
    if said.event_type in Kind.values and said.event_type != Kind.BOUNCED:
        return Kind(said.event_type), None
    if said.event_type not in {"bounced", "rejected", "failed"}:
        return None, None
    reason = _text(said.reject_reason)
    if said.event_type == "rejected":
        # Not sent at all. It is about the address only if that is on the provider's own list.
        return (Kind.BOUNCED, News.HARD) if reason in {"bounced", "invalid"} else (None, None)
    raw = dict(pairs)
    words = {value for name, value in pairs if name in WORDS and isinstance(value, str)}
    if raw.get("hard_bounce") is True:
        words.add("hardbounce")
    if word := SPARKPOST.get(str(raw.get("bounce_class"))):
        words.add(word)
    news = bouncing.judge(
        reason=reason or ("other" if said.event_type == "failed" else ""),
        said=f"{_text(said.mta_response)} {_text(said.description)} {_text(raw.get('status'))}",
        words=words | set(_text(said.description).split(":")),
    )
    # Postal says "failed" of what came back, others of what never left.
    return (Kind.BOUNCED, news) if news or said.event_type == "bounced" else (None, None)


def _identity(said: Any, recipient: str) -> tuple[str, ...]:
    """The event's own id, or all that is known of it: a repetition says the very same."""
    if said.event_id:
        return (str(said.event_id), recipient)
    return (json.dumps(said.esp_event, sort_keys=True, default=str), recipient)


def _flat(raw: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The plain values anywhere in a provider's event, by their names; outer ones win."""
    if depth < DEEPEST and isinstance(raw, Mapping):
        for value in raw.values():
            yield from _flat(value, depth + 1)
        yield from ((str(name).lower(), v) for name, v in raw.items() if not _is_nest(v))


def _is_nest(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _address(value: Any) -> str:
    try:
        return contacts.valid_email(_text(value))
    except Invalid:
        return ""


def _moment(value: Any) -> datetime | None:
    """When it happened, if that can be: UTC where no zone is said."""
    if not isinstance(value, datetime) or not 2000 <= value.year < 9999:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _printable(value: Any) -> str:
    return "".join(char if char.isprintable() else " " for char in _text(value)[:1_000])
