"""Whatever the OpenAPI document allows, and what it forbids, sent to every operation it names.

Schemathesis makes the requests from the document. No answer may be a 5xx, have a status or a media
type that the operation does not declare, or a body that its schema does not describe.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode, checks
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from config.wsgi import application
from loyalty import rewards
from tests import factories

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
LEAST = 1  # cases of an operation in each mode


@dataclass(slots=True)
class Fuzz:
    """`problems` tell what was wrong with which operation, once each with an example."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)


def run(*, cases: int, first_seed: int) -> Fuzz:
    """About so many cases over all operations, as a member and as an integrator.

    Call it within a transaction: what each case did is undone after it.
    """
    with connection.cursor() as cursor:  # Making up a case may take a while.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    load_all_checks()
    found = Fuzz()
    document = _document()
    with _connection_kept():
        _all(found, document, cases=cases, first_seed=first_seed)
    return found


@contextmanager
def _connection_kept() -> Iterator[None]:
    """Requests leave the connection open, and with it our transaction, as Django's client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def _all(found: Fuzz, document: dict[str, Any], *, cases: int, first_seed: int) -> None:
    schema = schemathesis.openapi.from_dict(document)
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    callers = _callers()
    each = max(cases // (len(operations) * len(callers) * len(MODES)), LEAST)
    round_ = 0
    while not round_ or found.cases < cases:  # Of some operations there are not so many.
        for operation in operations:
            for caller, headers in callers.items():
                for mode in MODES:
                    start = zlib.crc32(f"{first_seed} {round_} {operation.label} {caller}".encode())
                    _fuzz(operation, mode, headers, caller=caller, cases=each, start=start,
                          found=found)  # fmt: skip
        round_ += 1


def _document() -> dict[str, Any]:
    """As served, but for who may ask: we say that ourselves, and true."""
    document: dict[str, Any] = Client().get("/api/v1/schema/?format=json").json()
    for item in document["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    return document


def _callers() -> Mapping[str, dict[str, str]]:
    """Alex, who has something of everything, and a till that may do all."""
    alex = factories.member(email="alex@example.com")
    factories.place(interests=["hiking"])
    factories.product("tent", interests=["hiking"])
    factories.reward()
    factories.grant(alex, 1_000)
    rewards.redeem(member=alex, slug="tenner", now=factories.NOW)
    factories.buy(alex, factories.line("20", sku="tent"), reference="r1")
    factories.inbox_message(alex)
    phone, till = factories.app(alex), factories.till()
    return {
        "member": {"Authorization": phone.defaults["HTTP_AUTHORIZATION"]},
        "integrator": {"Authorization": till.defaults["HTTP_AUTHORIZATION"]},
    }


def _fuzz(
    operation: Any,
    mode: GenerationMode,
    headers: dict[str, str],
    *,
    caller: str,
    cases: int,
    start: int,
    found: Fuzz,
) -> None:
    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        cache.clear()  # Rate limits have tests of their own.
        with factories.undone():
            answer = case.call(headers=headers, app=application, base_url="http://testserver")
        found.cases += 1
        found.statuses[answer.status_code] += 1
        found.operations.add(operation.label)
        for problem in _problems(case, answer):
            name = f"{operation.label} as {caller}: {problem}"
            found.problems.setdefault(name, f"{case.as_curl_command()}  ->  {answer.status_code}")

    try:
        ask()
    except Exception as error:  # noqa: BLE001 - an operation nothing can be generated for, or ours
        if type(error).__name__ != "Unsatisfiable":
            name = f"{operation.label} as {caller}: {type(error).__name__}"
            found.problems.setdefault(name, str(error)[:300])


def _problems(case: Any, answer: Any) -> Iterator[str]:
    try:
        case.validate_response(
            answer,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )
    except FailureGroup as group:
        for failure in group.exceptions:
            yield f"{type(failure).__name__} {answer.status_code}"
