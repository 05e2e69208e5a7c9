"""What goes with a product: what its buyers bought beside it, else what is for the same pursuit."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty import companions
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def shelf() -> None:
    for sku, category, family in (
        ("TENT", "tents", "lake"), ("TENT-OLD", "tents", "lake"), ("MAT", "mats", ""),
        ("BAG", "bags", ""), ("MUG", "mugs", ""), ("SKI", "skis", ""),
    ):  # fmt: skip
        interests = ["snow"] if sku == "SKI" else ["camping"] if sku == "MUG" else []
        factories.product(sku, category=category, family=family, interests=interests)


def bought(*skus: str, days_ago: float = 10) -> Member:
    member = factories.member()
    for sku in skus:
        factories.buy(member, line(50, sku=sku), occurred_at=NOW - days_ago * DAY)
    return member


def going_with(sku: str, member: Member) -> list[tuple[str, str]]:
    found = companions.going_with(things=[(member.pk, sku)], at=NOW)
    return [(one.sku, one.reason) for one in found.get((member.pk, sku), [])]


def skus(sku: str, member: Member) -> list[str]:
    return [name for name, _ in going_with(sku, member)]


def test_what_most_buyers_bought_beside_it_comes_first(alex: Member) -> None:
    bought("TENT", "MAT", "BAG")
    bought("TENT", "BAG")
    assert going_with("TENT", alex) == [
        ("BAG", "Members who bought Tent bought it too."),
        ("MAT", "Members who bought Tent bought it too."),
    ]


def test_what_the_member_has_is_not_told_again(alex: Member) -> None:
    bought("TENT", "MAT", "BAG")
    assert skus("TENT", bought("BAG")) == ["MAT"]


def test_another_of_the_same_sort_is_no_companion(alex: Member) -> None:
    bought("TENT", "TENT-OLD", "MAT")
    assert skus("TENT", alex) == ["MAT"]


def test_bought_long_before_or_after_does_not_belong_together(alex: Member) -> None:
    member = bought("TENT", days_ago=100)
    for sku, days_ago in (("MAT", 71), ("BAG", 69)):
        factories.buy(member, line(50, sku=sku), occurred_at=NOW - days_ago * DAY)
    assert skus("TENT", alex) == ["MAT"]


def test_same_pursuit_fills_up_what_nobody_bought_together(alex: Member) -> None:
    factories.product("STOVE", category="kitchen", interests=["camping", "hiking"])
    bought("STOVE", "MAT")
    assert going_with("STOVE", alex) == [
        ("MAT", "Members who bought Stove bought it too."),
        ("MUG", "Made for camping as well."),
    ]


def test_what_nobody_knows_goes_with_nothing(alex: Member) -> None:
    assert companions.going_with(things=[(alex.pk, "NONE"), (alex.pk, "SKI")], at=NOW) == {}


def test_many_take_one_query(django_assert_num_queries: Any) -> None:
    bought("TENT", "MAT")
    bought("SKI", "BAG")
    things = [(member.pk, sku) for member in factories.members(3) for sku in ("TENT", "SKI")]
    with django_assert_num_queries(1):
        found = companions.going_with(things=things, at=NOW)
    assert found.keys() == set(things)
