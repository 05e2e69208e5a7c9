"""Text messages through Twilio, to the member's telephone.

With no provider set, messages are written to a log file that says so. The provider cannot tell a
repeat from a second message, so each is put at risk alone, and one whose answer never came is in
doubt. Who answered STOP to the provider has said so to us.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from campaigns.channels import plain
from campaigns.channels.contract import Outcome, Result, Unreachable
from campaigns.rendering import Message
from members import consents
from members.models import Channel, Consent, Purpose

LONGEST = 1_000
TIMEOUT_SECONDS = 15
STOPPED = 21610  # The number answered STOP.
# What Twilio says about our own account or sender: for somebody to mend, no reason to give up.
OURS = {20003, 20005, 21212, 21408, 21603, 21606, 21607, 21659, 21660, 21703, 63038}

log = structlog.get_logger(__name__)


class Sms:
    chunk = 1
    is_transactional = False
    resends_in_doubt = False

    def __init__(self) -> None:
        self._messages: Any = None

    def open(self) -> None:
        if settings.SMS_PROVIDER and self._messages is None:
            self._messages = _twilio()

    def close(self) -> None:
        self._messages = None

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        return [self._send(message, now=now) for message in messages]

    def _send(self, message: Message, *, now: datetime) -> Outcome:
        number = message.member.phone
        if not number:
            return Outcome(message, Result.REFUSED, "no number")
        if self._messages is None:
            _log(message, number, now=now)
            return Outcome(message, Result.SENT, "logged, no provider is set")
        try:
            self._messages.create(to=number, body=text_of(message), **_sender())
        except OSError as error:
            result = Result.IN_DOUBT if _may_have_left(error) else Result.RETRY
            return Outcome(message, result, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the extra's own classes, known by their fields
            result = _judged(error)
            if getattr(error, "code", None) == STOPPED:
                _withdraw(message, now=now)
            # Its words repeat the number.
            return Outcome(message, result, f"{type(error).__name__} {_numbers(error)}")
        return Outcome(message, Result.SENT)


def text_of(message: Message) -> str:
    """The body as a telephone shows it: no Markdown, every link whole, at most LONGEST long."""
    text = plain.with_addresses(message.text)
    if len(text) <= LONGEST:
        return text
    room = text[: LONGEST - 1]
    # Half an address leads nowhere: what does not fit goes as a whole word.
    whole = room if text[LONGEST - 1].isspace() else room[: -len(room.split()[-1])]
    return (whole.rstrip() or room) + "…"


def _judged(error: Exception) -> Result:
    status, code = _numbers(error)
    if status is None:  # It broke after the answer.
        return Result.IN_DOUBT
    if status == 400 and code not in OURS:
        return Result.REFUSED
    return Result.RETRY


def _numbers(error: Exception) -> tuple[int | None, int | None]:
    """The HTTP status and the provider's own code."""
    return getattr(error, "status", None), getattr(error, "code", None)


def _may_have_left(error: OSError) -> bool:
    """urllib3 names a `reason` only where no connection came about."""
    return getattr(error.args[0] if error.args else None, "reason", None) is None


def _withdraw(message: Message, *, now: datetime) -> None:
    stop = consents.Decision(Channel.SMS, Purpose.MARKETING, Consent.Action.WITHDRAWN)
    consents.record(
        member=message.member, decisions=[stop], at=now, source="STOP to the SMS provider", now=now
    )


def _sender() -> dict[str, str]:
    """A number of ours, or the service that picks one."""
    is_service = settings.TWILIO_FROM.startswith("MG")
    return {"messaging_service_sid" if is_service else "from_": settings.TWILIO_FROM}


def _log(message: Message, number: str, *, now: datetime) -> None:
    settings.SMS_LOG.parent.mkdir(parents=True, exist_ok=True)
    with settings.SMS_LOG.open("a", encoding="utf-8") as log:
        record = {
            "at": now.isoformat(),
            "delivery": message.delivery.pk,
            "to": "…" + number[-4:],
            "text": text_of(message),
            "note": "not sent: no provider is set",
        }
        log.write(json.dumps(record, ensure_ascii=False) + "\n")


def _twilio() -> Any:
    try:
        from twilio.http.http_client import TwilioHttpClient  # noqa: PLC0415 - an optional extra
        from twilio.rest import Client  # noqa: PLC0415
    except ImportError as error:
        raise Unreachable(
            "SMS_PROVIDER is set, but the extra is missing: uv sync --extra sms"
        ) from error
    client = Client(
        settings.TWILIO_ACCOUNT_SID,
        settings.TWILIO_AUTH_TOKEN,
        http_client=TwilioHttpClient(timeout=TIMEOUT_SECONDS),
    )
    return client.messages
