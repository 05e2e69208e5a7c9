"""What vouchers and points take off, to the cent."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import discounts
from tests.factories import line


@dataclass(frozen=True)
class Terms:
    off: str
    value: Decimal = Decimal(0)
    most_off: Decimal | None = None
    sku: str = ""


BOOTS = line("100", sku="boots")
SOCKS = line("12.50", 2, sku="socks")
POST = line("5", category="shipping")


@pytest.mark.parametrize(
    ("terms", "off", "each"),
    [
        (Terms("amount", Decimal(26)), "26", ["20.00", "5.00", "1.00"]),
        (Terms("amount", Decimal(500)), "130", ["100.00", "25.00", "5.00"]),
        (Terms("percent", Decimal(10)), "13.00", ["10.00", "2.50", "0.50"]),
        (Terms("percent", Decimal(50), most_off=Decimal(13)), "13", ["10.00", "2.50", "0.50"]),
        (Terms("percent", Decimal(100)), "130.00", ["100.00", "25.00", "5.00"]),
        (Terms("shipping"), "5", ["0", "0", "5.00"]),
        (Terms("product", sku="socks"), "12.50", ["0", "12.50", "0"]),
        (Terms("product", sku="tent"), "0", ["0", "0", "0"]),
    ],
)  # fmt: skip
def test_voucher_takes_off_what_it_says(terms: Terms, off: str, each: list[str]) -> None:
    lines, taken = discounts.apply((BOOTS, SOCKS, POST), terms)
    assert taken == Decimal(off)
    assert [one.discount for one in lines] == [Decimal(part) for part in each]


def test_free_product_is_the_dearest_of_its_kind() -> None:
    cheap = line("9", sku="socks")
    lines, off = discounts.apply((cheap, SOCKS), Terms("product", sku="socks"))
    assert (off, [one.discount for one in lines]) == (Decimal("12.50"), [0, Decimal("12.50")])


def test_vouchers_come_off_in_the_members_favour() -> None:
    given_in = [Terms("amount"), Terms("percent"), Terms("product"), Terms("shipping")]
    assert [terms.off for terms in discounts.in_order(given_in)] == [
        "product", "shipping", "percent", "amount",
    ]  # fmt: skip


prices = st.tuples(st.decimals(0, 100, places=2), st.integers(1, 5))


@given(st.lists(prices, min_size=1, max_size=6), st.decimals("0.01", 200, places=2))
@settings(max_examples=100)
def test_discount_is_shared_to_the_cent(bought: list[tuple[Decimal, int]], off: Decimal) -> None:
    lines = tuple(line(str(price), quantity) for price, quantity in bought)
    total = sum((one.net for one in lines), Decimal(0))
    shared = discounts.share(lines, min(off, total))
    assert sum(one.discount for one in shared) == min(off, total)
    assert all(one.discount >= 0 and one.net >= 0 for one in shared)


@given(
    st.lists(prices, min_size=1, max_size=6),
    st.lists(
        st.one_of(
            st.builds(Terms, st.just("amount"), st.decimals("0.01", 90, places=2)),
            st.builds(Terms, st.just("percent"), st.decimals(1, 100, places=0)),
        ),
        max_size=4,
    ),
)
def test_no_basket_goes_below_nothing(
    bought: list[tuple[Decimal, int]], vouchers: list[Terms]
) -> None:
    lines = tuple(line(str(price), quantity) for price, quantity in bought)
    total = sum((one.net for one in lines), Decimal(0))
    taken = Decimal(0)
    for terms in discounts.in_order(vouchers):
        lines, off = discounts.apply(lines, terms)
        taken += off
    assert all(one.net >= 0 for one in lines)
    assert sum(one.net for one in lines) == total - taken


@given(st.integers(1, 10**6), st.decimals("0.000001", 5, places=6))
def test_points_for_money_are_the_fewest_that_pay_it(points: int, value: Decimal) -> None:
    money = discounts.worth(points=points, point_value=value)
    fewest = discounts.points_for(money=money, point_value=value)
    assert fewest <= points
    assert fewest * value >= money


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**4), min_size=1, max_size=6), st.data())
def test_points_come_back_whole_with_the_last_piece(
    points: int, prices: list[int], data: st.DataObject
) -> None:
    gross = Decimal(sum(prices))
    left = list(prices)
    kept = [points]
    while left:
        left.pop(data.draw(st.integers(0, len(left) - 1)))
        kept.append(discounts.kept(points=points, gross=gross, kept_gross=Decimal(sum(left))))
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == 0
