"""The plumbing every operation stands on, tried with tiny views of its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from django.views.decorators.csrf import csrf_protect
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as drf
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, serializers, writes
from config.errors import Invalid, NotFound, Refusal
from members import keys, signing_in
from members.models import Interest, Member

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


class Line(serializers.StrictSerializer):
    sku = drf.CharField(max_length=10)
    quantity = drf.IntegerField(min_value=1)


class Facts(serializers.StrictSerializer):
    note = drf.CharField(required=False)
    amount = drf.DecimalField(max_digits=12, decimal_places=2, required=False)
    lines = Line(many=True, required=False)


class Echo(APIView):
    permission_classes = [AllowAny]

    @extend_schema(request=Facts, responses=Facts)
    def post(self, request: Request) -> Response:
        facts = serializers.read(Facts, request)
        return Response({name: repr(value) for name, value in facts.items()})


class NoPoints(Refusal):
    code = "insufficient_points"


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _raise(exception: Exception) -> None:
    raise exception


ACCIDENTS: dict[str, Callable[[], object]] = {
    "refusal": lambda: _raise(
        NoPoints("You have 10 points.", missing=40, price=Decimal("1.50"), status=7)
    ),
    "invalid": lambda: _raise(Invalid("Too far north.", pointer="/latitude")),
    "refused-missing": lambda: _raise(NotFound("No such voucher.")),
    "missing": lambda: _raise(Http404("No Member matches the given query.")),
    "forbidden": lambda: _raise(PermissionDenied()),
    "busy": lambda: _sql("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(5)"),
    "overflow": lambda: _sql("SELECT 9223372036854775807::bigint + 1"),
    "nul": lambda: Interest.objects.filter(slug="a\x00").exists(),
    "field": lambda: Interest(slug="not a slug", name="").full_clean(),
    "constraint": lambda: Interest.objects.bulk_create(Interest(slug="x") for _ in range(2)),
    "bug": lambda: _raise(RuntimeError()),
}


class Raising(APIView):
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request, what: str) -> Response:
        ACCIDENTS[what]()
        return Response({})


class Mine(APIView):
    @extend_schema(request=None, responses=Facts)
    def get(self, request: Request) -> Response:
        return Response({"member": callers.member_of(request).number})


class Till(APIView):
    permission_classes = [callers.has_scope("purchases")]

    @extend_schema(request=Facts, responses=Facts)
    def post(self, request: Request, reference: str) -> Response:
        facts = serializers.read(Facts, request)

        def do() -> tuple[int, dict[str, Any]]:
            interest = Interest.objects.create(slug=f"i{Interest.objects.count()}", name="x")
            if facts.get("note") == "refused":
                raise NoPoints("Not enough.")
            return 201, {"slug": interest.slug, "amount": facts.get("amount"), "at": NOW}

        return writes.answer_once(request, do)


class Either(APIView):
    permission_classes = [callers.IsMember | callers.has_scope("interactions")]

    @extend_schema(request=None, responses=Facts)
    def get(self, request: Request) -> Response:
        return Response({"caller": callers.caller_of(request)})


class Guess(APIView):
    permission_classes = [AllowAny]
    throttle_scope = "guess"

    @extend_schema(request=None, responses=Facts)
    def get(self, request: Request) -> Response:
        return Response({})


class InterestShape(drf.ModelSerializer[Interest]):
    class Meta:
        model = Interest
        fields = ["slug"]


class Interests(ListAPIView[Interest]):
    permission_classes = [AllowAny]
    serializer_class = InterestShape
    queryset = Interest.objects.all()
    ordering = "-name"


@csrf_protect
def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST["x"])


urlpatterns = [
    path("api/v1/echo/", Echo.as_view()),
    path("api/v1/raising/<str:what>/", Raising.as_view()),
    path("api/v1/mine/", Mine.as_view()),
    path("api/v1/till/<str:reference>/", Till.as_view()),
    path("api/v1/either/", Either.as_view()),
    path("api/v1/guess/", Guess.as_view()),
    path("api/v1/interests/", Interests.as_view()),
    path("api/v1/form/", form),
    path("", include("config.urls")),
]
handler400 = "config.api.handlers.bad_request"
handler403 = "config.api.handlers.forbidden"
handler404 = "config.api.handlers.missing"
handler500 = "config.api.handlers.broken"

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def alex() -> Member:
    return Member.objects.create(
        number="A1", email="alex@x.org", email_key="alex@x.org", zone="UTC", joined_at=NOW
    )


@pytest.fixture
def bearer(alex: Member) -> str:
    return f"Bearer {signing_in.token_for(member=alex, now=NOW)}"


@pytest.fixture
def till() -> str:
    return "Api-Key " + keys.issue(name="till", scopes=["purchases"], store=None, now=NOW)[1]


def post(client: Client, path: str, body: bytes | str, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


# --- Bodies -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"note": "\xff"}',
        b'\xef\xbb\xbf{"note": "bom"}',
        b'{"note": "a", "note": "b"}',
        b'{"lines": [{"sku": "a", "sku": "a", "quantity": 1}]}',
        b'{"amount": NaN}',
        b'{"amount": -Infinity}',
        b'{"amount": 1e400}',
        b'{"amount": 1e-400}',
        b'{"amount": 1e999999999999999999999}',
        b'{"amount": 9223372036854775808}',
        b'{"amount": ' + b"9" * 5000 + b"}",
        b'{"amount": 0.' + b"1" * 5000 + b"}",
        b'{"note": "\\u0000"}',
        b'{"note": "\\ud800"}',
        b'{"no\\u0000te": "a"}',
        b'{"note": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"note": ' + b'{"a":' * 40 + b"1" + b"}" * 41,
    ],
)
def test_body_that_cannot_be_read_one_way_only_is_refused(client: Client, body: bytes) -> None:
    response = post(client, "/api/v1/echo/", body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response["Content-Type"] == "application/problem+json"


def test_body_over_a_megabyte_is_too_large(client: Client) -> None:
    response = post(client, "/api/v1/echo/", b'{"note": "' + b"a" * 1_048_576 + b'"}')
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_body_that_is_not_json_is_an_unsupported_media_type(client: Client) -> None:
    response = client.post("/api/v1/echo/", {"note": "a form"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_fraction_arrives_exactly_as_it_was_written(client: Client) -> None:
    response = post(client, "/api/v1/echo/", '{"amount": 1234567890.12, "note": "😀"}')
    assert response.json() == {"amount": "Decimal('1234567890.12')", "note": "'😀'"}


# --- Shapes -------------------------------------------------------------------------------------
def test_unknown_and_wrong_fields_are_named_by_pointer(client: Client) -> None:
    body = '{"points": 5, "a/b~c": 1, "lines": [{"sku": "a", "quantity": 1}, {"quantity": 0.5}]}'
    response = post(client, "/api/v1/echo/", body)
    errors = {(error["pointer"], error["code"]) for error in response.json()["errors"]}
    assert response.status_code == 400
    assert errors == {
        ("/points", "unknown"),
        ("/a~1b~0c", "unknown"),
        ("/lines/1/sku", "required"),
        ("/lines/1/quantity", "invalid"),
    }


def test_single_error_is_said_in_the_detail(client: Client) -> None:
    response = post(client, "/api/v1/echo/", '{"price": 1}')
    assert response.json()["detail"] == "/price: There is no such field here."


# --- Problems -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("refusal", 409, "insufficient_points"),
        ("invalid", 400, "invalid"),
        ("refused-missing", 404, "not_found"),
        ("missing", 404, "not_found"),
        ("forbidden", 403, "permission_denied"),
        ("busy", 503, "try_again"),
        ("overflow", 400, "invalid"),
        ("nul", 400, "invalid"),
        ("field", 400, "invalid"),
        ("constraint", 409, "conflict"),
        ("bug", 500, "broken"),
    ],
)
def test_exception_becomes_a_problem(client: Client, what: str, status: int, code: str) -> None:
    client.raise_request_exception = False
    response = client.get(f"/api/v1/raising/{what}/")
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert problem["type"] == f"urn:cairn:problem:{code}"
    assert {"title", "detail", "request_id"} <= problem.keys()
    assert problem["request_id"]


def test_refusal_carries_its_facts_but_not_over_the_shape(client: Client) -> None:
    problem = client.get("/api/v1/raising/refusal/").json()
    assert (problem["missing"], problem["price"], problem["status"]) == (40, "1.50", 409)


def test_invalid_fact_is_pointed_at(client: Client) -> None:
    problem = client.get("/api/v1/raising/invalid/").json()
    expected = {"pointer": "/latitude", "code": "invalid", "detail": "Too far north."}
    assert problem["errors"] == [expected]


def test_pointer_to_a_name_with_signs_of_its_own_is_escaped(client: Client) -> None:
    body = {"a~b/c": {"d": "\0"}}
    problem = client.post("/api/v1/echo/", body, content_type="application/json").json()
    assert [error["pointer"] for error in problem["errors"]] == ["/a~0b~1c/d"]


def test_missing_row_does_not_tell_the_models_name(client: Client) -> None:
    assert "Member" not in client.get("/api/v1/raising/missing/").json()["detail"]


def test_busy_database_says_when_to_come_back(client: Client) -> None:
    assert client.get("/api/v1/raising/busy/")["Retry-After"] == "1"


def test_unknown_address_under_api_is_a_problem_and_elsewhere_a_page(client: Client) -> None:
    assert client.get("/api/v1/nowhere/").json()["code"] == "not_found"
    assert client.get("/nowhere/")["Content-Type"].startswith("text/html")


def test_wrong_method_is_a_problem(client: Client) -> None:
    response = client.delete("/api/v1/echo/")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_foreign_host_is_a_problem(client: Client) -> None:
    response = client.get("/api/v1/guess/", headers={"host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_missing_csrf_token_is_a_problem() -> None:
    response = Client(enforce_csrf_checks=True).post("/api/v1/form/", {"x": "1"})
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_oversized_form_is_too_large(client: Client) -> None:
    response = client.post(
        "/api/v1/form/", "x=" + "a" * 1_048_577, content_type="application/x-www-form-urlencoded"
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


# --- Callers ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer nonsense", "Api-Key nonsense", "Api-Key \xff", "Basic YTpi"],
)
def test_nobody_known_is_challenged(client: Client, authorization: str) -> None:
    response = client.get("/api/v1/mine/", headers={"authorization": authorization})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="cairn", Api-Key realm="cairn"'


def test_member_is_who_the_token_says(client: Client, bearer: str) -> None:
    response = client.get("/api/v1/mine/", headers={"authorization": bearer})
    assert response.json() == {"member": "A1"}


@pytest.mark.parametrize("change", ["erased", "inactive"])
def test_member_who_is_gone_is_nobody(
    client: Client, alex: Member, bearer: str, change: str
) -> None:
    if change == "erased":
        Member.objects.update(erased_at=NOW)
    else:
        assert alex.user is not None
        type(alex.user).objects.update(is_active=False)
    assert client.get("/api/v1/mine/", headers={"authorization": bearer}).status_code == 401


def test_key_is_no_member_and_member_is_no_key(client: Client, bearer: str, till: str) -> None:
    assert client.get("/api/v1/mine/", headers={"authorization": till}).status_code == 403
    response = post(client, "/api/v1/till/1/", "{}", authorization=bearer)
    assert response.status_code == 403
    assert response.json()["detail"] == "This needs an Api-Key with the scope 'purchases'."


def test_scopes_can_be_joined_with_members(client: Client, alex: Member, bearer: str) -> None:
    other = keys.issue(name="shop", scopes=["interactions"], store=None, now=NOW)
    callers_seen = [
        client.get("/api/v1/either/", headers={"authorization": authorization}).json()
        for authorization in (bearer, f"Api-Key {other[1]}")
    ]
    expected = [f"member:{alex.pk}", f"key:{other[0].prefix}"]
    assert callers_seen == [{"caller": caller} for caller in expected]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "9.9.9.9", "10.0.0.1"),
        (1, "6.6.6.6, 9.9.9.9", "9.9.9.9"),
        (2, "9.9.9.9", "10.0.0.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "nonsense", "unknown"),
    ],
)
def test_forwarded_address_counts_only_from_our_proxies(
    settings: Any, rf: Any, proxies: int, forwarded: str, expected: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert callers.address_of(request) == expected


# --- Throttles ----------------------------------------------------------------------------------
def test_caller_above_the_rate_is_told_when_to_come_back(client: Client, bearer: str) -> None:
    statuses = [client.get("/api/v1/guess/").status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    refused = client.get("/api/v1/guess/")
    assert (refused.json()["code"], 0 < int(refused["Retry-After"]) <= 60) == ("throttled", True)
    other = client.get("/api/v1/guess/", headers={"authorization": bearer})
    assert other.status_code == 200


# --- Lists --------------------------------------------------------------------------------------
def test_pages_show_every_row_once_in_order_whatever_the_ties(client: Client) -> None:
    Interest.objects.all().delete()
    for number in range(7):
        Interest.objects.create(slug=f"s{number}", name=f"name {number // 3}")
    slugs, address = [], "/api/v1/interests/?limit=2"
    while address:
        page = client.get(address).json()
        slugs += [row["slug"] for row in page["results"]]
        address = page["next"]
    assert slugs == ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]


def test_limit_is_cut_at_a_hundred(client: Client) -> None:
    Interest.objects.bulk_create(Interest(slug=f"n{n}", name="n") for n in range(120))
    page = client.get("/api/v1/interests/?limit=1000").json()
    assert len(page["results"]) == 100


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=²",
        "limit=" + "9" * 5000,
        "cursor=x",
        "cursor=é",
        "cursor=e30=",
        "cursor=WzEsMiwzXQ==",
        "cursor=WyJhIiwgIngiXQ==",
        "cursor=WyJcdTAwMDAiLCAiMSJd",
    ],
)
def test_limit_or_cursor_of_ones_own_making_is_refused(client: Client, query: str) -> None:
    response = client.get(f"/api/v1/interests/?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


# --- Keyed writes -------------------------------------------------------------------------------
def test_same_key_and_body_gets_the_first_answer_again(client: Client, till: str) -> None:
    headers = {"authorization": till, "idempotency-key": "k 1"}
    first = post(client, "/api/v1/till/1/", '{"note": "a", "amount": 2.50}', **headers)
    again = post(client, "/api/v1/till/1/", '{"amount":2.50,  "note":"a"}', **headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["amount"] == "2.50"
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("address", "body"), [("1", '{"note": "b"}'), ("2", '{"note": "a"}')], ids=["body", "route"]
)
def test_same_key_for_another_request_is_a_conflict(
    client: Client, till: str, address: str, body: str
) -> None:
    headers = {"authorization": till, "idempotency-key": "k"}
    post(client, "/api/v1/till/1/", '{"note": "a"}', **headers)
    response = post(client, f"/api/v1/till/{address}/", body, **headers)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_conflict")


def test_same_key_of_another_caller_is_another_key(client: Client, till: str) -> None:
    other = "Api-Key " + keys.issue(name="b", scopes=["purchases"], store=None, now=NOW)[1]
    slugs = [
        post(
            client, "/api/v1/till/1/", "{}", authorization=caller, **{"idempotency-key": "k"}
        ).json()["slug"]
        for caller in (till, other)
    ]
    assert slugs[0] != slugs[1]


def test_refused_write_keeps_neither_key_nor_anything_else(client: Client, till: str) -> None:
    headers = {"authorization": till, "idempotency-key": "k"}
    before = Interest.objects.count()
    refused = post(client, "/api/v1/till/1/", '{"note": "refused"}', **headers)
    assert (refused.status_code, Interest.objects.count()) == (409, before)
    assert post(client, "/api/v1/till/1/", '{"note": "a"}', **headers).status_code == 201


@pytest.mark.parametrize("key", ["", "a" * 256, "ä", "a\tb"])
def test_key_that_is_not_printable_ascii_is_refused(client: Client, till: str, key: str) -> None:
    headers = {"authorization": till, "idempotency-key": key}
    assert post(client, "/api/v1/till/1/", "{}", **headers).status_code == 400


def test_write_without_a_key_runs_each_time(client: Client, till: str) -> None:
    statuses = [
        post(client, "/api/v1/till/1/", "{}", authorization=till).status_code for _ in range(2)
    ]
    assert statuses == [201, 201]


# --- The document -------------------------------------------------------------------------------
def test_document_is_valid_openapi_without_a_warning(tmp_path: Any) -> None:
    target = str(tmp_path / "openapi.yml")
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--urlconf", __name__, "--file", target
    )


def test_document_says_what_every_keyed_write_shares(client: Client) -> None:
    document = client.get("/api/v1/schema/?format=json").json()
    operation = document["paths"]["/api/v1/till/{reference}/"]["post"]
    assert document["openapi"] == "3.1.0"
    assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}
    expected = {"200", "201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"}
    assert set(operation["responses"]) | {"200", "201"} == expected
    assert operation["security"] == [{"integrator": []}]
    assert document["components"]["schemas"]["LineRequest"]["additionalProperties"] is False


def test_docs_page_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs/").content.decode()
    assert "https://" not in page
    assert "/static/drf_spectacular_sidecar/" in page
