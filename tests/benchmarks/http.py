"""Purchase, check-in and redemption over HTTP, against a view that does nothing on the same server.

Two gunicorn workers as `make demo` starts them, eight signed-in callers that keep their connection.
The view beside it asks who is calling and reads the same body; the bare one does not even ask. Each
answer has to be what it is in a shop: points given, points taken.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from loyalty import auditing, ledger, places
from loyalty.models import Account, Entry, Place
from members import keys, signing_in
from members.models import ApiKey, Member
from tests import factories
from tests.benchmarks import crews, races, sameness, scratch, world
from tests.benchmarks.reports import Asked, Report

CALLERS, WORKERS = 8, 2
MOST_P95_MS, MOST_QUERIES = 80, 12
VISITS = 8  # of one member: more a day would be held for somebody to look at
WARM = 3
NOTHING, SIGNED_IN = "/nothing/", "/signed-in/"

type Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    headers: Headers
    body: dict[str, Any]
    expected: dict[str, Any]


type Calls = Callable[[int, int], Sequence[Call]]  # (round, caller)


def run(asked: Asked) -> Report:
    many = asked.sized(60, quick=8)
    rounds = asked.rounds_of(5)
    report = Report(
        sizes={"callers": CALLERS, "workers": WORKERS, "calls a caller and round": many}
    )
    with (
        scratch.database("http") as database,
        tempfile.TemporaryDirectory() as broker,
    ):
        calls = _build(database, many=many + WARM, rounds=rounds + 1)
        queries = _queries(database)
        with _server(database, broker) as port:
            for name, of in calls.items():
                report.races.append(_race(name, of, port=port, many=many, rounds=rounds,
                                          database=database, report=report))  # fmt: skip
        scratch.use(database)
        report.flaws += [f"audit: {each.detail}" for each in auditing.audit().findings]
        connection.close()
    verdict = "met" if queries <= MOST_QUERIES else "MISSED"
    report.told.append(
        f"{queries} queries a purchase beside BEGIN and COMMIT, target at most {MOST_QUERIES}:"
        f" {verdict}"
    )
    report.facts["queries_a_purchase"] = queries
    return report


def _race(
    name: str, of: Calls, *, port: int, many: int, rounds: int, database: str, report: Report
) -> races.Race:
    latencies: dict[str, list[float]] = {"": [], SIGNED_IN: [], NOTHING: []}
    answered: dict[str, int] = {}

    def side(
        instead: str, label: str, target: float | None = None, stretch: float | None = None
    ) -> races.Side:
        numbers = iter(range(1_000))

        def run() -> float:
            seconds, took = _storm(of, next(numbers), many=many, port=port, instead=instead)
            latencies[instead] += took
            answered[instead] = len(took)
            return seconds

        return races.Side(
            name=label,
            run=run,
            units=many * CALLERS,
            outcome=lambda: {"answers": sameness.Digest(answered[instead], "")},
            target=target,
            stretch=stretch,
        )

    before = _entries(database)
    race = races.race(
        name,
        unit="calls",
        sides=[
            side("", name),
            side(SIGNED_IN, "nothing, signed in", target=0.4, stretch=0.65),
            side(NOTHING, "nothing, not asking who"),
        ],
        rounds=rounds,
        at_least={"answers": many * CALLERS},
    )
    written = _entries(database) - before
    if written != (many + WARM) * CALLERS * (rounds + 1):
        raise sameness.NotTheSameWork(f"{name}: {written} entries were written.")
    for instead, label in (("", name), (SIGNED_IN, "nothing, signed in")):
        p50, p95 = (quantiles(latencies[instead], n=100)[n - 1] * 1_000 for n in (50, 95))
        said = f"{label}: median {p50:.0f} ms, p95 {p95:.0f} ms at {CALLERS} callers"
        if not instead:
            verdict = "met" if p95 < MOST_P95_MS else "MISSED"
            said += f", target p95 under {MOST_P95_MS} ms: {verdict}"
            report.facts[f"{name}_ms"] = {"p50": round(p50, 1), "p95": round(p95, 1)}
        report.told.append(said)
    return race


def _storm(
    of: Calls, number: int, *, many: int, port: int, instead: str
) -> tuple[float, list[float]]:
    """Seconds until all are answered, and those of each answer."""
    with tempfile.TemporaryDirectory() as folder:

        def prepare(caller: int) -> crews.Work:
            calls = of(number, caller)
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for call in calls[:WARM]:
                _ask(line, call, instead)

            def work() -> None:
                took = [_ask(line, call, instead) for call in calls[WARM : WARM + many]]
                (Path(folder) / str(caller)).write_text(json.dumps(took))

            return work

        connection.close()
        seconds = crews.together(CALLERS, prepare)
        took = [json.loads(path.read_text()) for path in Path(folder).iterdir()]
        return seconds, [each for one in took for each in one]


def _ask(line: http.client.HTTPConnection, call: Call, instead: str) -> float:
    body = json.dumps(call.body)
    before = time.perf_counter()
    line.request("POST", instead or call.path, body, call.headers)
    answer = line.getresponse()
    told = answer.read()
    took = time.perf_counter() - before
    said = json.loads(told)
    wanted = {"read": len(call.body)} if instead else call.expected
    if answer.status != 201 or {name: said.get(name) for name in wanted} != wanted:
        raise sameness.NotTheSameWork(f"{call.path}: {answer.status} {told[:300]!r}")
    return took


@contextlib.contextmanager
def _server(database: str, broker: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as web:
        port = web.getsockname()[1]
        process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "gunicorn"),
                *("tests.benchmarks.http_server:application", f"--bind=fd://{web.fileno()}"),
                *(f"--workers={WORKERS}", "--worker-class=gthread", "--threads=4"),
                *("--no-control-socket", "--log-level=error", "--keep-alive=60"),
            ],
            cwd=scratch.CHECKOUT,
            pass_fds=[web.fileno()],
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "CAIRN_BENCH_DATABASE": database,
                "CAIRN_BENCH_BROKER": broker,
                "LOG_LEVEL": "WARNING",
            },
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait()


def _entries(database: str) -> int:
    scratch.use(database)
    count = Entry.objects.exclude(kind=Entry.Kind.GRANTED).count()
    connection.close()
    return count


def _build(database: str, *, many: int, rounds: int) -> dict[str, Calls]:
    """Members, places, a reward, and what each caller asks in each round."""
    walkers = -(-many // VISITS)
    members = 1 + CALLERS * (1 + walkers * rounds)
    now = datetime.now(UTC)
    with scratch.connect(database) as builder:
        world.add_members(builder, members)
        world.add_product(builder)
        world.open_accounts(builder)
    scratch.use(database)
    # A street for each walker: who goes where others go at the same time looks like a farm.
    Place.objects.bulk_create(
        _place(walker, number) for walker in range(CALLERS, members) for number in range(VISITS)
    )
    factories.reward(points=10)
    people = list(Member.objects.order_by("pk"))
    _, key = keys.issue(name="till", scopes=[ApiKey.Scope.PURCHASES], store=None, now=now)
    till = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}
    phones = [_phone(one, now) for one in people[:-1]]
    for one in people[:CALLERS]:
        with ledger.open_book([one.pk], now=now, with_lots=True) as book:
            book.earn(member_id=one.pk, points=10 * many * rounds, at=now, kind=Entry.Kind.GRANTED)
    connection.close()
    scratch.settle(database)

    def buy(number: int, caller: int) -> Sequence[Call]:
        return [_purchase(f"{number}-{caller}-{n}", people[caller], till) for n in range(many)]

    def visit(number: int, caller: int) -> Sequence[Call]:
        first = CALLERS + (number * CALLERS + caller) * walkers
        return [_check_in(first + n // VISITS, n % VISITS, phones) for n in range(many)]

    def redeem(number: int, caller: int) -> Sequence[Call]:
        call = Call("/api/v1/redemptions/", phones[caller], {"reward": "tenner"}, {})
        return [call] * many

    return {"purchase": buy, "check-in": visit, "redemption": redeem}


def _phone(of: Member, now: datetime) -> Headers:
    token = signing_in.token_for(member=of, now=now)
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _purchase(reference: str, by: Member, till: Headers) -> Call:
    body = factories.purchase_body(
        by, reference=reference, lines=[{"sku": world.SKU, "quantity": 2, "unit_price": "10.00"}]
    )
    return Call("/api/v1/purchases/", {**till, "Idempotency-Key": reference}, body, {"points": 20})


def _place(walker: int, number: int) -> Place:
    """Along one street, so that nobody is too fast between two calls."""
    return places.frame(
        Place(
            code=f"p{walker}-{number}",
            name="Peak",
            latitude=30 + walker / 100,
            longitude=-105 + number / 10_000,
            radius_m=150.0,
        )
    )


def _check_in(walker: int, number: int, phones: Sequence[Headers]) -> Call:
    place = _place(walker, number)
    body = {
        "latitude": place.latitude + 0.0001,
        "longitude": place.longitude,
        "accuracy_m": 30,
        "occurred_at": (datetime.now(UTC) - timedelta(seconds=5)).isoformat(),
        "place": place.code,
    }
    expected = {"status": "awarded", "points": 50}
    return Call("/api/v1/check-ins/", phones[walker], body, expected)


def _queries(database: str) -> int:
    """Of a purchase through its view, counted in this process; of the second one, as in a shop."""
    scratch.use(database)
    buyer = Member.objects.order_by("-pk")[0]
    client: APIClient = factories.till("purchases")
    for _ in range(2):
        body = factories.purchase_body(buyer)
        with CaptureQueriesContext(connection) as asked:
            headers = {"Idempotency-Key": body["reference"]}
            answer = client.post("/api/v1/purchases/", body, headers=headers)
        if answer.status_code != 201:
            raise sameness.NotTheSameWork(f"A purchase was answered with {answer.status_code}.")
    assert Account.objects.get(pk=buyer.pk).balance == 40
    connection.close()
    return len(asked) - sum(each["sql"] in {"BEGIN", "COMMIT"} for each in asked)
