"""/me/: the member's profile, card, points, statement, export and farewell."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty.models import Entry
from members.models import Member
from tests import factories

API = "/api/v1/me/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member(
        email="Alex@example.com", phone="+14155552671", family_name="Lee", postal_code="84101",
        country="US", home_store=factories.store(),
    )  # fmt: skip


def test_profile_has_tier_balance_and_what_is_known(alex: Member, phone: APIClient) -> None:
    factories.tier("silver", 100)
    factories.buy(alex, "120", occurred_at=timezone.now())
    answer = phone.get(API)
    assert answer.json() == {
        "number": alex.number, "given_name": "Alex", "family_name": "Lee",
        "email": "Alex@example.com", "phone": "+14155552671", "birth_date": None,
        "locale": "en", "time_zone": "America/Denver", "home_store": "denver",
        "joined_at": alex.joined_at.isoformat(), "tier": "silver", "balance": 120,
        "address": {
            "street": "", "city": "Salt Lake City", "postal_code": "84101",
            "county": "Salt Lake County", "region": "UT", "country": "US",
        },
    }  # fmt: skip


def test_change_says_the_profile_anew(alex: Member, phone: APIClient) -> None:
    answer = phone.patch(API, {"given_name": "Kim", "postal_code": "96701"})
    said = answer.json()
    assert (said["given_name"], said["family_name"]) == ("Kim", "Lee")
    assert (said["address"]["city"], said["time_zone"]) == ("Aiea", "Pacific/Honolulu")
    assert phone.get(API).json() == said


@pytest.mark.parametrize("field", ["email", "phone", "number", "tier", "balance", "stage"])
def test_some_things_are_not_the_members_to_change(
    alex: Member, phone: APIClient, field: str
) -> None:
    answer = phone.patch(API, {field: "x"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{field}"


def test_card_is_a_picture_of_the_number(phone: APIClient) -> None:
    answer = phone.get(f"{API}card.png")
    assert answer["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_export_is_everything_and_only_ten_times_an_hour(alex: Member, phone: APIClient) -> None:
    factories.buy(factories.member(), "20")
    factories.buy(alex, "10")
    answers = [phone.get(f"{API}export/") for _ in range(11)]
    assert [one.status_code for one in answers] == [200] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    purchases = answers[0].json()["loyalty.purchase"]
    assert [purchase["total"] for purchase in purchases] == ["10.00"]


def test_points_say_what_there_is_and_what_is_next(alex: Member, phone: APIClient) -> None:
    now = timezone.now()
    factories.tier("silver", 100)
    factories.buy(alex, "40", occurred_at=now)
    factories.grant(alex, 5, expires_at=now + timedelta(days=9), now=now)
    soon = (now + timedelta(days=9)).astimezone(factories.zone_of(alex)).date().isoformat()
    said = phone.get(f"{API}points/").json()
    assert datetime.fromisoformat(said.pop("projected_at")) > now
    assert said == {
        "available": 45, "pending": 0, "spendable": 45, "debt": 0, "household": 0,
        "expiring": [{"points": 5, "on": soon}],
        "tier": None, "next_tier": "silver", "points_to_next_tier": 60,
        "tier_kept_until": None, "projected_tier": None,
    }  # fmt: skip


def test_points_of_somebody_new_are_none(phone: APIClient) -> None:
    said = phone.get(f"{API}points/").json()
    del said["projected_at"]
    assert said == {
        "available": 0, "pending": 0, "spendable": 0, "debt": 0, "household": 0, "expiring": [],
        "tier": None, "next_tier": None, "points_to_next_tier": None,
        "tier_kept_until": None, "projected_tier": None,
    }  # fmt: skip


def test_statement_is_newest_first_with_the_rule_behind_each(
    alex: Member, phone: APIClient
) -> None:
    factories.buy(alex, "40")
    factories.spend(alex, 15)
    rows = phone.get(f"{API}points/entries/").json()["results"]
    assert [(row["kind"], row["amount"], row["balance_after"], row["rule"]) for row in rows] == [
        ("spent", -15, 25, None), ("earned", 40, 40, "Purchases"),
    ]  # fmt: skip


def test_statement_pages_to_its_end_without_gap_or_repeat(alex: Member, phone: APIClient) -> None:
    for points in range(1, 8):
        factories.grant(alex, points)
    seen: list[int] = []
    link: str | None = f"{API}points/entries/?limit=3"
    while link:
        page = phone.get(link).json()
        seen += [row["amount"] for row in page["results"]]
        link = page["next"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "cursor=WzEsMiwzXQ=="])
def test_page_that_cannot_be_is_refused(phone: APIClient, query: str) -> None:
    answer = phone.get(f"{API}points/entries/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_erasing_ends_every_session(alex: Member, phone: APIClient) -> None:
    other = factories.app(alex)
    assert phone.delete(API).status_code == 204
    assert [one.get(API).status_code for one in (phone, other)] == [401, 401]


# --- What it costs ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "queries"), [("", 9), ("points/", 7), ("points/entries/", 2), ("card.png", 1)]
)
def test_queries_are_as_many_for_an_old_member_as_for_a_new_one(
    alex: Member, phone: APIClient, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    factories.tier("silver", 10_000)
    for purchases in (1, 50):
        for _ in range(purchases):
            factories.buy(alex, "10")
        with django_assert_num_queries(queries):
            assert phone.get(API + path).status_code == 200
    assert Entry.objects.count() == 51


def test_refusal_of_a_strange_name_points_at_it(alex: Member, phone: APIClient) -> None:
    answer = phone.put(f"{API}interests/", {"interests": {"~x": 0.5}}, format="json")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/interests/~0x"]
