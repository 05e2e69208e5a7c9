"""One execution for each caller and key: told, raced by processes, and through deadlocks."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from config.errors import Refusal
from members import idempotency
from members.models import IdempotencyKey, Interest
from tests.processes import at_once

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
PROCESSES = 8

# The children only talk to the database; no thread of the parent holds a lock they need.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")


def once(do: idempotency.Work, **changes: str) -> idempotency.Answer:
    facts = {"caller": "key:a", "key": "k", "fingerprint": "f" * 64, **changes}
    return idempotency.once(now=NOW, do=do, **facts)


def answering(number: int) -> idempotency.Work:
    return lambda: (201, {"number": number})


@pytest.mark.django_db
def test_second_time_gets_the_first_answer_without_running() -> None:
    first, again = once(answering(1)), once(answering(2))
    assert first == idempotency.Answer(status=201, body={"number": 1})
    assert again == idempotency.Answer(status=201, body={"number": 1}, is_replayed=True)


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"caller": "key:b"}, {"key": "l"}])
def test_another_caller_or_key_runs_by_itself(other: dict[str, str]) -> None:
    once(answering(1))
    assert once(answering(2), **other).body == {"number": 2}


@pytest.mark.django_db
def test_another_request_under_the_same_key_is_a_conflict() -> None:
    once(answering(1))
    with pytest.raises(idempotency.IdempotencyConflict):
        once(answering(2), fingerprint="0" * 64)


@pytest.mark.django_db
def test_refused_operation_keeps_no_key() -> None:
    def refuse() -> tuple[int, dict[str, Any]]:
        Interest.objects.create(slug="never", name="never")
        raise Refusal("no")

    with pytest.raises(Refusal):
        once(refuse)
    assert IdempotencyKey.objects.count() == 0
    assert not Interest.objects.filter(slug="never").exists()


@pytest.mark.django_db
def test_first_answer_is_already_what_will_be_replayed() -> None:
    first = once(lambda: (200, {"at": NOW, "pair": (1, 2)}))
    assert first.body == {"at": "2027-03-01T12:00:00Z", "pair": [1, 2]}


@pytest.mark.django_db
def test_replay_has_its_fields_in_the_same_order() -> None:
    first = once(lambda: (201, {"voucher": "V", "code": {"of": "it", "a": 1}}))
    assert json.dumps(once(answering(2)).body) == json.dumps(first.body)


@pytest.mark.django_db
def test_kept_answer_cannot_be_read_without_the_servers_key(settings: Any) -> None:
    once(lambda: (201, {"code": "4F7K-9QXM"}))
    kept = IdempotencyKey.objects.get().body
    assert kept is not None
    assert "4F7K" not in kept
    settings.SECRET_KEY = "of another server"
    with pytest.raises(idempotency.IdempotencyConflict):
        once(answering(2))


@pytest.mark.django_db
def test_kept_answer_is_replayed_after_the_servers_key_was_rotated(settings: Any) -> None:
    first = once(answering(1))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "of the same server, later"
    assert once(answering(2)).body == first.body


@pytest.mark.django_db(transaction=True)
def test_eight_processes_with_one_key_execute_once() -> None:
    def work(number: int) -> tuple[dict[str, Any], bool]:
        def do() -> tuple[int, dict[str, Any]]:
            Interest.objects.create(slug=f"by-{number}", name="x")
            time.sleep(0.1)  # Longer than the others need to arrive.
            return 201, {"number": number}

        answer = once(do)
        return answer.body, answer.is_replayed

    before = Interest.objects.count()
    answers = at_once(work)
    assert Interest.objects.count() == before + 1
    assert sorted(is_replayed for _, is_replayed in answers) == [False] + [True] * 7
    assert [body for body, _ in answers] == [answers[0][0]] * PROCESSES


@pytest.mark.django_db(transaction=True)
def test_eight_processes_after_a_refusal_execute_once() -> None:
    def work(number: int) -> str:
        def do() -> tuple[int, dict[str, Any]]:
            time.sleep(0.02)
            if number % 2:
                raise Refusal("odd")
            Interest.objects.create(slug=f"by-{number}", name="x")
            return 201, {}

        try:
            return "replayed" if once(do).is_replayed else "executed"
        except Refusal:
            return "refused"

    before = Interest.objects.count()
    outcomes = at_once(work)
    assert Interest.objects.count() == before + 1
    assert outcomes.count("executed") == 1


@pytest.mark.django_db(transaction=True)
def test_deadlocked_operations_both_finish() -> None:
    rows = [Interest.objects.create(slug=f"row-{n}", name="0").pk for n in range(2)]

    def work(number: int) -> str:
        order = rows if number % 2 else rows[::-1]

        def do() -> str:
            for row in order:
                Interest.objects.select_for_update().get(pk=row)
                time.sleep(0.02)
            return "done"

        return idempotency.whole(do)

    # Two rivals: with eight at once, one may well lose all of its three tries.
    outcomes = at_once(lambda number: work(number) if number < 2 else "idle")
    assert sorted(outcomes) == ["done"] * 2 + ["idle"] * 6


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "tries"),
    [("40001", 3), ("40P01", 3), ("55P03", 1)],
    ids=["serialization", "deadlock", "lock timeout"],
)
def test_only_lost_races_are_tried_again(state: str, tries: int) -> None:
    ran = []

    def do() -> None:
        ran.append(state)
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")

    with pytest.raises(OperationalError):
        idempotency.whole(do)
    assert len(ran) == tries
