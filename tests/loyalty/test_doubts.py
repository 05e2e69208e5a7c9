"""Why somebody hesitates: the pages they looked at, else the price they are not used to."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty import doubts
from loyalty.doubts import Doubt
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW, line

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("price", "dearest", "looked_at", "doubt"),
    [
        (900, 300, ["stores"], Doubt.STORE),
        (900, 300, ["delivery", "stores"], Doubt.STORE),
        (900, 300, ["shipping"], Doubt.DELIVERY),
        (451, 300, [], Doubt.PRICE),
        (450, 300, [], Doubt.DELIVERY),
        (900, None, [], Doubt.DELIVERY),
        (None, 300, [], Doubt.DELIVERY),
    ],
)
def test_doubt_is_guessed_from_pages_then_from_the_price(
    price: int | None, dearest: int | None, looked_at: list[str], doubt: Doubt
) -> None:
    found = doubts.guess(
        price=None if price is None else Decimal(price),
        dearest=None if dearest is None else Decimal(dearest),
        looked_at=looked_at,
    )
    assert found == doubt


def of(member: Member) -> Doubt:
    return doubts.about(looks=[(member.pk, "PHONE")], at=NOW)[member.pk, "PHONE"]


@pytest.mark.django_db
def test_what_was_bought_and_looked_at_is_what_counts_now() -> None:
    factories.product("PHONE", price=900, currency="USD")
    thrifty, used_to_it, local, long_ago = factories.members(4)
    factories.buy(thrifty, line(300), occurred_at=NOW - 100 * DAY)
    factories.buy(used_to_it, line(300), line(800), occurred_at=NOW - 100 * DAY)
    scenes.did(local, "view", category="stores", at=NOW - 13 * DAY)
    scenes.did(long_ago, "view", category="stores", at=NOW - 15 * DAY)
    assert [of(m) for m in (thrifty, used_to_it, local, long_ago)] == [
        Doubt.PRICE, Doubt.DELIVERY, Doubt.STORE, Doubt.DELIVERY,
    ]  # fmt: skip


@pytest.mark.django_db
def test_price_in_another_currency_tells_nothing() -> None:
    factories.product("PHONE", price=900, currency="USD")
    member = factories.member()
    factories.buy(member, line(300), currency="EUR")
    assert of(member) == Doubt.DELIVERY


@pytest.mark.django_db
def test_doubts_of_many_take_one_query(django_assert_num_queries: Any) -> None:
    looks = [(member.pk, "PHONE") for member in factories.members(3)]
    with django_assert_num_queries(1):
        assert set(doubts.about(looks=looks, at=NOW)) == set(looks)
