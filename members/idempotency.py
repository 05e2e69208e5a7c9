"""Keyed writes: one execution and one answer for each caller and key, whatever the network does.

The key's row, the work and the stored answer are one transaction. Whoever comes second with the
same key waits for the first at the unique index, then reads its answer. A refused operation rolls
its key back too, so that a corrected retry is not held to the mistake.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
        prepared.execute(_KEEP, [answer.status, json.dumps(answer.body), row])
        return answer

    return whole(attempt)


def unkeyed(*, do: Work) -> Answer:
    """Run `do` as one transaction; nothing is kept to replay."""
    return whole(lambda: _answer(do))


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
    return Answer(status=kept.status, body=kept.body, is_replayed=True)


def _answer(do: Work) -> Answer:
    status, body = do()
    # Through JSON now, so that the first answer and its replay cannot differ.
    return Answer(status=status, body=json.loads(json.dumps(body, cls=DjangoJSONEncoder)))


_TAKE = """
INSERT INTO members_idempotencykey (caller, key, fingerprint, created_at)
VALUES (%s, %s, %s, %s) ON CONFLICT (caller, key) DO NOTHING RETURNING id
"""
_KEEP = """
UPDATE members_idempotencykey SET status = %s, body = %s::jsonb WHERE id = %s RETURNING id
"""
