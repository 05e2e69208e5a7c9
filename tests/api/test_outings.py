"""/outings/ through HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import outings
from loyalty.models import Outing
from tests import factories

API = "/api/v1/outings/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def ridge() -> Outing:
    return factories.outing(
        starts_at=timezone.now() + timedelta(minutes=30), capacity=2, interests=["hiking"],
        place=factories.place(),
    )  # fmt: skip


def test_outings_say_all_there_is_to_know(phone: APIClient, ridge: Outing) -> None:
    assert phone.get(API).json() == {
        "next": None,
        "results": [
            {
                "code": "ridge", "name": "Ridge", "description": "",
                "starts_at": ridge.starts_at.isoformat(), "ends_at": ridge.ends_at.isoformat(),
                "place": "peak", "store": None, "interests": ["hiking"], "seats_left": 2,
                "points": 100, "registration": None,
            }
        ],
    }  # fmt: skip


def test_signing_up_and_off(phone: APIClient, ridge: Outing) -> None:
    answer = phone.post(f"{API}ridge/registration/")
    assert (answer.status_code, answer.json()) == (201, {"outing": "ridge", "state": "registered"})
    assert phone.delete(f"{API}ridge/registration/").status_code == 204
    (shown,) = phone.get(API).json()["results"]
    assert (shown["registration"], shown["seats_left"]) == ("cancelled", 2)


def test_coming_is_paid_in_the_answer_and_once(phone: APIClient, ridge: Outing) -> None:
    proof = {"code": outings.code_of(outing=ridge, at=timezone.now())}
    first, again = (phone.post(f"{API}ridge/attendance/", proof) for _ in range(2))
    said = {"outing": "ridge", "points": 100, "balance": 100}
    assert (first.status_code, first.json()) == (201, said)
    assert (again.status_code, again.json()) == (200, said)


def test_wrong_code_is_refused_and_guessing_is_slowed(phone: APIClient, ridge: Outing) -> None:
    answers = [phone.post(f"{API}ridge/attendance/", {"code": "ZZZZZZ"}) for _ in range(60)]
    assert answers[0].json()["code"] == "attendance_code_wrong"
    assert answers[-1].status_code == 429


@pytest.mark.parametrize("path", ["moon/registration/", "moon/attendance/"])
def test_unknown_outing_is_404(phone: APIClient, path: str) -> None:
    said = {"code": "ZZZZZZ"} if "attendance" in path else None
    assert phone.post(API + path, said).status_code == 404


def test_list_asks_as_often_for_many_as_for_one(
    phone: APIClient, ridge: Outing, django_assert_num_queries: Any
) -> None:
    for number in (1, 30):
        factories.outing(f"more-{number}", starts_at=ridge.starts_at, interests=["hiking", "snow"])
        with django_assert_num_queries(6):
            assert phone.get(API).status_code == 200
