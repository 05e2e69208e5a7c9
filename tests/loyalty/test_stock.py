"""Counts of stock: the latest stands, whoever tells it first."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from config.errors import Invalid
from loyalty import stock
from loyalty.models import StoreStock
from loyalty.stock import Count
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def shop() -> None:
    factories.store("denver")
    factories.store("boulder")
    for sku in ("TENT", "MAT"):
        factories.product(sku)


def counted(quantity: int, *, hours_ago: int = 0, **said: object) -> Count:
    facts = {"store": "denver", "sku": "TENT", "counted_at": NOW - hours_ago * HOUR}
    return Count(quantity=quantity, **{**facts, **said})  # type: ignore[arg-type]


def known(store: str = "denver", sku: str = "TENT") -> int:
    return StoreStock.objects.get(store__code=store, product__sku=sku).quantity


def test_latest_count_stands_in_whatever_order_they_come() -> None:
    counts = [counted(3, hours_ago=3), counted(2, hours_ago=2), counted(7, hours_ago=1)]
    for order in permutations(counts):
        with factories.undone():
            for count in order:
                stock.record([count], now=NOW)
            assert known() == 7
        with factories.undone():
            assert sum(said is True for said in stock.record(order, now=NOW)) == 1
            assert known() == 7


def test_of_two_counts_of_one_moment_the_one_told_last_stands() -> None:
    assert stock.record([counted(3), counted(4)], now=NOW) == [False, True]
    assert stock.record([counted(5)], now=NOW) == [True]
    assert known() == 5


def test_same_count_later_is_no_news_but_is_newer() -> None:
    assert stock.record([counted(3, hours_ago=2)], now=NOW) == [True]
    assert stock.record([counted(3)], now=NOW) == [False]
    assert stock.record([counted(9, hours_ago=1)], now=NOW) == [False]
    assert known() == 3


def test_count_without_a_delivery_expects_none() -> None:
    stock.record([counted(0, hours_ago=1, expected_on=date(2027, 4, 1))], now=NOW)
    assert stock.record([counted(0)], now=NOW) == [True]
    assert StoreStock.objects.get().expected_on is None


def test_what_is_wrong_is_named_and_the_rest_is_kept() -> None:
    said = stock.record(
        [
            counted(1),
            counted(1, store="atlantis"),
            counted(1, sku="NEVER"),
            counted(-1),
            counted(1, counted_at=NOW + HOUR),
            counted(1, expected_on=date(2072, 4, 1)),
            counted(2, store="boulder", sku="MAT"),
        ],
        now=NOW,
    )
    pointers = [one.pointer for one in said if isinstance(one, Invalid)]
    assert pointers == ["/store", "/sku", "/quantity", "/counted_at", "/expected_on"]
    assert (said[0], said[-1], known(), known("boulder", "MAT")) == (True, True, 1, 2)


def test_buying_takes_nothing_off_the_shelf() -> None:
    stock.record([counted(3)], now=NOW)
    factories.buy(factories.member(), line(300, sku="TENT"))
    assert known() == 3
