"""/purchases/: a till reports what was bought, and what came back."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import rewards
from loyalty.models import Entry, Purchase
from members.models import Member
from tests import factories

PURCHASES = "/api/v1/purchases/"
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member(email="alex@example.com")


@pytest.fixture
def till() -> APIClient:
    return factories.till("purchases")


def voucher_of(alex: Member) -> str:
    factories.grant(alex, 100, now=timezone.now())
    factories.reward()
    done = rewards.redeem(member=alex, slug="tenner", now=timezone.now())
    return done.code


# --- Buying -----------------------------------------------------------------------------------
@pytest.mark.parametrize("called", ["number", "email"])
def test_answer_has_the_awards_and_the_balance(alex: Member, till: APIClient, called: str) -> None:
    body = factories.purchase_body(alex, member=getattr(alex, called), reference="r1")
    answer = till.post(PURCHASES, body)
    because = "Purchases: 1 per 1 USD on 20.00 USD"
    assert (answer.status_code, answer.json()) == (201, {
        "reference": "r1", "points": 20, "balance": 20,
        "awards": [{"rule": "purchases", "points": 20, "because": because}],
    })  # fmt: skip


def test_same_receipt_again_without_a_key_is_answered_with_200(
    alex: Member, till: APIClient
) -> None:
    body = factories.purchase_body(alex)
    first, again = till.post(PURCHASES, body).json(), till.post(PURCHASES, body)
    assert again.status_code == 200
    assert {name: again.json()[name] for name in ("reference", "points", "balance")} == {
        name: first[name] for name in ("reference", "points", "balance")
    }
    assert Entry.objects.count() == 1


def test_same_receipt_with_other_content_is_a_conflict(alex: Member, till: APIClient) -> None:
    body = factories.purchase_body(alex)
    till.post(PURCHASES, body)
    answer = till.post(PURCHASES, body | {"currency": "EUR"})
    assert (answer.status_code, answer.json()["code"]) == (409, "purchase_conflict")


def test_voucher_is_used_up_in_the_same_answer(alex: Member, till: APIClient) -> None:
    body = factories.purchase_body(alex, vouchers=[voucher_of(alex)])
    assert till.post(PURCHASES, body).json()["points"] == 10
    other = till.post(PURCHASES, body | {"reference": "another"})
    assert (other.status_code, other.json()["code"]) == (409, "voucher_not_valid")
    assert Purchase.objects.count() == 1


def test_till_may_use_the_voucher_it_holds() -> None:
    alex = factories.member()
    code = voucher_of(alex)
    till, other = factories.till("purchases", "vouchers"), factories.till("purchases")
    till.post(f"/api/v1/vouchers/{code}/hold/")
    body = factories.purchase_body(alex, vouchers=[code])
    assert other.post(PURCHASES, body).status_code == 409
    assert till.post(PURCHASES, body).status_code == 201


def test_tills_key_buys_in_its_own_store_only(alex: Member) -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    till = factories.till("purchases", at=denver)
    in_the_store = {"channel": "store"}
    answers = [
        till.post(PURCHASES, factories.purchase_body(alex, **in_the_store, **said))
        for said in ({}, {"store": "denver"}, {"store": boulder.code}, {"store": "atlantis"})
    ]
    assert [one.status_code for one in answers] == [201, 201, 400, 400]
    assert answers[2].json()["errors"][0]["pointer"] == "/store"
    assert set(Purchase.objects.values_list("store", flat=True)) == {denver.pk}


def test_erased_member_cannot_be_named(alex: Member, till: APIClient) -> None:
    body = factories.purchase_body(alex, member=alex.number)
    factories.app(alex).delete("/api/v1/me/")
    for name in (alex.number, "alex@example.com", f"erased-{alex.pk}"):
        answer = till.post(PURCHASES, body | {"member": name})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/member")


# --- Bringing back ----------------------------------------------------------------------------
def bring_back(till: APIClient, reference: str, **said: Any) -> Any:
    body = {"reference": "x1", "lines": [{"sku": "tent", "quantity": 1}], **said}
    return till.post(f"{PURCHASES}{reference}/returns/", body)


def test_return_answers_with_what_it_took(alex: Member, till: APIClient) -> None:
    till.post(PURCHASES, factories.purchase_body(alex, reference="r1"))
    answer = bring_back(till, "r1")
    assert (answer.status_code, answer.json()) == (
        201, {"points_taken": 10, "debt": 0, "points_restored": 0, "balance": 10},
    )  # fmt: skip
    assert bring_back(till, "r1").status_code == 200


def test_points_that_were_spent_are_owed(alex: Member, till: APIClient) -> None:
    till.post(PURCHASES, factories.purchase_body(alex, reference="r1"))
    factories.spend(alex, 15, now=timezone.now())
    both = [{"sku": "tent", "quantity": 2}]
    assert bring_back(till, "r1", lines=both).json() == {
        "points_taken": 5, "debt": 15, "points_restored": 0, "balance": 0,
    }  # fmt: skip


def test_other_return_under_the_same_reference_is_a_conflict(alex: Member, till: APIClient) -> None:
    till.post(PURCHASES, factories.purchase_body(alex, reference="r1"))
    bring_back(till, "r1")
    answer = bring_back(till, "r1", lines=[{"sku": "tent", "quantity": 2}])
    assert (answer.status_code, answer.json()["code"]) == (409, "return_conflict")


def test_purchase_of_another_store_is_not_there(alex: Member) -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    factories.buy(alex, factories.line("20", sku="tent"), reference="r1", store=boulder)
    foreign = bring_back(factories.till("purchases", at=denver), "r1")
    unknown = bring_back(factories.till("purchases", at=denver), "r2")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert bring_back(factories.till("purchases", at=boulder), "r1").status_code == 201


# --- What it costs ----------------------------------------------------------------------------
@pytest.mark.parametrize("lines", [1, 50])
def test_purchase_costs_ten_statements(
    alex: Member, till: APIClient, django_assert_num_queries: Any, lines: int
) -> None:
    """Ten, and the two that open and close its transaction; however long the receipt is."""
    factories.product("tent", interests=["camping", "hiking"])
    till.post(PURCHASES, factories.purchase_body(alex))
    line = {"sku": "tent", "quantity": 1, "unit_price": "3.00"}
    body = factories.purchase_body(alex, lines=[line] * lines)
    with django_assert_num_queries(10 + 2):
        till.post(PURCHASES, body, headers={"Idempotency-Key": "k"})


def test_purchase_costs_one_statement_more_where_there_are_tiers(
    alex: Member, till: APIClient, django_assert_num_queries: Any
) -> None:
    factories.tier("silver", 10_000)
    till.post(PURCHASES, factories.purchase_body(alex))
    with django_assert_num_queries(11 + 2):
        till.post(PURCHASES, factories.purchase_body(alex), headers={"Idempotency-Key": "k"})


def test_purchase_costs_twelve_statements_where_there_are_tiers_and_challenges(
    alex: Member, till: APIClient, django_assert_num_queries: Any
) -> None:
    factories.tier("silver", 10_000)
    for slug in ("summer", "autumn"):
        now = timezone.now()
        factories.challenge(
            slug, counts="purchase", target=9, starts_at=now - DAY, ends_at=now + DAY
        )
    till.post(PURCHASES, factories.purchase_body(alex))
    with django_assert_num_queries(12 + 2):
        till.post(PURCHASES, factories.purchase_body(alex), headers={"Idempotency-Key": "k"})


def test_first_purchase_opens_the_account_with_two_more(
    alex: Member, till: APIClient, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(12 + 2):
        till.post(PURCHASES, factories.purchase_body(alex), headers={"Idempotency-Key": "k"})


def test_return_costs_the_same_for_every_receipt(
    alex: Member, till: APIClient, django_assert_num_queries: Any
) -> None:
    for reference, lines in (("short", 1), ("long", 50)):
        line = {"sku": "tent", "quantity": 1, "unit_price": "3.00"}
        body = factories.purchase_body(alex, reference=reference, lines=[line] * lines)
        till.post(PURCHASES, body)
        with django_assert_num_queries(16 + 2):
            answer = till.post(
                f"{PURCHASES}{reference}/returns/",
                {"reference": "x", "lines": [{"sku": "tent", "quantity": lines}]},
                headers={"Idempotency-Key": reference},
            )
            assert answer.status_code == 201


@pytest.mark.parametrize("price", ["1_000", " 5 ", "1e3", "٣", "1,5", "+5", "0x10", "5.", ".5"])
def test_price_that_only_looks_like_one_is_refused(
    till: APIClient, alex: Member, price: str
) -> None:
    line = {"sku": "tent", "quantity": 1, "unit_price": price}
    answer = till.post(PURCHASES, factories.purchase_body(alex, lines=[line]))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
        400, "/lines/0/unit_price",
    )  # fmt: skip
