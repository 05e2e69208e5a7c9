"""Keyed writes: a till or a phone may send the same POST again and gets the same answer again."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import callers, serializers
from config.errors import Invalid
from members import idempotency

HEADER = "Idempotency-Key"
PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")


def answer_once(request: Request, do: Callable[[], tuple[int, dict[str, Any]]]) -> Response:
    """Run `do` in one transaction and answer with its (status, body); once per Idempotency-Key.

    `do` may run again from the start after a deadlock, so it touches nothing but the database. Its
    exceptions roll everything back, the key included. Decimals in the body become strings, times
    ISO 8601.
    """
    serializers.refuse_unread(request)
    key = request.headers.get(HEADER)
    if key is not None and PRINTABLE.fullmatch(key) is None:
        raise Invalid(f"{HEADER} is 1 to 255 printable ASCII characters.")
    if key is None or request.auth is None:  # A key belongs to a caller; nobody has none.
        answer = idempotency.unkeyed(do=do)
    else:
        answer = idempotency.once(
            caller=callers.caller_of(request),
            key=key,
            fingerprint=fingerprint_of(request),
            now=timezone.now(),
            do=do,
        )
    headers = {"Idempotent-Replayed": "true"} if answer.is_replayed else None
    data = None if answer.status == 204 else answer.body
    return Response(data, status=answer.status, headers=headers)


def fingerprint_of(request: Request) -> str:
    """SHA-256 of what was asked: method, path, and the body whatever its spacing and order."""
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()


def _plain(value: Any) -> str:
    """A file by what is in it: two pictures may have one name."""
    if not isinstance(value, UploadedFile):
        return str(value)
    value.seek(0)
    digest = hashlib.sha256(value.read()).hexdigest()
    value.seek(0)
    return digest
