"""Push notifications to every device of the member: to apps through Firebase Cloud Messaging, to
browsers through their own push services.

With no credentials set, notifications to apps are written to a log file that says so. The collapse
id is the delivery's: a device shows a repeated notification once.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db.models import QuerySet

from campaigns.channels import plain, web_push
from campaigns.channels.contract import Outcome, Result, Unreachable
from campaigns.rendering import Message
from members import subscriptions
from members.models import Device

log = structlog.get_logger(__name__)


class Push:
    chunk = 100
    is_transactional = False
    resends_in_doubt = True

    def __init__(self) -> None:
        self._messaging: Any = None

    def open(self) -> None:
        if settings.FIREBASE_CREDENTIALS and self._messaging is None:
            self._messaging = _firebase()

    def close(self) -> None:
        pass

    def send(self, messages: Sequence[Message], *, now: datetime) -> list[Outcome]:
        apps: dict[int, list[Device]] = {}
        browsers: dict[int, list[Device]] = {}
        for device in _devices_of(messages):
            kind = apps if device.endpoint is None else browsers
            kind.setdefault(device.member_id, []).append(device)
        answers = _to_browsers(messages, browsers, now=now)
        return [
            self._send(m, apps.get(m.member.pk, []), answers.get(m.delivery.pk, []), now=now)
            for m in messages
        ]

    def _send(
        self, message: Message, apps: list[Device], answers: list[Result], *, now: datetime
    ) -> Outcome:
        if not apps and not answers:
            return Outcome(message, Result.REFUSED, "no device")
        if apps and self._messaging is None:
            _log(message, apps, now=now)
            return Outcome(message, Result.SENT, "logged, no provider is set")
        results = [*answers, *(self._send_to(message, app, now=now) for app in apps)]
        for result in (Result.SENT, Result.IN_DOUBT, Result.RETRY):
            if result in results:
                return Outcome(message, result)
        return Outcome(message, Result.REFUSED, "every device refused")

    def _send_to(self, message: Message, device: Device, *, now: datetime) -> Result:
        collapse = f"delivery-{message.delivery.pk}"
        fcm = self._messaging
        notice = fcm.Message(
            token=device.token,
            notification=fcm.Notification(
                title=message.subject, body=plain.without_addresses(message.text)[:1_000]
            ),
            android=fcm.AndroidConfig(collapse_key=collapse),
            apns=fcm.APNSConfig(headers={"apns-collapse-id": collapse}),
            data={"delivery": str(message.delivery.pk)},
        )
        try:
            fcm.send(notice)
        except fcm.UnregisteredError:
            Device.objects.filter(pk=device.pk).update(refused_at=now)
            return Result.REFUSED
        except Exception:  # The SDK wraps network errors in many classes.
            log.exception("push_failed", delivery=message.delivery.pk)
            return Result.IN_DOUBT
        return Result.SENT


def _devices_of(messages: Sequence[Message]) -> QuerySet[Device]:
    """Where browsers are not pushed to, theirs count as none."""
    devices = Device.objects.filter(
        member__in=[message.member.pk for message in messages], refused_at__isnull=True
    ).order_by("pk")
    return devices if subscriptions.is_on() else devices.filter(endpoint__isnull=True)


def _to_browsers(
    messages: Sequence[Message], browsers: Mapping[int, list[Device]], *, now: datetime
) -> dict[int, list[Result]]:
    """Send to these browsers, by member; what became of it, by delivery. Subscriptions that are
    gone are struck off."""
    pairs = [(m, browser) for m in messages for browser in browsers.get(m.member.pk, [])]
    verdicts = web_push.send(pairs, now=now)
    results: dict[int, list[Result]] = {}
    for (message, _), verdict in zip(pairs, verdicts, strict=True):
        results.setdefault(message.delivery.pk, []).append(verdict.result)
    gone = [b.pk for (_, b), verdict in zip(pairs, verdicts, strict=True) if verdict.is_gone]
    if gone:
        Device.objects.filter(pk__in=gone).update(refused_at=now)
    return results


def _log(message: Message, devices: list[Device], *, now: datetime) -> None:
    settings.PUSH_LOG.parent.mkdir(parents=True, exist_ok=True)
    with settings.PUSH_LOG.open("a", encoding="utf-8") as log:
        for device in devices:
            record = {
                "at": now.isoformat(),
                "delivery": message.delivery.pk,
                "platform": device.platform,
                "token": (device.token or "")[:8] + "…",
                "title": message.subject,
            }
            log.write(json.dumps(record, ensure_ascii=False) + "\n")


def _firebase() -> Any:
    try:
        import firebase_admin  # noqa: PLC0415 - an optional extra
        from firebase_admin import credentials, messaging  # noqa: PLC0415
    except ImportError as error:
        raise Unreachable(
            "FIREBASE_CREDENTIALS is set, but the extra is missing: uv sync --extra push"
        ) from error
    if not firebase_admin._apps:
        firebase_admin.initialize_app(credentials.Certificate(settings.FIREBASE_CREDENTIALS))
    return messaging
