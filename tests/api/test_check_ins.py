"""/check-ins/ through HTTP: one's own, a day offline at once, and appeals."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty.models import Appeal, CheckIn
from members.models import Member
from tests import factories
from tests.factories import PEAK

API = "/api/v1/check-ins/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    factories.place(interests=["hiking"])
    return factories.member()


def report(*, minutes_ago: int = 0, step: int = 0, **said: Any) -> dict[str, Any]:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    here = {**PEAK, "latitude": PEAK["latitude"] + step * 0.00001}
    return {**here, "accuracy_m": 10, "occurred_at": at.isoformat(), **said}


# --- One's own --------------------------------------------------------------------------------
def test_own_check_ins_come_newest_first_with_the_reason_in_words(phone: APIClient) -> None:
    phone.post(API, report(minutes_ago=60, step=1))
    phone.post(API, report())
    phone.post(f"{API}{CheckIn.objects.order_by('pk')[0].pk}/appeal/", {"text": "No signal."})
    appeal = Appeal.objects.get()
    first, second = CheckIn.objects.order_by("-occurred_at")
    shown = phone.get(API).json()
    assert shown["next"] is None
    assert shown["results"] == [
        {
            "id": first.pk, "occurred_at": first.occurred_at.isoformat().replace("+00:00", "Z"),
            "status": "awarded", "reason": "ok",
            "explanation": "Welcome to Peak! Your points are in your account.",
            "place": "peak", "place_name": "Peak", "distance_m": 0.0, "points": 50,
            "may_appeal": False, "appeal": None,
        },
        {
            "id": second.pk, "occurred_at": second.occurred_at.isoformat().replace("+00:00", "Z"),
            "status": "held", "reason": "late",
            "explanation": ("You checked in at Peak while offline, so somebody takes a look first:"
                            " points pending."),
            "place": "peak", "place_name": "Peak", "distance_m": second.distance_m, "points": 0,
            "may_appeal": False,
            "appeal": {
                "made_at": appeal.made_at.isoformat().replace("+00:00", "Z"), "decided_at": None,
                "is_upheld": None,
            },
        },
    ]  # fmt: skip


def test_nobody_elses_are_shown(phone: APIClient) -> None:
    factories.app(factories.member()).post(API, report())
    assert phone.get(API).json()["results"] == []


def test_list_pages_and_asks_as_often_for_many_as_for_one(
    phone: APIClient, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        phone.post(API, report(minutes_ago=5 + number, step=number))
    for limit in (1, 3):
        with django_assert_num_queries(3):
            assert len(phone.get(API, {"limit": limit}).json()["results"]) == limit
    link = phone.get(API, {"limit": 2}).json()["next"]
    assert len(phone.get(link).json()["results"]) == 1


# --- A day offline ----------------------------------------------------------------------------
def test_many_are_answered_each_as_alone(phone: APIClient) -> None:
    reports = [
        report(step=2, minutes_ago=1),
        report(step=1, minutes_ago=120),
        report(place="atlantis"),
        report(latitude=0.0, longitude=0.0),
    ]
    answer = phone.post(f"{API}bulk/", {"check_ins": reports})
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [
        (one["status"], (one["check_in"] or one["problem"]).get("reason")) for one in results
    ] == [(201, "ok"), (201, "late"), (404, None), (201, "nowhere")]  # fmt: skip
    assert results[2]["problem"]["code"] == "not_found"
    assert results[0]["check_in"]["balance"] == 50
    assert CheckIn.objects.count() == 3


def test_many_are_judged_in_the_order_of_time(phone: APIClient) -> None:
    reports = [report(step=2), report(step=1, minutes_ago=1)]
    results = phone.post(f"{API}bulk/", {"check_ins": reports}).json()["results"]
    assert [one["check_in"]["reason"] for one in results] == ["already_today", "ok"]


def test_nonce_used_twice_in_one_batch_is_refused_the_second_time(phone: APIClient) -> None:
    reports = [report(minutes_ago=9, nonce="n"), report(nonce="n", step=1), report(step=2)]
    results = phone.post(f"{API}bulk/", {"check_ins": reports}).json()["results"]
    assert [one["status"] for one in results] == [201, 409, 201]
    assert results[1]["problem"]["code"] == "nonce_used"


def test_same_batch_again_under_its_key_is_the_same(phone: APIClient) -> None:
    body = {"check_ins": [report(nonce="n"), report(place="atlantis")]}
    first, again = (
        phone.post(f"{API}bulk/", body, headers={"Idempotency-Key": "k"}).json() for _ in range(2)
    )
    assert first == again
    assert CheckIn.objects.count() == 1


@pytest.mark.parametrize("many", [0, 51])
def test_none_and_too_many_are_refused(phone: APIClient, many: int) -> None:
    answer = phone.post(f"{API}bulk/", {"check_ins": [report()] * many})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/check_ins")
    assert not CheckIn.objects.exists()


def test_one_that_cannot_be_read_stops_them_all_and_is_named(phone: APIClient) -> None:
    answer = phone.post(f"{API}bulk/", {"check_ins": [report(), report(latitude=91)]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/check_ins/1/latitude"
    assert not CheckIn.objects.exists()


# --- Appeals ----------------------------------------------------------------------------------
def test_appeal_is_made_once(phone: APIClient) -> None:
    pk = phone.post(API, report(mocked=True)).json()["id"]
    assert phone.get(API).json()["results"][0]["may_appeal"] is True
    answer = phone.post(f"{API}{pk}/appeal/", {"text": "I was there."})
    assert answer.status_code == 201
    assert answer.json()["check_in"] == pk
    again = phone.post(f"{API}{pk}/appeal/", {"text": "Really."})
    assert (again.status_code, again.json()["code"]) == (409, "already_appealed")


def test_anothers_check_in_and_none_at_all_are_not_told_apart(phone: APIClient) -> None:
    other = factories.app(factories.member()).post(API, report(mocked=True)).json()["id"]
    for pk in (other, other + 999, 2**63):
        answer = phone.post(f"{API}{pk}/appeal/", {"text": "Mine."})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not Appeal.objects.exists()
