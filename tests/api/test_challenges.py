"""/challenges/, /collections/ and the page of a place, through HTTP."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import checkins
from loyalty.models import Challenge, CheckIn, EarnRule, Place
from members.models import Member
from tests import factories
from tests.factories import PEAK

API = "/api/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture
def peak() -> Place:
    return factories.place(interests=["hiking"], description="Two hours from the car park.")


def challenge(slug: str = "summer", **said: Any) -> Challenge:
    now = timezone.now()
    times = {"starts_at": now - timedelta(days=9), "ends_at": now + timedelta(days=9)}
    return factories.challenge(slug, **{**times, **said})


def go(by: Member, *, days_ago: int = 0, **said: Any) -> CheckIn:
    at = timezone.now() - timedelta(days=days_ago)
    here = {**PEAK, "latitude": PEAK["latitude"] + days_ago * 0.00001}
    report = checkins.Report(**{**here, "accuracy_m": 10.0, "occurred_at": at, **said})
    return checkins.check_in(member=by, report=report, now=at).check_in


def utc(moment: datetime) -> str:
    return moment.isoformat()


# --- Challenges -------------------------------------------------------------------------------
def test_challenges_say_all_there_is_to_know(phone: APIClient, alex: Member, peak: Place) -> None:
    row = challenge(
        how="distinct", unit="place", target=1, points=70, collection=factories.collection(
            "huts", peak
        ), picture="hut", interests=["hiking"], max_winners=5,
    )  # fmt: skip
    go(alex)
    (shown,) = phone.get(f"{API}/challenges/").json()["results"]
    assert shown == {
        "slug": "summer", "name": "Summer", "description": "", "picture": "hut",
        "starts_at": utc(row.starts_at), "ends_at": utc(row.ends_at), "counts": "check_in",
        "how": "distinct", "unit": "place", "forgiven": 0, "collection": "huts",
        "interests": ["hiking"], "progress": {"done": 1, "target": 1, "items": ["peak"]},
        "needs_joining": False, "joined_at": None,
        "completed_at": utc(CheckIn.objects.get().occurred_at), "winners_left": 4, "points": 70,
    }  # fmt: skip


def test_joining_is_answered_with_the_moment_and_shown(phone: APIClient) -> None:
    challenge(needs_joining=True)
    first, again = (phone.post(f"{API}/challenges/summer/join/") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    (shown,) = phone.get(f"{API}/challenges/").json()["results"]
    assert {"challenge": "summer", "joined_at": shown["joined_at"]} == first.json()


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"ends_at": timezone.now() - timedelta(days=1)}, 409, "challenge_over"),
        ({"is_open": False}, 404, "not_found"),
        ({"tiers": ["gold"]}, 404, "not_found"),
    ],
)
def test_joining_what_cannot_be_is_refused(
    phone: APIClient, said: dict[str, Any], status: int, code: str
) -> None:
    challenge(**said)
    answer = phone.post(f"{API}/challenges/summer/join/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_check_in_that_completes_one_answers_with_the_new_balance(
    phone: APIClient, peak: Place
) -> None:
    challenge(target=1, points=70)
    body = {**PEAK, "accuracy_m": 10, "occurred_at": timezone.now().isoformat()}
    answer = phone.post(f"{API}/check-ins/", body).json()
    assert (answer["points"], answer["balance"]) == (50, 120)


def test_list_asks_as_often_for_many_as_for_one(
    phone: APIClient, alex: Member, peak: Place, django_assert_num_queries: Any
) -> None:
    go(alex)
    huts = factories.collection("huts", peak)
    for number in (1, 30):
        for n in range(number):
            challenge(f"c{number}-{n}", collection=huts, target=3, interests=["hiking"])
        with django_assert_num_queries(8):
            assert phone.get(f"{API}/challenges/").status_code == 200


# --- Collections ------------------------------------------------------------------------------
def test_collections_say_how_many_places_one_has_been_to(
    phone: APIClient, alex: Member, peak: Place
) -> None:
    lake = factories.place("lake", latitude=41.0)
    factories.collection("huts", peak, lake, description="Of the valley")
    factories.collection("empty")
    factories.collection("secret", peak, is_shown=False)
    first, _ = go(alex, days_ago=2), go(alex, days_ago=1)
    go(factories.member(), latitude=41.0)
    shown = phone.get(f"{API}/collections/").json()
    assert shown == {
        "next": None,
        "results": [
            {"slug": "empty", "name": "Empty", "description": "", "places_count": 0,
             "visited_count": 0},
            {"slug": "huts", "name": "Huts", "description": "Of the valley", "places_count": 2,
             "visited_count": 1},
        ],
    }  # fmt: skip
    page = phone.get(f"{API}/collections/huts/").json()
    assert page == {
        **shown["results"][1],
        "places": [
            {"code": "lake", "name": "Lake", "latitude": 41.0, "longitude": PEAK["longitude"],
             "visited_at": None},
            {"code": "peak", "name": "Peak", "latitude": PEAK["latitude"],
             "longitude": PEAK["longitude"], "visited_at": utc(first.occurred_at)},
        ],
    }  # fmt: skip


@pytest.mark.parametrize("slug", ["secret", "moon"])
def test_collection_that_is_not_shown_is_not_found(phone: APIClient, slug: str) -> None:
    factories.collection("secret", is_shown=False)
    assert phone.get(f"{API}/collections/{slug}/").status_code == 404


@pytest.mark.parametrize(("path", "queries"), [("collections/", 2), ("collections/huts/", 4)])
def test_collections_ask_as_often_for_many_as_for_one(
    phone: APIClient, peak: Place, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    huts = factories.collection("huts", peak)
    for number in (1, 20):
        for n in range(number):
            factories.collection(f"c{number}-{n}", peak)
            huts.places.add(factories.place(f"p{number}-{n}"))
        with django_assert_num_queries(queries):
            assert phone.get(f"{API}/{path}").status_code == 200


# --- The page of a place ----------------------------------------------------------------------
def page(phone: APIClient) -> dict[str, Any]:
    found: dict[str, Any] = phone.get(f"{API}/places/peak/").json()
    return found


def offer(phone: APIClient) -> tuple[int, str]:
    found = page(phone)
    return found["points"], found["reason"]


def test_page_says_all_about_a_place(phone: APIClient, alex: Member, peak: Place) -> None:
    factories.collection("huts", peak)
    factories.collection("secret", peak, is_shown=False)
    factories.collection("others")
    challenge("here", interests=["hiking", "snow"])
    challenge("elsewhere", interests=["snow"])
    challenge("others", collection=factories.collection("far", factories.place("far", latitude=3)))
    challenge("bought", counts="purchase")
    last = [go(alex, days_ago=days) for days in (3, 2, 1)][-1]
    assert page(phone) == {
        "code": "peak", "name": "Peak", "description": "Two hours from the car park.",
        "latitude": PEAK["latitude"], "longitude": PEAK["longitude"], "radius_m": 150.0,
        "interests": ["hiking"], "points": 50, "reason": "", "explanation": "",
        "visits": {"count": 3, "last_at": utc(last.occurred_at)},
        "collections": [{"slug": "huts", "name": "Huts"}],
        "challenges": [{"slug": "here", "name": "Here"}],
    }  # fmt: skip


def test_place_one_has_been_to_today_gives_nothing_more_and_says_so(
    phone: APIClient, alex: Member, peak: Place
) -> None:
    go(alex)
    found = page(phone)
    assert (found["points"], found["reason"]) == (0, "already_today")
    assert found["explanation"] == (
        "You have already checked in at Peak today; see you another day."
    )


def test_place_without_points_says_so(phone: APIClient, peak: Place) -> None:
    Place.objects.update(points=0)
    assert offer(phone) == (0, "no_points_here")
    assert page(phone)["explanation"] == "Peak gives no points at present."


def test_closed_place_has_a_page_and_no_points(phone: APIClient, peak: Place) -> None:
    Place.objects.update(is_open=False)
    assert offer(phone) == (0, "closed")


@pytest.mark.parametrize(
    ("cap", "left"), [(50, (0, "limit_reached")), (70, (20, "")), (900, (50, ""))]
)
def test_offer_is_what_the_caps_leave(
    phone: APIClient, alex: Member, peak: Place, cap: int, left: tuple[int, str]
) -> None:
    EarnRule.objects.filter(slug="check-ins").update(member_cap=cap, member_cap_period="ever")
    go(alex, days_ago=1)
    assert offer(phone) == left


def test_rule_that_has_no_cap_offers_all_it_gives(phone: APIClient, peak: Place) -> None:
    EarnRule.objects.filter(slug="check-ins").update(member_cap=None)
    assert offer(phone) == (50, "")


def test_unknown_place_has_no_page(phone: APIClient) -> None:
    assert phone.get(f"{API}/places/moon/").status_code == 404


def test_page_asks_as_often_for_much_as_for_little(
    phone: APIClient, alex: Member, peak: Place, django_assert_num_queries: Any
) -> None:
    for many in (1, 9):
        for n in range(many):
            factories.collection(f"huts{many}-{n}", peak)
            challenge(f"c{many}-{n}", target=99)
            go(alex, days_ago=n + many)
        with django_assert_num_queries(11):
            page(phone)
