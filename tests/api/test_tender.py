"""/points/holds/, /points/allowances/ and purchases that points pay a part of."""

from typing import Any

import jwt
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty.models import Hold
from members.models import Member
from tests import factories

API = "/api/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    factories.points_pay("0.01")
    member = factories.member()
    factories.grant(member, 1_000, now=timezone.now())
    return member


@pytest.fixture
def till() -> APIClient:
    return factories.till()


def hold(till: APIClient, of: Member, points: int = 500) -> Any:
    return till.post(f"{API}/points/holds/", {"member": of.number, "points": points})


def buy(till: APIClient, by: Member, **said: Any) -> Any:
    return till.post(f"{API}/purchases/", factories.purchase_body(by, **said))


def test_hold_says_what_it_pays(till: APIClient, alex: Member) -> None:
    said = hold(till, alex).json()
    row = Hold.objects.get()
    assert (said["hold"], said["points"], said["value"], said["currency"], said["state"]) == (
        str(row.pk), 500, "5.00", "USD", "held",
    )  # fmt: skip


def test_hold_pays_a_part_of_the_purchase(till: APIClient, alex: Member) -> None:
    held = hold(till, alex).json()["hold"]
    answer = buy(till, alex, points_hold=held)
    assert (answer.status_code, answer.json()["points"], answer.json()["balance"]) == (
        201, 15, 515,
    )  # fmt: skip


def test_points_pay_without_a_hold(till: APIClient, alex: Member) -> None:
    assert buy(till, alex, points=500).json()["balance"] == 515


def test_points_that_paid_are_in_the_answer_to_the_return(till: APIClient, alex: Member) -> None:
    buy(till, alex, points=500, reference="r")
    said = {"reference": "x", "lines": [{"sku": "tent", "quantity": 1}]}
    answer = till.post(f"{API}/purchases/r/returns/", said).json()
    assert (answer["points_restored"], answer["balance"]) == (250, 515 + 250 - 8)


def test_released_hold_is_back(till: APIClient, alex: Member) -> None:
    held = hold(till, alex).json()["hold"]
    answer = till.post(f"{API}/points/holds/{held}/release/")
    assert (answer.json()["state"], factories.account(alex).balance) == ("released", 1_000)


@pytest.mark.parametrize("named", ["x", "00000000-0000-0000-0000-000000000000", "%00", "a.b.c"])
def test_hold_that_is_not_there_is_refused(till: APIClient, named: str) -> None:
    answer = till.post(f"{API}/points/holds/{named}/release/")
    assert answer.status_code in {404, 409}
    assert answer.json()["code"] in {"not_found", "hold_not_valid"}


def test_allowance_can_be_checked_offline_and_pays(till: APIClient, alex: Member) -> None:
    said = till.post(f"{API}/points/allowances/", {"member": alex.number, "points": 500}).json()
    (key,) = till.get(f"{API}/points/allowances/key/").json()["keys"]
    claims = jwt.decode(
        said["allowance"], jwt.PyJWK(key), algorithms=["EdDSA"], options={"verify_aud": False}
    )
    assert (claims["jti"], claims["points"]) == (said["hold"], 500)
    assert buy(till, alex, points_hold=said["allowance"]).json()["balance"] == 515


def test_points_and_a_hold_together_are_refused(till: APIClient, alex: Member) -> None:
    held = hold(till, alex).json()["hold"]
    answer = buy(till, alex, points=5, points_hold=held)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_key_for_purchases_alone_may_not_spend_points(alex: Member) -> None:
    answer = buy(factories.till("purchases"), alex, points=5)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("points", [0, -5, 1.5, "many", None, 2**63])
def test_points_that_cannot_be_are_refused(till: APIClient, alex: Member, points: Any) -> None:
    for answer in (hold(till, alex, points), buy(till, alex, points=points)):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert factories.account(alex).balance == 1_000


def test_more_than_there_is_cannot_be_held(till: APIClient, alex: Member) -> None:
    answer = hold(till, alex, 1_001)
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_points")
    assert answer.json()["spendable"] == 1_000


def test_points_without_a_value_do_not_pay(till: APIClient) -> None:
    answer = hold(till, factories.member(), 5)
    assert (answer.status_code, answer.json()["code"]) == (409, "points_do_not_pay")
