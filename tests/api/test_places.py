"""/places/ and /check-ins/: where to go, and having been there."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from geopy.distance import distance
from rest_framework.test import APIClient

from loyalty.models import CheckIn
from members.models import Member
from tests import factories
from tests.factories import PEAK

PLACES, CHECK_INS = "/api/v1/places/", "/api/v1/check-ins/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member()


def near(phone: APIClient, **said: Any) -> list[dict[str, Any]]:
    here = {name: PEAK[name] for name in ("latitude", "longitude")}
    rows: list[dict[str, Any]] = phone.get(PLACES, {**here, **said}).json()["results"]
    return rows


def check_in(phone: APIClient, **said: Any) -> Any:
    facts = {**PEAK, "accuracy_m": 10, "occurred_at": timezone.now().isoformat(), **said}
    return phone.post(CHECK_INS, facts)


# --- Near me ----------------------------------------------------------------------------------
def test_place_is_shown_with_its_distance_and_points(phone: APIClient) -> None:
    factories.place(latitude=PEAK["latitude"] + 0.01, interests=["hiking"], points=70)
    assert near(phone) == [
        {
            "code": "peak", "name": "Peak", "latitude": PEAK["latitude"] + 0.01,
            "longitude": PEAK["longitude"], "distance_m": pytest.approx(960.4, abs=1),
            "interests": ["hiking"], "points": 70,
        }
    ]  # fmt: skip


def test_places_come_nearest_first_within_the_distance(phone: APIClient) -> None:
    for code, off in (("far", 0.5), ("b", 0.02), ("a", 0.01)):
        factories.place(code, latitude=PEAK["latitude"] + off)
    assert [row["code"] for row in near(phone)] == ["a", "b"]
    assert [row["code"] for row in near(phone, radius_km=100)] == ["a", "b", "far"]
    assert near(phone, radius_km=0.5) == []


@pytest.mark.parametrize(
    "query",
    [
        {}, {"latitude": 1}, {"latitude": 91, "longitude": 0}, {"latitude": 0, "longitude": 181},
        {"latitude": "nan", "longitude": 0}, {"latitude": 0, "longitude": "nan"},
        {"latitude": "inf", "longitude": 0}, {"latitude": "x", "longitude": 0},
        {"latitude": 0, "longitude": 0, "radius_km": 201},
        {"latitude": 0, "longitude": 0, "radius_km": "nan"},
        {"latitude": 0, "longitude": 0, "radius_km": 0},
        {"latitude": 0, "longitude": 0, "points": 5},
        {"latitude": "0\x00", "longitude": 0},
    ],
)  # fmt: skip
def test_position_that_cannot_be_is_refused(phone: APIClient, query: dict[str, Any]) -> None:
    answer = phone.get(PLACES, query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize(("latitude", "longitude"), [(90, 0), (-90, 180), (0, 180), (0, -180)])
def test_ends_of_the_earth_are_on_it(phone: APIClient, latitude: float, longitude: float) -> None:
    factories.place("end", latitude=latitude, longitude=longitude)
    assert [row["code"] for row in near(phone, latitude=latitude, longitude=longitude)] == ["end"]


# --- Being there ------------------------------------------------------------------------------
def test_being_there_gives_fifty_points_and_the_balance(phone: APIClient) -> None:
    factories.place()
    answer = check_in(phone)
    row = CheckIn.objects.get()
    assert (answer.status_code, answer.json()) == (201, {
        "id": row.pk, "status": "awarded", "reason": "ok", "place": "peak", "place_name": "Peak",
        "distance_m": 0.0, "points": 50, "balance": 50,
        "explanation": "Welcome to Peak! Your points are in your account.",
    })  # fmt: skip


def test_same_check_in_again_under_its_key_is_the_same(phone: APIClient) -> None:
    factories.place()
    body = {**PEAK, "accuracy_m": 10, "occurred_at": timezone.now().isoformat(), "nonce": "n"}
    answers = [
        phone.post(CHECK_INS, body, headers={"Idempotency-Key": "k"}).json() for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[1]["balance"] == 50
    assert CheckIn.objects.count() == 1


def test_three_kilometres_away_gives_nothing_and_says_so(phone: APIClient) -> None:
    factories.place()
    there = distance(meters=3_000).destination((PEAK["latitude"], PEAK["longitude"]), 45)
    answer = check_in(phone, latitude=there.latitude, longitude=there.longitude)
    said = answer.json()
    assert (answer.status_code, said["status"], said["reason"]) == (201, "no_award", "too_far")
    assert (said["points"], said["balance"]) == (0, 0)
    assert said["distance_m"] == pytest.approx(3_000, abs=1)
    assert "3.0 km from Peak" in said["explanation"]


@pytest.mark.parametrize(
    ("said", "reason"), [({"mocked": True}, "mocked"), ({"accuracy_m": 500}, "accuracy_poor")]
)
def test_weak_signal_is_held_and_says_so(
    phone: APIClient, said: dict[str, Any], reason: str
) -> None:
    factories.place()
    answer = check_in(phone, **said).json()
    assert (answer["status"], answer["reason"], answer["points"]) == ("held", reason, 0)
    assert "points pending" in answer["explanation"]


def test_offline_check_in_brings_its_own_time(phone: APIClient) -> None:
    factories.place()
    earlier = (timezone.now() - timedelta(hours=5)).isoformat()
    assert check_in(phone, occurred_at=earlier).json()["reason"] == "late"
    assert CheckIn.objects.get().occurred_at.isoformat() == earlier


def test_used_nonce_is_a_conflict(phone: APIClient) -> None:
    factories.place()
    check_in(phone, nonce="n")
    answer = check_in(phone, nonce="n")
    assert (answer.status_code, answer.json()["code"]) == (409, "nonce_used")


def test_unknown_place_is_not_found(phone: APIClient) -> None:
    answer = check_in(phone, place="atlantis")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_nowhere_is_recorded_without_a_place(phone: APIClient) -> None:
    said = check_in(phone).json()
    assert (said["reason"], said["place"], said["distance_m"]) == ("nowhere", None, None)


# --- What it costs ----------------------------------------------------------------------------
def test_fifty_places_ask_as_often_as_one(phone: APIClient, django_assert_num_queries: Any) -> None:
    for places in (1, 49):
        for n in range(places):
            factories.place(f"p{places}-{n}", interests=["hiking"])
        with django_assert_num_queries(5):
            near(phone)
    assert len(near(phone)) == 50


def test_check_in_costs_the_same_among_fifty_places(
    phone: APIClient, alex: Member, django_assert_num_queries: Any
) -> None:
    factories.buy(alex, "5")
    for n in range(50):
        factories.place(f"p{n}", radius_m=1_000.0 + n, interests=["hiking"])
    factories.place(interests=["hiking", "snow"])
    with django_assert_num_queries(14 + 2):
        said = phone.post(
            CHECK_INS,
            {**PEAK, "accuracy_m": 10, "occurred_at": timezone.now().isoformat()},
            headers={"Idempotency-Key": "k"},
        )
    assert said.json()["place"] == "peak"
