"""Why somebody hesitates: what the stores have, else the pages they looked at, else the price."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty import doubts
from loyalty.doubts import Doubt
from loyalty.nearby import Found, Near
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW, line

DAY = timedelta(days=1)
UNCOUNTED = Found(is_counted=False, is_anywhere=False, available_on=None, nearest=None)
HAS_IT = Near("denver", "Denver", 2, has_it=True)
HAS_NONE = Near("denver", "Denver", 2, has_it=False)


@pytest.mark.parametrize(
    ("price", "dearest", "looked_at", "doubt"),
    [
        (900, 300, ["stores"], Doubt.STOCK),
        (900, 300, ["delivery", "stores"], Doubt.STOCK),
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
        found=UNCOUNTED,
    )
    assert found == doubt


@pytest.mark.parametrize(
    ("nearest", "is_anywhere", "available_on", "doubt"),
    [
        (HAS_IT, True, None, Doubt.PRICE),
        (HAS_NONE, True, None, Doubt.STOCK),
        (HAS_NONE, False, date(2027, 4, 1), Doubt.STOCK),
        (HAS_NONE, False, None, Doubt.DELIVERY),
        (None, False, None, Doubt.DELIVERY),
    ],
)
def test_what_stores_have_tells_more_than_pages_and_prices(
    nearest: Near | None, is_anywhere: bool, available_on: date | None, doubt: Doubt
) -> None:
    found = Found(True, is_anywhere, available_on, nearest)
    for pages in ([], ["stores"], ["delivery"]):
        for dearest in (None, Decimal(1)):
            guess = doubts.guess(price=Decimal(900), dearest=dearest, looked_at=pages, found=found)
            assert guess == doubt


def test_who_lives_near_no_store_is_guessed_from_pages_and_prices() -> None:
    found = Found(is_counted=True, is_anywhere=True, available_on=None, nearest=None)
    cheap = doubts.guess(price=Decimal(1), dearest=None, looked_at=[], found=found)
    dear = doubts.guess(price=Decimal(9), dearest=Decimal(1), looked_at=[], found=found)
    assert (cheap, dear) == (Doubt.DELIVERY, Doubt.PRICE)


def of(member: Member) -> Doubt:
    return doubts.about(looks=[(member.pk, "PHONE")], at=NOW)[member.pk, "PHONE"].doubt


@pytest.mark.django_db
def test_what_was_bought_and_looked_at_is_what_counts_now() -> None:
    factories.product("PHONE", price=900, currency="USD")
    thrifty, used_to_it, local, long_ago = factories.members(4)
    factories.buy(thrifty, line(300), occurred_at=NOW - 100 * DAY)
    factories.buy(used_to_it, line(300), line(800), occurred_at=NOW - 100 * DAY)
    scenes.did(local, "view", category="stores", at=NOW - 13 * DAY)
    scenes.did(long_ago, "view", category="stores", at=NOW - 15 * DAY)
    assert [of(m) for m in (thrifty, used_to_it, local, long_ago)] == [
        Doubt.PRICE, Doubt.DELIVERY, Doubt.STOCK, Doubt.DELIVERY,
    ]  # fmt: skip


@pytest.mark.django_db
def test_price_in_another_currency_tells_nothing() -> None:
    factories.product("PHONE", price=900, currency="USD")
    member = factories.member()
    factories.buy(member, line(300), currency="EUR")
    assert of(member) == Doubt.DELIVERY


@pytest.mark.django_db
def test_what_the_stores_have_now_is_what_counts() -> None:
    factories.product("PHONE", price=900, currency="USD")
    near, far = factories.store("denver"), factories.store("seattle")
    member, other = factories.member(home_store=near), factories.member(home_store=far)
    told = []
    for denver, seattle in ((1, 1), (0, 1), (0, 0)):
        factories.stock("PHONE", denver=denver, seattle=seattle)
        told.append((of(member), of(other)))
    assert told == [
        (Doubt.PRICE, Doubt.PRICE), (Doubt.STOCK, Doubt.PRICE), (Doubt.DELIVERY, Doubt.DELIVERY),
    ]  # fmt: skip


@pytest.mark.django_db
def test_doubts_of_many_take_one_query(django_assert_num_queries: Any) -> None:
    looks = [(member.pk, "PHONE") for member in factories.members(3)]
    with django_assert_num_queries(1):
        assert set(doubts.about(looks=looks, at=NOW)) == set(looks)
