"""/members/: a till enrols somebody, and looks somebody up."""

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from members.models import ApiKey, Consent, Member
from tests import factories

MEMBERS, LOOKUP = "/api/v1/members/", "/api/v1/members/lookup/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> APIClient:
    cache.clear()
    return factories.till("members")


def test_enrolling_answers_with_the_number(till: APIClient) -> None:
    answer = till.post(MEMBERS, {"email": "ann@example.com", "postal_code": "96701",
                                 "country": "US", "labels": ["student", "student"]})  # fmt: skip
    member = Member.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "number": member.number, "home_store": None, "time_zone": "Pacific/Honolulu",
        "joined_at": member.joined_at.isoformat(),
    }  # fmt: skip
    assert member.labels == ["student"]


def test_opt_ins_are_recorded_with_the_key_as_their_source(till: APIClient) -> None:
    till.post(MEMBERS, {"number": "7", "email_opt_in": True, "sms_opt_in": False})
    said = Consent.objects.order_by("channel").values_list("channel", "action")
    assert list(said) == [("email", "granted"), ("sms", "withdrawn")]
    assert set(Consent.objects.values_list("source", flat=True)) == {
        f"key {ApiKey.objects.get().prefix}"
    }


def test_tills_key_enrols_into_its_own_store() -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    till = factories.till("members", at=denver)
    assert till.post(MEMBERS, {"number": "1"}).json()["home_store"] == "denver"
    assert till.post(MEMBERS, {"number": "2", "home_store": "denver"}).status_code == 201
    foreign = till.post(MEMBERS, {"number": "3", "home_store": boulder.code})
    unknown = till.post(MEMBERS, {"number": "3", "home_store": "atlantis"})
    assert (foreign.status_code, unknown.status_code) == (400, 400)
    assert foreign.json()["errors"][0]["pointer"] == "/home_store"
    assert foreign.json()["detail"].replace("boulder", "atlantis") == unknown.json()["detail"]


@pytest.mark.parametrize("twice", [{"email": "ann@example.com"}, {"phone": "+14155552671"},
                                   {"number": "4711"}])  # fmt: skip
def test_one_person_is_enrolled_once(till: APIClient, twice: dict[str, str]) -> None:
    assert till.post(MEMBERS, twice).status_code == 201
    answer = till.post(MEMBERS, twice)
    assert (answer.status_code, answer.json()["code"]) == (409, "member_exists")


@pytest.mark.parametrize(
    "asked",
    [
        {"number": "4711"}, {"email": "Ann@Example.com"}, {"email": "ＡNN@example.com"},
        {"phone": "+1 (415) 555-2671"},
    ],
)  # fmt: skip
def test_member_is_found_by_any_of_three(till: APIClient, asked: dict[str, str]) -> None:
    factories.member(number="4711", email="ann@example.com", phone="+14155552671",
                     given_name="Ann", family_name="Lee")  # fmt: skip
    answer = till.get(LOOKUP, asked)
    assert answer.status_code == 200
    assert answer.json() | {"joined_at": ""} == {
        "number": "4711", "given_name": "Ann", "family_name": "Lee", "home_store": None,
        "time_zone": "America/Denver", "joined_at": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"number": "4712"}, 404), ({"email": "nobody@example.com"}, 404),
        ({"phone": "+14155552671"}, 404), ({"phone": "12"}, 400), ({}, 400),
        ({"number": "4711", "email": "a@example.com"}, 400), ({"name": "Ann"}, 400),
        ({"number": "\x00"}, 400), ({"number": ""}, 400),
    ],
)  # fmt: skip
def test_nobody_is_found_by_anything_else(
    till: APIClient, asked: dict[str, str], status: int
) -> None:
    factories.member(number="4711")
    answer = till.get(LOOKUP, asked)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_queries_are_few(till: APIClient, django_assert_num_queries: Any) -> None:
    factories.member(number="4711")
    with django_assert_num_queries(2):
        till.get(LOOKUP, {"number": "4711"})
    with django_assert_num_queries(10):  # with BEGIN and COMMIT, twice
        till.post(MEMBERS, {"email": "ann@example.com", "email_opt_in": True})
