"""Push notifications through Firebase Cloud Messaging, to every device of the member.

With no credentials set, notifications are written to a log file that says so. The collapse id is
the delivery's: a device shows a repeated notification once.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from campaigns.channels.contract import Outcome, Result, Unreachable
from campaigns.rendering import Message
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
        devices: dict[int, list[Device]] = {}
        for device in Device.objects.filter(
            member__in=[message.member.pk for message in messages], refused_at__isnull=True
        ):
            devices.setdefault(device.member_id, []).append(device)
        return [self._send(m, devices.get(m.member.pk, []), now=now) for m in messages]

    def _send(self, message: Message, devices: list[Device], *, now: datetime) -> Outcome:
        if not devices:
            return Outcome(message, Result.REFUSED, "no device")
        if self._messaging is None:
            _log(message, devices, now=now)
            return Outcome(message, Result.SENT, "logged, no provider is set")
        results = [self._send_to(message, device, now=now) for device in devices]
        for result in (Result.SENT, Result.RETRY):
            if result in results:
                return Outcome(message, result)
        return Outcome(message, Result.REFUSED, "every device refused")

    def _send_to(self, message: Message, device: Device, *, now: datetime) -> Result:
        collapse = f"delivery-{message.delivery.pk}"
        fcm = self._messaging
        notice = fcm.Message(
            token=device.token,
            notification=fcm.Notification(title=message.subject, body=message.text[:1_000]),
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
            return Result.RETRY
        return Result.SENT


def _log(message: Message, devices: list[Device], *, now: datetime) -> None:
    settings.PUSH_LOG.parent.mkdir(parents=True, exist_ok=True)
    with settings.PUSH_LOG.open("a", encoding="utf-8") as log:
        for device in devices:
            record = {
                "at": now.isoformat(),
                "delivery": message.delivery.pk,
                "platform": device.platform,
                "token": device.token[:8] + "…",
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
