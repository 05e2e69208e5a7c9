"""/interactions/ and /recommendations/: what members do, and what to show them next."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from members.models import Interaction, Member, UnansweredInteraction
from tests import factories

INTERACTIONS, RECOMMENDATIONS = "/api/v1/interactions/", "/api/v1/recommendations/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member(email="alex@example.com")


def view(reference: str = "1", **said: Any) -> dict[str, Any]:
    facts = {"kind": "view", "occurred_at": timezone.now().isoformat(), "reference": reference}
    return {**facts, **said}


def report(by: APIClient, *items: dict[str, Any]) -> Any:
    return by.post(INTERACTIONS, {"interactions": list(items)})


def test_what_was_recorded_and_what_was_known_is_counted(phone: APIClient) -> None:
    answer = report(phone, view("1"), view("2"))
    assert (answer.status_code, answer.json()) == (202, {"recorded": 2, "repeated": 0, "points": 0})
    assert report(phone, view("2"), view("3")).json() == {"recorded": 1, "repeated": 1, "points": 0}


def test_product_category_place_and_word_all_teach(alex: Member, phone: APIClient) -> None:
    factories.product("tent", category="tents", interests=["camping"])
    factories.place(interests=["climbing"])
    report(phone, view(sku="tent", category="snow", place="peak", interest="hiking"))
    fact = Interaction.objects.get()
    slugs = ("camping", "climbing", "hiking", "snow")
    assert set(fact.interests) == {factories.interest(slug).pk for slug in slugs}
    assert (fact.member, fact.category) == (alex, "snow")


def test_integrator_names_the_member_of_each(alex: Member) -> None:
    kim = factories.member()
    till = factories.till("interactions")
    answer = report(till, view(member=alex.number), view(member="Alex@example.com", reference="2"),
                    view(member=kim.number))  # fmt: skip
    assert answer.json() == {"recorded": 3, "repeated": 0, "points": 0}
    assert Interaction.objects.filter(member=alex).count() == 2


@pytest.mark.parametrize("member", [{}, {"member": "99"}, {"member": "nobody@example.com"}])
def test_integrator_cannot_report_of_nobody(alex: Member, member: dict[str, str]) -> None:
    answer = report(factories.till("interactions"), view(member=alex.number), view(**member))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/interactions/1/member"
    assert not Interaction.objects.exists()


def test_member_cannot_report_of_another(phone: APIClient) -> None:
    answer = report(phone, view(member=factories.member().number))
    assert answer.json()["errors"][0]["pointer"] == "/interactions/0/member"


def test_old_reports_teach_but_wait_for_no_answer(phone: APIClient) -> None:
    old = (timezone.now() - timedelta(days=40)).isoformat()
    report(phone, view("1"), view("2", occurred_at=old))
    assert UnansweredInteraction.objects.count() == 1


def test_five_hundred_reports_cost_what_one_costs(
    phone: APIClient, django_assert_num_queries: Any
) -> None:
    factories.product("tent", interests=["camping"])
    for many in (1, 500):
        items = [view(f"{many}-{n}", sku="tent", interest="hiking") for n in range(many)]
        with django_assert_num_queries(9 + 2):
            answer = phone.post(
                INTERACTIONS, {"interactions": items}, headers={"Idempotency-Key": f"{many}"}
            )
        assert answer.json()["recorded"] == many


# --- Recommendations --------------------------------------------------------------------------
def recommended(phone: APIClient) -> list[tuple[str, str]]:
    rows = phone.get(RECOMMENDATIONS).json()["results"]
    return [(row["sku"], row["reason"]) for row in rows]


def test_what_was_looked_at_and_not_bought_comes_first(alex: Member, phone: APIClient) -> None:
    now = timezone.now()
    for sku in ("tent", "boot", "rope"):
        factories.product(sku, interests=["climbing"])
    report(phone, view(sku="tent"), view("2", sku="boot"))
    factories.buy(alex, factories.line("80", sku="tent"), occurred_at=now + timedelta(seconds=1))
    assert recommended(phone) == [
        ("boot", "You looked at it."), ("rope", "Members who love Climbing buy it."),
    ]  # fmt: skip


def test_what_lovers_of_the_same_buy_most_comes_first(alex: Member, phone: APIClient) -> None:
    now = timezone.now()
    for sku in ("a", "b", "c"):
        factories.product(sku, interests=["snow"])
    factories.product("d", interests=["hiking"])
    for one in factories.members(2):
        factories.buy(one, factories.line("80", sku="c"), occurred_at=now)
    phone.put("/api/v1/me/interests/", {"interests": {"snow": 1.0}})
    assert [sku for sku, _ in recommended(phone)] == ["c", "a", "b"]


def test_nobody_known_gets_nothing_recommended(phone: APIClient) -> None:
    factories.product("tent", interests=["camping"])
    assert recommended(phone) == []


def test_recommendations_cost_the_same_in_a_large_shop(
    alex: Member, phone: APIClient, django_assert_num_queries: Any
) -> None:
    phone.put("/api/v1/me/interests/", {"interests": {"snow": 1.0}})
    for products in (1, 49):
        for n in range(products):
            factories.product(f"p{products}-{n}", interests=["snow"])
        with django_assert_num_queries(5):
            phone.get(RECOMMENDATIONS)
