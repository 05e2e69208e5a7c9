"""Keyed writes: one execution and one answer for each caller and key, whatever the network does.

The key's row, the work and the stored answer are one transaction. Whoever comes second with the
same key waits for the first at the unique index, then reads its answer. A refused operation rolls
its key back too, so that a corrected retry is not held to the mistake. Answers tell voucher codes
and names, so they are kept sealed: who has the database without the server's key cannot read them.
"""

import base64
import functools
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, transaction

from config.errors import Refusal
from members import prepared
from members.models import IdempotencyKey

TRIES = 3
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"

Work = Callable[[], tuple[int, dict[str, Any]]]


class IdempotencyConflict(Refusal):
    code = "idempotency_conflict"
    status = 422


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: dict[str, Any]
    is_replayed: bool = False


def once(*, caller: str, key: str, fingerprint: str, now: datetime, do: Work) -> Answer:
    """Run `do` and keep its answer, or return the answer kept under this caller's key.

    `IdempotencyConflict` if the key was used for something else (another fingerprint).
    """

    def attempt() -> Answer:
        row = _take(caller=caller, key=key, fingerprint=fingerprint, now=now)
        if row is None:
            return _kept(caller=caller, key=key, fingerprint=fingerprint)
        answer = _answer(do)
        prepared.execute(_KEEP, [answer.status, sealed(answer.body), row])
        return answer

    return whole(attempt)


def unkeyed(*, do: Work) -> Answer:
    """Run `do` as one transaction; nothing is kept to replay."""
    return whole(lambda: _answer(do))


def sealed(body: dict[str, Any]) -> str:
    """An answer as it is kept: nobody reads it without the server's key."""
    return _box(settings.SECRET_KEY).encrypt(json.dumps(body).encode()).decode()


def opened(body: str) -> dict[str, Any]:
    """The answer that was sealed, its fields in the same order; older keys of the server open too.

    `IdempotencyConflict` where none does: it was done, and is not done again.
    """
    boxes = MultiFernet(map(_box, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)))
    try:
        answer: dict[str, Any] = json.loads(boxes.decrypt(body))
    except InvalidToken:
        raise IdempotencyConflict(
            "This was done before; what was answered cannot be read any more."
        ) from None
    return answer


@functools.lru_cache(maxsize=8)
def _box(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"kept-answers")
    return Fernet(base64.urlsafe_b64encode(key.derive(secret.encode())))


def whole[T](do: Callable[[], T]) -> T:
    """Run `do` as one transaction, again from the start if it lost a deadlock or a race."""
    tries = 0
    while True:
        try:
            with transaction.atomic():
                return do()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            tries += 1
            if state not in {SERIALIZATION_FAILURE, DEADLOCK} or tries == TRIES:
                raise
            # Two who met once must not meet again at the same instant.
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311


def _take(*, caller: str, key: str, fingerprint: str, now: datetime) -> int | None:
    """Insert the key's row and return its id; None if somebody has committed it before us."""
    taken = prepared.execute(_TAKE, [caller, key, fingerprint, now])
    return int(taken[0][0]) if taken else None


def _kept(*, caller: str, key: str, fingerprint: str) -> Answer:
    kept = IdempotencyKey.objects.get(caller=caller, key=key)
    if kept.fingerprint != fingerprint:
        raise IdempotencyConflict("This Idempotency-Key was used for another request.")
    if kept.status is None or kept.body is None:
        raise AssertionError("a key was committed without its answer")
    return Answer(status=kept.status, body=opened(kept.body), is_replayed=True)


def _answer(do: Work) -> Answer:
    status, body = do()
    # Through JSON now, so that the first answer and its replay cannot differ.
    return Answer(status=status, body=json.loads(json.dumps(body, cls=DjangoJSONEncoder)))


_TAKE = """
INSERT INTO members_idempotencykey (caller, key, fingerprint, created_at)
VALUES (%s, %s, %s, %s) ON CONFLICT (caller, key) DO NOTHING RETURNING id
"""
_KEEP = """
UPDATE members_idempotencykey SET status = %s, body = %s WHERE id = %s RETURNING id
"""
