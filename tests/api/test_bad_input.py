"""Every write of the API against everything that must not get in.

A 4xx in the one shape, and not a row more or less in any table. The list is that of the
programme's promises; the writes and what they accept stand in `routes`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from members.models import Interaction, Member
from tests import factories
from tests.api.routes import API, WITH_BODY, Scene, Write, ready
from tests.factories import PEAK

pytestmark = pytest.mark.django_db

EVERY_WRITE = pytest.mark.parametrize("name", WITH_BODY)

NO_OBJECTS = {
    "empty": b"",
    "unclosed": b"{",
    "list": b"[]",
    "text": b'"text"',
    "number": b"7",
    "null": b"null",
    "not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a form": b"a=1&b=2",
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "1e400": b'{"a": 1e400}',
    "2^63": b'{"a": 9223372036854775808}',
    "5,000 digits": b'{"a": ' + b"9" * 5_000 + b"}",
    "NUL": b'{"a": "\\u0000"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "duplicate names": b'{"a": 1, "a": 2}',
    "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"a": ' * 10_000 + b"1" + b"}" * 10_000,
    "33 levels": b'{"a": ' * 33 + b"1" + b"}" * 33,
    "two megabytes": b'{"a": "' + b"x" * 2_000_000 + b'"}',
}

NO_TEXT: list[Any] = [None, 5, True, [], {}, "", " ", "a\x00", "\ud800", "x" * 7_000]
NO_NUMBER: list[Any] = [None, True, "", "ten", "NaN", [], {}, 2**63, -(2**63), 10**40]
# Moments, but nothing of ours happened then.
NO_TIME: list[Any] = [
    "1066-10-14T09:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
    "2999-01-01T00:00:00+00:00",
]  # fmt: skip
NO_MOMENT: list[Any] = [
    *NO_TEXT, "yesterday", "2026-01-01", "2026-01-01T10:00:00", "2026-13-01T10:00:00+00:00",
    *NO_TIME, "2026-01-01T25:00:00+00:00",
]  # fmt: skip
NO_FLAG: list[Any] = [None, 0, 1, "", "true", "no", [], {}]
WRONG: dict[str, list[Any]] = {
    "stars": [*NO_NUMBER, "5", 4.5, 0, 6, -1],
    "latitude": [*NO_NUMBER, "40", 90.1, -90.1],
    "longitude": [*NO_NUMBER, "40", 180.1, -180.1],
    "accuracy_m": [*NO_NUMBER, "40", -0.1, 100_000.1],
    "points": [*NO_NUMBER, "5", 1.5, 0, -1, 2**31],
    "minutes": [*NO_NUMBER, "5", 1.5, 0, -1, 31],
    "hours": [*NO_NUMBER, "5", 1.5, 0, -1, 73],
    "session": [*NO_NUMBER, "5", 1.5, 0, -1],
    "household": [*NO_NUMBER, "5", 1.5, 0, -1],
    "quantity": [*NO_NUMBER, "2", 1.5, 0, -1, 2**31, 1_000_001],
    "unit_price": [*NO_NUMBER, -0.01, "-1", "0.001", "Infinity", 10**10],
    "value": [*NO_NUMBER, -0.01, "-1", "0.001", "Infinity", 10**10],
    "hiking": [*NO_NUMBER, "1", -0.1, 1.1],
    "occurred_at": NO_MOMENT,
    "joined_at": NO_MOMENT,
    "counted_at": NO_MOMENT,
    "expected_on": [*NO_TEXT, "1066-10-14", "2999-01-01", "2027-02-30", "15.04.2027", 20270415],
    "paused_until": [5, True, [], {}, "", "tomorrow", "2026-01-01T10:00:00"],
    "birth_date": [*NO_TEXT, "1066-10-14", "2999-01-01", "1990-02-30", "04.05.1990", 19900504],
    "mocked": NO_FLAG,
    "marketing": NO_FLAG,
    "email_opt_in": NO_FLAG,
    "email": [*NO_TEXT, "nobody", "a@b", "a@example.com\nBcc: b@example.com", "a b@example.com"],
    "phone": [*NO_TEXT, "12", "+1 000 000", "call me"],
    "time_zone": [*NO_TEXT, "Mars/Olympus", "localtime", "../../etc/passwd"],
    "country": [*NO_TEXT, "Narnia", "XX"],
    "labels": [*NO_TEXT, "not a slug!"],
    "currency": [*NO_TEXT, "usd", "US", "USDX", "US1", "ABC"],
    "platform": [*NO_TEXT, "toaster"],
    "endpoint": [*NO_TEXT, "http://fcm.googleapis.com/x", "https://cairn.example/x"],
    "p256dh": [*NO_TEXT, "BNcRdreALRFX", "B" * 87],
    "auth": [*NO_TEXT, "c2VjcmV0", "*" * 22],
    "expirationTime": [*NO_NUMBER, "5", -1],
    "preferred_channel": [*NO_TEXT, "pigeon"],
    "kind": [*NO_TEXT, "purchase", "check-in", "yodel"],
    "interest": [*NO_TEXT, "chess"],
    "place": [*NO_TEXT, "nowhere"],
    "reward": [*NO_TEXT, "nothing"],
    "id": [*NO_TEXT, "1", "urn:uuid:00000000-0000-4000-8000-000000000001"],
    "member": [*NO_TEXT, "99", "nobody@example.com", "erased-1"],
}
# What is wrong elsewhere and right here.
RIGHT: dict[str, dict[str, list[Any]]] = {
    "change profile": {
        "given_name": ["", " "], "time_zone": ["", " "], "street": ["", " "],
        "postal_code": ["", " "], "country": ["", " ", "XX"], "birth_date": [None],
    },
    "change preferences": {"preferred_channel": [""], "frequency": [None], "most": [5]},
    "report own interactions": {"place": ["nowhere"]},
    "report interactions": {"place": ["nowhere"]},
    # Each of many is answered for itself; what cannot even be read stops them all.
    "check in later": {"place": ["nowhere"], "occurred_at": NO_TIME},
    "enrol": {"country": ["XX"]},
    "buy": {"sku": ["", " "]},
    "answer survey": {"score": [5]},
    "buy many": {"sku": ["", " "]},
    "sync till": {"sku": ["", " "], "kind": ["purchase"]},
    "count stock": {"quantity": [0]},
    "return": {},
    "add browser": {"expirationTime": [None]},
    # Whatever is not the member's is left alone.
    "remove browser": {"endpoint": ["http://fcm.googleapis.com/x", "https://cairn.example/x"]},
    "invite to household": {"member": ["99", "nobody@example.com", "erased-1"]},
}  # fmt: skip

type Path = tuple[str | int, ...]


@pytest.fixture(autouse=True)
def unthrottled() -> None:
    cache.clear()


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value within a body, the containers too, and where it stands."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in inside:
        yield (*path, key), below
        if isinstance(below, dict | list):
            yield from parts(below, (*path, key))


def with_value(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed: Any = deepcopy(body)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return dict(changed)


def slipped_in(
    name: str, bodies: Callable[[Scene], Iterable[tuple[object, Any]]]
) -> list[tuple[object, int]]:
    """Of the labelled bodies those that were not refused as they must be; nothing is stored."""
    write, scene = ready(name)
    tried = list(bodies(scene))
    write.client(scene)
    write.path(scene)
    before = factories.row_counts()
    slipped = [(label, status) for label, body in tried if (status := told(write, scene, body))]
    assert slipped or factories.row_counts() == before
    return slipped


def told(write: Write, scene: Scene, body: Any) -> int:
    """0 where the body is refused as a problem, else the status it was answered with."""
    cache.clear()  # Or soon everything would be refused for being too much.
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if write.each else {"Idempotency_Key": "k"}  # Else all are one after the first.
    answer = write.send(scene, raw, **headers)
    status = int(answer.status_code)
    if status == 200 and write.each:
        if write.kept_in:
            write.kept_in._default_manager.all().delete()
        said = [one.get("problem", {}).keys() for one in answer.json()[write.each]]
        return 0 if all(keys >= {"code", "detail"} for keys in said) else status
    if not 400 <= status < 500 or answer["Content-Type"] != "application/problem+json":
        return status
    problem = answer.json()
    shape = {"type", "title", "status", "code", "detail", "request_id"}
    return 0 if shape <= problem.keys() and problem["status"] == status else status


# --- Whatever the operation -------------------------------------------------------------------
@EVERY_WRITE
def test_body_that_is_no_object_of_json_is_refused(name: str) -> None:
    assert slipped_in(name, lambda scene: NO_OBJECTS.items()) == []


@EVERY_WRITE
def test_value_that_cannot_be_is_refused_wherever_it_stands(name: str) -> None:
    def bodies(scene: Scene) -> Iterator[tuple[object, Any]]:
        body = WITH_BODY[name].body
        assert body is not None
        good = body(scene)
        for path, value in parts(good):
            field = next(str(key) for key in reversed(path) if isinstance(key, str))
            if isinstance(value, dict):
                wrong: list[Any] = [None, 5, True, "x", [], [{}]]
            elif isinstance(value, list):
                wrong = [None, 5, True, "x", {}, {"0": {}}, [[]], [None]]
            else:
                wrong = WRONG.get(field, NO_TEXT)
            right = RIGHT.get(name, {}).get(field, [])
            for bad in wrong:
                if bad not in right or isinstance(bad, bool):
                    yield (path, repr(bad)[:40]), with_value(good, path, bad)

    assert slipped_in(name, bodies) == []


@EVERY_WRITE
def test_field_that_nobody_knows_is_refused_at_every_depth(name: str) -> None:
    def bodies(scene: Scene) -> Iterator[tuple[object, Any]]:
        body = WITH_BODY[name].body
        assert body is not None
        good = body(scene)
        yield (), {**good, "balance": 1_000}
        for path, value in parts(good):
            if isinstance(value, dict):
                yield path, with_value(good, path, {**value, "balance": 1_000})

    assert slipped_in(name, bodies) == []


@EVERY_WRITE
def test_nothing_but_json_is_read(name: str) -> None:
    write, scene = ready(name)
    path = API + write.path(scene)
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        answer = write.client(scene).generic(write.method, path, "{}", content_type=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("raw", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_sign_in_reads_as_strictly(raw: bytes) -> None:
    before = factories.row_counts()
    for path in ("code/request", "code/confirm", "tokens/refresh", "2fa/authenticate"):
        answer = APIClient().post(f"{API}/auth/{path}/", raw, content_type="application/json")
        assert 400 <= answer.status_code < 500
    assert factories.row_counts() == before


# --- One operation's own ----------------------------------------------------------------------
def refused(name: str, **changes: Any) -> tuple[str, list[str]]:
    """The code and the pointers of what is said to the body with these changes."""
    write, scene = ready(name)
    assert write.body is not None
    body = {**write.body(scene), **changes}
    write.client(scene)
    write.path(scene)
    before = factories.row_counts()
    answer = write.send(scene, body)
    assert 400 <= answer.status_code < 500
    assert factories.row_counts() == before
    problem = answer.json()
    return problem["code"], [error["pointer"] for error in problem.get("errors", [])]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"latitude": PEAK["longitude"], "longitude": PEAK["latitude"]}, "/latitude"),
        ({"latitude": -122.4903, "longitude": 37.8372}, "/latitude"),
        ({"longitude": "NaN"}, "/longitude"),
        ({"nonce": "n" * 65}, "/nonce"),
    ],
)
def test_check_in_that_cannot_be_names_its_field(changes: dict[str, Any], pointer: str) -> None:
    assert refused("check in", **changes) == ("invalid", [pointer])


def lines(**said: Any) -> dict[str, Any]:
    return {"lines": [{"sku": "A", "quantity": 1, "unit_price": "1", **said}]}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"member": "nobody@example.com"}, "/member"),
        ({"store": "atlantis"}, "/store"),
        ({"channel": "store"}, "/store"),
        ({"currency": "usd"}, "/currency"),
        ({"currency": "ABC"}, "/currency"),
        ({"lines": []}, "/lines"),
        (lines(quantity=0), "/lines/0/quantity"),
        (lines(quantity=1.5), "/lines/0/quantity"),
        (lines(unit_price="-1"), "/lines/0/unit_price"),
        (lines(unit_price="0.001"), "/lines/0/unit_price"),
        (lines(points=5), "/lines/0/points"),
        ({"lines": lines()["lines"] * 501}, "/lines"),
        (lines(quantity=1_000_000, unit_price="9999999999.99"), "/lines"),
        ({"vouchers": ["x"] * 11}, "/vouchers"),
        ({"occurred_at": (timezone.now() + timedelta(days=2)).isoformat()}, "/occurred_at"),
    ],
)
def test_purchase_that_cannot_be_names_its_field(changes: dict[str, Any], pointer: str) -> None:
    assert refused("buy", **changes) == ("invalid", [pointer])


def test_purchase_worth_more_points_than_can_be_counted_is_refused() -> None:
    assert refused("buy", **lines(unit_price="9999999999.99"))[0] == "invalid"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"lines": [{"sku": "tent", "quantity": 4}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "boot", "quantity": 1}]}, "/lines/0/quantity"),
        ({"lines": [{"sku": "tent", "quantity": 2}] * 2}, "/lines/1/quantity"),
        ({"occurred_at": (timezone.now() + timedelta(days=2)).isoformat()}, "/occurred_at"),
    ],
)
def test_return_that_cannot_be_names_its_field(changes: dict[str, Any], pointer: str) -> None:
    assert refused("return", **changes) == ("invalid", [pointer])


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"kind": "purchase"}, "/interactions/1/kind"),
        ({"interest": "chess"}, "/interactions/1/interest"),
        ({"member": "10000016"}, "/interactions/1/member"),
        ({"occurred_at": "2999-01-01T00:00:00+00:00"}, "/interactions/1/occurred_at"),
        ({"reference": ""}, "/interactions/1/reference"),
    ],
)
def test_one_bad_interaction_stops_them_all_and_is_named(
    item: dict[str, Any], pointer: str
) -> None:
    good = {"kind": "view", "occurred_at": timezone.now().isoformat(), "reference": "v1"}
    both = [good, {**good, "reference": "v2", **item}]
    code = "unknown_kind" if "kind" in item else "invalid"
    assert refused("report own interactions", interactions=both) == (code, [pointer])
    assert not Interaction.objects.exists()


def test_more_than_five_hundred_interactions_at_once_are_refused() -> None:
    good = {"kind": "view", "occurred_at": timezone.now().isoformat()}
    many = [{**good, "reference": str(n)} for n in range(501)]
    assert refused("report own interactions", interactions=many) == ("invalid", ["/interactions"])


def test_lookalike_of_an_enrolled_address_is_the_same_member() -> None:
    factories.member(email="alex@example.com")
    assert refused("enrol", email="ＡLEX@example.com") == ("member_exists", [])
    assert Member.objects.count() == 2


def test_reward_that_costs_more_than_there_is_is_refused() -> None:
    factories.reward("castle", points=1_000_000)
    assert refused("redeem", reward="castle") == ("insufficient_points", [])
