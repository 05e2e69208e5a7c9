"""What every write of the API has in common: who may, once, and the answer again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.cache import cache
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from members.models import IdempotencyKey
from tests import factories
from tests.api.routes import API, WRITES, Scene, ready

pytestmark = pytest.mark.django_db

KEYED = [name for name, write in WRITES.items() if write.is_keyed]


@pytest.fixture(autouse=True)
def unthrottled() -> None:
    cache.clear()


def routes() -> set[tuple[str, str]]:
    """(method, route) of every write that the API's views carry out."""

    def walk(patterns: Any, before: str) -> Any:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                yield route, getattr(pattern.callback, "cls", None)

    return {
        (method.upper(), "/" + route)
        for route, view in walk(get_resolver().url_patterns, "")
        if view is not None and route.startswith("api/v1/")
        for method in ("post", "put", "patch", "delete")
        if hasattr(view, method)
    }


def test_every_write_is_tried() -> None:
    known = {
        (write.method, API + path)
        for write in WRITES.values()
        for path in [
            write.path(cast("Scene", SimpleNamespace(
                receipt="<str:reference>", code="<str:code>", message="<int:message_id>",
                outing=SimpleNamespace(code="<str:code>"), hold="<str:hold>",
                redemption="<int:redemption_id>", household="<int:household_id>",
                device="<int:device_id>",
                climb="<str:slug>", session="<int:session_id>",
                survey="<str:slug>", post="<int:post_id>",
                to_pick_up="<str:reference>",
                challenge="<str:slug>", check_in="<int:check_in_id>",
            )))
        ]
    }  # fmt: skip
    # Mail providers sign in their own ways: tests/campaigns/test_webhooks.py.
    assert routes() == known | {("POST", f"{API}/webhooks/email/<str:provider>/")}


@pytest.mark.parametrize("name", WRITES)
def test_write_succeeds(name: str) -> None:
    write, scene = ready(name)
    assert write.send(scene).status_code == write.status


@pytest.mark.parametrize("name", WRITES)
def test_write_is_not_for_strangers_nor_for_the_other_kind(name: str) -> None:
    write, scene = ready(name)
    scene.app, scene.till = APIClient(), APIClient()
    assert write.send(scene).status_code == 401
    scene.app, scene.till = factories.till(), factories.app(scene.alex)
    # A member may report interactions too, but not of somebody by name.
    refused = 400 if "report" in name else 403
    assert write.send(scene).status_code == refused


@pytest.mark.parametrize("name", [name for name, write in WRITES.items() if write.by == "till"])
def test_key_without_the_scope_is_refused(name: str) -> None:
    write, scene = ready(name)
    others = {"purchases", "members", "interactions", "vouchers"} - {
        "vouchers" if "voucher" in name or "points" in name else "interactions" if "report" in name
        else "members" if name == "enrol" else "purchases"
    }  # fmt: skip
    scene.till = factories.till(*others)
    assert write.send(scene).status_code == 403


@pytest.mark.parametrize("name", [name for name in WRITES if not WRITES[name].body])
@pytest.mark.parametrize("body", [{"points": 1_000}, b"{", b"[1]", b"\x00", b"[" * 100_000])
def test_body_that_nobody_asked_for_is_refused(name: str, body: Any) -> None:
    write, scene = ready(name)
    write.path(scene)
    write.client(scene)
    before = factories.row_counts()
    answer = write.send(scene, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert factories.row_counts() == before


@pytest.mark.parametrize("name", KEYED)
def test_same_key_and_body_gets_the_first_answer_again(name: str) -> None:
    write, scene = ready(name)
    body = write.body(scene) if write.body else None
    first = write.send(scene, body, Idempotency_Key="k")
    before = factories.row_counts()
    again = write.send(scene, body, Idempotency_Key="k")
    assert (first.status_code, "Idempotent-Replayed" in first) == (write.status, False)
    assert again.status_code == first.status_code
    assert (again.content and again.json()) == (first.content and first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert factories.row_counts() == before


@pytest.mark.parametrize("name", [name for name in KEYED if WRITES[name].body])
def test_same_key_for_another_body_is_a_conflict(name: str) -> None:
    write, scene = ready(name)
    write.send(scene, Idempotency_Key="k")
    before = factories.row_counts()
    assert write.body is not None
    other = write.send(scene, changed(write.body(scene)), Idempotency_Key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert factories.row_counts() == before


def changed(body: dict[str, Any]) -> dict[str, Any]:
    """Another body that is as good."""
    first = next(iter(body))
    other = {
        "interests": {"hiking": 0.8}, "channels": {}, "latitude": 40.25, "reward": "other",
        "session": 2, "household": 2,
        "answers": {"score": 2},
        "check_ins": [{**one, "nonce": "n2"} for one in body.get("check_ins", [])],
        "interactions": [{**one, "reference": "i2"} for one in body.get("interactions", [])],
        "counts": [{**one, "quantity": 4} for one in body.get("counts", [])],
        "purchases": [{**one, "reference": "i2"} for one in body.get("purchases", [])],
        "occurred_at": timezone.now().isoformat(),
    }  # fmt: skip
    return {**body, first: other.get(first, "other@example.com")}


@pytest.mark.parametrize("name", KEYED)
def test_refused_write_keeps_no_key(name: str) -> None:
    write, scene = ready(name)
    if write.body:
        refused = write.send(scene, {"nonsense": 1}, Idempotency_Key="k")
        assert refused.status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert write.send(scene, Idempotency_Key="k").status_code == write.status


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "tab\t"])
def test_key_that_is_no_key_is_refused(key: str) -> None:
    write, scene = ready("buy")
    answer = write.send(scene, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_keys_of_two_callers_do_not_meet() -> None:
    write, scene = ready("buy")
    body = write.body(scene) if write.body else {}
    write.send(scene, body, Idempotency_Key="k")
    scene.till = factories.till()
    other = write.send(scene, body | {"reference": "other"}, Idempotency_Key="k")
    assert other.status_code == 201
