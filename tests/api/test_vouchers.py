"""/rewards/, /redemptions/, /vouchers/: points into money off, and using it at the till."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty.models import Redemption
from members.models import Member
from tests import factories

API = "/api/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    member = factories.member()
    factories.grant(member, 250, now=timezone.now())
    return member


@pytest.fixture
def till() -> APIClient:
    return factories.till("vouchers")


def redeem(phone: APIClient, reward: str = "tenner") -> Any:
    return phone.post(f"{API}/redemptions/", {"reward": reward})


def at_the_till(till: APIClient, code: str, verb: str) -> Any:
    return till.post(f"{API}/vouchers/{code}/{verb}/")


def state(answer: Any) -> str:
    return str(answer.json()["state"] if answer.status_code == 200 else answer.json()["code"])


def test_rewards_on_offer_come_cheapest_first(phone: APIClient) -> None:
    factories.reward("fifty", points=400, value=Decimal(50))
    factories.reward("tenner", minimum_spend=Decimal(30), description="Money off")
    factories.reward("over", ends_at=timezone.now())
    rows = phone.get(f"{API}/rewards/").json()["results"]
    assert [row["slug"] for row in rows] == ["tenner", "fifty"]
    assert rows[0] == {
        "slug": "tenner", "name": "Tenner", "description": "Money off", "kind": "voucher",
        "points": 100, "tiers": [], "starts_at": None, "ends_at": None, "off": "amount",
        "value": "10.00", "currency": "USD", "most_off": None, "sku": "",
        "minimum_spend": "30.00", "stores": [], "uses": 1, "valid_days": 365, "sessions": [],
    }  # fmt: skip


def test_redeeming_answers_with_the_voucher_and_the_balance(phone: APIClient) -> None:
    factories.reward()
    answer = redeem(phone)
    said = answer.json()
    assert answer.status_code == 201
    assert (said["reward"], said["points"], said["balance"]) == ("tenner", 100, 150)
    assert (said["voucher"]["value"], said["voucher"]["state"]) == ("10.00", "active")
    assert phone.get(f"{API}/vouchers/").json()["results"] == [said["voucher"]]


@pytest.mark.parametrize(
    ("said", "code", "status"),
    [
        ({"points": 251}, "insufficient_points", 409), ({"stock": 0}, "reward_sold_out", 409),
        ({"per_member": 0}, "reward_limit_reached", 409),
        ({"ends_at": timezone.now() - timedelta(days=1)}, "not_found", 404),
    ],
)  # fmt: skip
def test_reward_that_cannot_be_had_says_why(
    phone: APIClient, said: dict[str, Any], code: str, status: int
) -> None:
    factories.reward(**said)
    answer = redeem(phone)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Redemption.objects.exists()


def test_how_many_points_there_are_is_in_the_refusal(phone: APIClient) -> None:
    factories.reward(points=251)
    assert redeem(phone).json()["spendable"] == 250


def test_vouchers_are_ones_own(phone: APIClient) -> None:
    factories.reward()
    redeem(phone)
    assert factories.app(factories.member()).get(f"{API}/vouchers/").json()["results"] == []


def test_voucher_is_held_and_then_redeemed_by_its_till(phone: APIClient, till: APIClient) -> None:
    factories.reward(minimum_spend=Decimal(30))
    code = redeem(phone).json()["voucher"]["code"]
    held = at_the_till(till, code, "hold")
    assert held.json() | {"expires_at": "", "held_until": ""} == {
        "off": "amount", "value": "10.00", "currency": "USD", "most_off": None, "sku": "",
        "minimum_spend": "30.00", "state": "held", "uses_left": 1, "expires_at": "",
        "held_until": "",
    }  # fmt: skip
    other = factories.till("vouchers")
    assert [state(at_the_till(other, code, verb)) for verb in ("hold", "redeem", "release")] == [
        "voucher_not_valid"
    ] * 3
    assert state(at_the_till(till, code, "redeem")) == "redeemed"
    assert state(at_the_till(till, code, "redeem")) == "voucher_not_valid"


def test_released_voucher_is_anybodys(phone: APIClient, till: APIClient) -> None:
    factories.reward()
    code = redeem(phone).json()["voucher"]["code"]
    at_the_till(till, code, "hold")
    assert state(at_the_till(till, code, "release")) == "active"
    assert state(at_the_till(factories.till("vouchers"), code, "redeem")) == "redeemed"


@pytest.mark.parametrize("code", ["0000-0000-0000", "x", "%00", "%F0%9F%8F%94", "A" * 500])
def test_unknown_voucher_is_refused_like_a_used_one(
    phone: APIClient, till: APIClient, code: str
) -> None:
    factories.reward()
    used = redeem(phone).json()["voucher"]["code"]
    at_the_till(till, used, "redeem")
    said = [at_the_till(till, one, "redeem").json() | {"request_id": ""} for one in (used, code)]
    assert said[0] == said[1]
    assert (said[0]["status"], said[0]["code"]) == (409, "voucher_not_valid")


def test_guessing_is_slowed_down(till: APIClient) -> None:
    cache.clear()
    statuses = [at_the_till(till, f"{n:012}", "redeem").status_code for n in range(31)]
    assert statuses == [409] * 30 + [429]


def test_busy_till_is_no_guesser(phone: APIClient, till: APIClient) -> None:
    cache.clear()
    factories.reward()
    code = redeem(phone).json()["voucher"]["code"]
    statuses = [at_the_till(till, code, verb).status_code for verb in ("hold", "release") * 20]
    assert statuses == [200] * 40
    wrong = [at_the_till(till, f"{n:012}", "hold").status_code for n in range(31)]
    assert wrong == [409] * 30 + [429]


# --- What it costs ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "queries"), [("/rewards/", 3), ("/redemptions/", 2), ("/vouchers/", 2)]
)
def test_lists_ask_as_often_for_fifty_as_for_one(
    alex: Member, phone: APIClient, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    factories.grant(alex, 5_000, now=timezone.now())
    for rows in (1, 49):
        for n in range(rows):
            factories.reward(f"r{rows}-{n}")
            redeem(phone, f"r{rows}-{n}")
        with django_assert_num_queries(queries):
            phone.get(f"{API}{path}?limit=100")
    assert len(phone.get(f"{API}{path}?limit=100").json()["results"]) == 50


def test_redeeming_costs_the_same_however_many_lots_it_takes(
    alex: Member, phone: APIClient, django_assert_num_queries: Any
) -> None:
    for _ in range(60):
        factories.grant(alex, 1, now=timezone.now())
    for points in (1, 55):
        factories.reward(f"r{points}", points=points)
        with django_assert_num_queries(10 + 4):  # with BEGIN and COMMIT, twice
            phone.post(
                f"{API}/redemptions/", {"reward": f"r{points}"},
                headers={"Idempotency-Key": f"{points}"},
            )  # fmt: skip
