"""/purchases/bulk/, /tills/, /receipts/claims/ and the way of the goods, over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty import guests
from loyalty.models import GuestReceipt, Purchase, TillEvent
from members.models import Member
from tests import factories

API = "/api/v1"
BULK, SYNC, CONFLICTS = f"{API}/purchases/bulk/", f"{API}/tills/sync/", f"{API}/tills/conflicts/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member(email="alex@example.com")


@pytest.fixture
def till() -> APIClient:
    return factories.till("purchases")


def guest_body(**said: Any) -> dict[str, Any]:
    body = factories.purchase_body(Member(number=""), guest=True, **said)
    del body["member"]
    return body


def event(number: int, body: dict[str, Any], **said: Any) -> dict[str, Any]:
    facts = {"id": str(UUID(int=number)), "kind": "purchase"}
    return {**body, **facts, **said}


def sync(till: APIClient, *events: dict[str, Any]) -> Any:
    return till.post(SYNC, {"till": "till 1", "events": list(events)})


# --- Many at once -----------------------------------------------------------------------------
def test_each_purchase_of_a_call_is_answered_by_itself(alex: Member, till: APIClient) -> None:
    first, unknown, shapeless, guest = (
        factories.purchase_body(alex, reference="a"),
        factories.purchase_body(alex, reference="b", member="99"),
        factories.purchase_body(alex, reference="c", lines=[{"sku": "tent", "quantity": 0}]),
        guest_body(reference="d"),
    )
    other = {**first, "currency": "EUR"}
    answer = till.post(BULK, {"purchases": [first, unknown, shapeless, guest, other, 5]})
    results = answer.json()["results"]
    because = "Purchases: 1 per 1 USD on 20.00 USD"
    assert results[0] == {
        "reference": "a", "status": "recorded", "points": 20, "balance": 20,
        "awards": [{"rule": "purchases", "points": 20, "because": because}],
    }  # fmt: skip
    assert results[1] == {
        "reference": "b", "status": "refused", "awards": [], "points": 0,
        "problem": {
            "code": "invalid", "detail": "There is no such member.",
            "errors": [
                {"pointer": "/member", "code": "invalid", "detail": "There is no such member."}
            ],
        },
    }  # fmt: skip
    pointers = [error["pointer"] for error in results[2]["problem"]["errors"]]
    assert pointers == ["/lines/0/quantity", "/lines/0/unit_price"]
    assert results[3]["claim_code"] == guests.code_of(GuestReceipt.objects.get())
    assert results[4]["problem"]["code"] == "purchase_conflict"
    assert (results[5]["reference"], results[5]["status"]) == ("", "refused")


def test_hundred_and_one_purchases_are_too_many(alex: Member, till: APIClient) -> None:
    answer = till.post(BULK, {"purchases": [factories.purchase_body(alex)] * 101})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/purchases")


def test_tills_key_buys_in_its_own_store_only(alex: Member) -> None:
    here = factories.till("purchases", at=factories.store("denver"))
    factories.store("boulder")
    said = [factories.purchase_body(alex, **store) for store in ({}, {"store": "boulder"})]
    results = here.post(BULK, {"purchases": said}).json()["results"]
    assert [one["status"] for one in results] == ["recorded", "refused"]


@pytest.mark.parametrize("many", [10, 100])
def test_call_costs_the_same_for_ten_and_a_hundred(
    till: APIClient, django_assert_num_queries: Any, many: int
) -> None:
    people = factories.members(10)
    for one in people:
        factories.buy(one, "1")
    said = [factories.purchase_body(people[n % 10]) for n in range(many)]
    with django_assert_num_queries(19):
        till.post(BULK, {"purchases": said}, headers={"Idempotency-Key": "k"})


# --- Guests -----------------------------------------------------------------------------------
def test_guest_gets_a_code_that_a_member_claims(alex: Member, till: APIClient) -> None:
    body = guest_body(reference="r1")
    first, again = (till.post(f"{API}/purchases/", body) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert first.json().keys() == {"reference", "claim_code", "claimable_until", "points"}
    phone = factories.app(alex)
    answer = phone.post(f"{API}/receipts/claims/", {"code": first.json()["claim_code"]})
    because = "Purchases: 1 per 1 USD on 20.00 USD"
    assert (answer.status_code, answer.json()) == (201, {
        "reference": "r1", "points": 20, "balance": 20,
        "awards": [{"rule": "purchases", "points": 20, "because": because}],
    })  # fmt: skip
    twice = phone.post(f"{API}/receipts/claims/", {"code": first.json()["claim_code"]})
    assert (twice.status_code, twice.json()["code"]) == (409, "receipt_not_valid")


@pytest.mark.parametrize("said", [{"guest": False}, {}, {"guest": True, "member": "1"}])
def test_purchase_is_a_members_or_a_guests(till: APIClient, said: dict[str, Any]) -> None:
    body = {**guest_body(), **said}
    if not said:
        del body["guest"]
    answer = till.post(f"{API}/purchases/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/member")


def test_guessing_codes_is_slowed_down(alex: Member) -> None:
    phone = factories.app(alex)
    answers = {
        phone.post(f"{API}/receipts/claims/", {"code": f"0000-{n}"}).status_code for n in range(62)
    }
    assert answers == {409, 429}


# --- Offline ----------------------------------------------------------------------------------
def test_every_kind_of_event_is_answered(alex: Member, till: APIClient) -> None:
    bought = factories.purchase_body(alex, reference="r1")
    lines = [{"sku": "tent", "quantity": 1}]
    at = timezone.now().isoformat()
    came_back = {"purchase": "r1", "reference": "x1", "lines": lines, "occurred_at": at}
    used = {"code": "ABCD-EFGH-JKMN", "occurred_at": at}
    answer = sync(
        till, event(1, bought), event(2, came_back, kind="return"),
        event(3, used, kind="voucher_redeem"), event(4, guest_body(reference="r2")),
        event(5, {**bought, "store": "atlantis"}),
    )  # fmt: skip
    results = answer.json()["results"]
    assert [one["id"] for one in results] == [str(UUID(int=n)) for n in range(1, 6)]
    assert [one["status"] for one in results] == [
        "recorded", "recorded", "conflict", "recorded", "conflict",
    ]  # fmt: skip
    assert results[1] == {
        "id": results[1]["id"], "status": "recorded", "reference": "x1", "points_taken": 10,
        "debt": 0, "balance": 10,
    }  # fmt: skip
    assert results[2]["problem"]["code"] == "voucher_not_valid"
    assert results[3]["claim_code"] == guests.code_of(GuestReceipt.objects.get())
    again = sync(till, event(1, bought), event(4, guest_body(reference="other"))).json()["results"]
    assert again == [{**results[0], "status": "repeated"}, {**results[3], "status": "repeated"}]


@pytest.mark.parametrize(
    "wrong",
    [{"id": "1"}, {"kind": "refund"}, {"occurred_at": "yesterday"}, {"id": 5}, {"kind": None}],
)
def test_event_without_its_id_kind_or_moment_stops_the_call(
    alex: Member, till: APIClient, wrong: dict[str, Any]
) -> None:
    body = factories.purchase_body(alex)
    answer = sync(till, event(1, body), event(2, body, **wrong))
    pointer = f"/events/1/{next(iter(wrong))}"
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not TillEvent.objects.exists()


def test_event_that_says_nonsense_is_a_conflict_that_keeps_no_address(
    alex: Member, till: APIClient
) -> None:
    body = factories.purchase_body(alex, member="alex@example.com", lines="none", balance=9)
    (result,) = sync(till, event(1, body)).json()["results"]
    assert [error["pointer"] for error in result["problem"]["errors"]] == ["/lines", "/balance"]
    row = TillEvent.objects.get()
    assert (row.member, "alex" in str(row.said)) == (alex, False)


def test_more_than_five_hundred_events_are_too_many(alex: Member, till: APIClient) -> None:
    body = factories.purchase_body(alex)
    answer = sync(till, *[event(n, body) for n in range(501)])
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/events")


def test_conflicts_are_listed_page_by_page(alex: Member, till: APIClient) -> None:
    sync(till, *[event(n, factories.purchase_body(alex, member="99")) for n in range(3)])
    TillEvent.objects.filter(event_id=UUID(int=0)).update(settled_at=timezone.now(), note="Done.")
    page = till.get(CONFLICTS, {"limit": 2}).json()
    assert (len(page["results"]), page["next"] is None) == (2, False)
    assert page["results"][0].keys() == {
        "id", "till", "kind", "occurred_at", "received_at", "problem", "settled_at", "note",
    }  # fmt: skip
    assert len(till.get(page["next"]).json()["results"]) == 1
    for state, many in (("open", 2), ("settled", 1)):
        assert len(till.get(CONFLICTS, {"state": state}).json()["results"]) == many
    assert till.get(CONFLICTS, {"state": "other"}).status_code == 400


def test_conflicts_are_of_the_caller_only(alex: Member, till: APIClient) -> None:
    sync(till, event(1, factories.purchase_body(alex, member="99")))
    assert factories.till("purchases").get(CONFLICTS).json()["results"] == []
    assert factories.app(alex).get(CONFLICTS).status_code == 403


# --- Where the goods are ----------------------------------------------------------------------
def test_store_hands_over_what_was_bought_on_the_web(alex: Member, till: APIClient) -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    body = factories.purchase_body(alex, reference="r1", pickup_store="denver")
    assert till.post(f"{API}/purchases/", body).status_code == 201
    here, there = (factories.till("purchases", at=store) for store in (denver, boulder))
    path = f"{API}/purchases/r1/pickup/"
    assert there.post(path, {}).status_code == 404
    assert there.post(path, {"store": "denver"}).status_code == 400
    assert here.post(f"{API}/purchases/r1/shipment/", {}).status_code == 404
    answer = here.post(path, {"store": "denver"})
    assert (answer.status_code, answer.json()["pickup_store"]) == (200, "denver")
    assert Purchase.objects.get().picked_up_at is not None


def test_shop_without_a_store_says_where_it_was_picked_up(alex: Member, till: APIClient) -> None:
    factories.store("denver")
    till.post(
        f"{API}/purchases/",
        factories.purchase_body(alex, reference="r1", pickup_store="denver"),
    )
    path = f"{API}/purchases/r1/pickup/"
    assert till.post(path, {"occurred_at": timezone.now().isoformat()}).status_code == 400
    assert till.post(path, {"store": "denver"}).status_code == 200


def test_shipment_is_answered_the_same_again(alex: Member, till: APIClient) -> None:
    till.post(f"{API}/purchases/", factories.purchase_body(alex, reference="r1"))
    now = timezone.now()
    answers = [
        till.post(
            f"{API}/purchases/r1/shipment/",
            {"occurred_at": (now - timedelta(seconds=n)).isoformat()},
        ).json()
        for n in range(2)
    ]
    assert answers[0] == answers[1]
    assert (answers[0]["balance"], answers[0]["picked_up_at"]) == (20, None)


def test_unknown_store_to_pick_up_is_named(alex: Member, till: APIClient) -> None:
    body = factories.purchase_body(alex, pickup_store="atlantis")
    answer = till.post(f"{API}/purchases/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/pickup_store")
