"""A hundred purchases in one call, and the same in a hundred calls; through the API's own views.

Both in one process, without a network between: that would only favour the one call.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from members import keys
from tests.benchmarks import ledgers, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

A_CALL = 100
PATH = "/api/v1/purchases/"

type Body = dict[str, Any]


def run(asked: Asked) -> Report:
    calls = asked.sized(1_000, quick=A_CALL) // A_CALL
    members = 500
    report = Report(sizes={"purchases a round": calls * A_CALL, "members": members})
    since = timezone.now() - timedelta(days=60)
    with scratch.database("bulk_seed") as seed:
        with scratch.connect(seed) as builder:
            world.add_members(builder, members)
            world.add_product(builder)
            world.open_accounts(builder)
        scratch.settle(seed)
        with (
            scratch.database("bulk_one", of=seed) as one,
            scratch.database("bulk_each", of=seed) as each,
        ):
            report.races.append(
                races.race(
                    "over HTTP",
                    unit="purchases",
                    sides=[
                        _side("POST /purchases/bulk/, 100 a call", one, _in_calls, calls, since),
                        _side("POST /purchases/", each, _one_by_one, calls, since),
                    ],
                    rounds=asked.rounds_of(5),
                    at_least={"purchases": calls * A_CALL, "evidence": 1},
                )
            )
    return report


def _side(
    name: str,
    database: str,
    send: Callable[[APIClient, list[Body]], None],
    calls: int,
    since: datetime,
) -> races.Side:
    rounds = iter(range(1_000))

    def run() -> float:
        scratch.use(database)
        number = next(rounds)
        _, raw = keys.issue(name="till", scopes=["purchases"], store=None, now=timezone.now())
        till = APIClient(headers={"Authorization": f"Api-Key {raw}"})
        send(till, list(_bodies(f"warm-{number}", A_CALL, since)))
        bodies = list(_bodies(str(number), calls * A_CALL, since))
        return races.timed(lambda: send(till, bodies))

    return races.Side(
        name=name,
        run=run,
        units=calls * A_CALL,
        ready=scratch.checkpoint,
        outcome=lambda: sameness.digests(database, ledgers.PURCHASE_ROWS),
        target=8 if send is _one_by_one else None,
        stretch=10.7 if send is _one_by_one else None,
    )


def _bodies(round_: str, many: int, since: datetime) -> Iterator[Body]:
    for place in range(many):
        line = {"sku": world.SKU, "quantity": 1, "unit_price": f"{place % 90 + 10}.50"}
        yield {
            "reference": f"{round_}-{place}",
            "member": str(1_000_001 + place % 500),
            "occurred_at": (since + timedelta(seconds=place)).isoformat(),
            "channel": "web",
            "currency": "USD",
            "lines": [line],
        }


def _in_calls(till: APIClient, bodies: list[Body]) -> None:
    for start in range(0, len(bodies), A_CALL):
        _sent(till, PATH + "bulk/", {"purchases": bodies[start : start + A_CALL]})


def _one_by_one(till: APIClient, bodies: list[Body]) -> None:
    for body in bodies:
        _sent(till, PATH, body)


def _sent(till: APIClient, path: str, body: Body) -> None:
    cache.clear()  # Nobody is slowed down.
    answer = till.post(path, body, format="json", headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code in (200, 201), answer.content
