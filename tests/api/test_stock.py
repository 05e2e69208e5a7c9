"""/stock/: what the stores have, told by whoever counts."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from loyalty.models import StoreStock
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    cache.clear()
    factories.store("denver")
    factories.product("TENT")


def one(**said: Any) -> dict[str, Any]:
    return {"store": "denver", "sku": "TENT", "quantity": 3, **said}


def told(by: APIClient, *counts: dict[str, Any]) -> Any:
    return by.post("/api/v1/stock/", {"counts": list(counts)})


def test_counts_are_kept_and_told_apart_from_what_was_known() -> None:
    till = factories.till("purchases")
    answer = told(till, one())
    assert (answer.status_code, answer.json()) == (200, {"recorded": 1, "unchanged": 0})
    assert told(till, one()).json() == {"recorded": 0, "unchanged": 1}
    assert told(till, one(quantity=0, expected_on="2027-04-15")).json()["recorded"] == 1
    row = StoreStock.objects.get()
    assert (row.quantity, str(row.expected_on)) == (0, "2027-04-15")


def test_older_count_changes_nothing() -> None:
    till, yesterday = factories.till("purchases"), timezone.now() - timedelta(days=1)
    told(till, one())
    answer = told(till, one(quantity=9, counted_at=yesterday.isoformat()))
    assert answer.json() == {"recorded": 0, "unchanged": 1}
    assert StoreStock.objects.get().quantity == 3


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"sku": "NEVER"}, "/counts/1/sku"),
        ({"store": "atlantis"}, "/counts/1/store"),
        ({"quantity": -1}, "/counts/1/quantity"),
        ({"quantity": 1.5}, "/counts/1/quantity"),
        ({"quantity": 1_000_001}, "/counts/1/quantity"),
        ({"counted_at": "2999-01-01T00:00:00+00:00"}, "/counts/1/counted_at"),
        ({"expected_on": "2072-04-15"}, "/counts/1/expected_on"),
    ],
)
def test_one_wrong_count_stops_them_all_and_is_named(said: dict[str, Any], pointer: str) -> None:
    answer = told(factories.till("purchases"), one(), one(**said))
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not StoreStock.objects.exists()


def test_more_than_five_hundred_are_refused() -> None:
    answer = told(factories.till("purchases"), *[one()] * 501)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/counts"]


def test_till_of_a_store_counts_there_only() -> None:
    boulder = factories.store("boulder")
    answer = told(factories.till("purchases", at=boulder), one(store="boulder"), one())
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/counts/1/store"]


def test_five_hundred_counts_cost_what_one_costs(django_assert_num_queries: Any) -> None:
    till = factories.till("purchases")
    for number in range(500):
        factories.product(f"p{number}")
    for many in (1, 500):
        counts = [one(sku=f"p{number}", quantity=many) for number in range(many)]
        with django_assert_num_queries(6):
            assert told(till, *counts).json()["recorded"] == many
