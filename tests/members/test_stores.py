"""Which store is near whom."""

from typing import Any

import pytest

from members import stores
from members.models import Address, Member
from tests import factories

pytestmark = pytest.mark.django_db

DENVER = {"latitude": 39.75, "longitude": -105.0}
BOULDER = {"latitude": 40.015, "longitude": -105.2705}  # 37 km away
SEATTLE = {"latitude": 47.62, "longitude": -122.33}


def living(at: dict[str, float] | None = None, **said: Any) -> Member:
    member = factories.member(**{"country": "US", **said})
    Address.objects.filter(pk=member.pk).update(**(at or {}))
    return member


def near(*members: Member) -> list[tuple[str, int | None] | None]:
    found = stores.near(member_ids=[member.pk for member in members])
    return [
        (store.code, store.distance_km) if (store := found.get(member.pk)) else None
        for member in members
    ]


def test_nearest_store_is_told_whichever_is_home() -> None:
    denver, seattle = factories.store("denver", **DENVER), factories.store("seattle", **SEATTLE)
    assert near(living(BOULDER), living(BOULDER, home_store=seattle)) == [("denver", 37)] * 2
    assert near(living(SEATTLE, home_store=denver)) == [("seattle", 0)]


def test_who_lives_far_from_every_store_has_none_near() -> None:
    denver = factories.store("denver", **DENVER)
    assert near(living(SEATTLE), living(SEATTLE, home_store=denver)) == [None, None]


def test_whose_address_is_not_known_is_told_of_the_home_store_without_a_distance() -> None:
    denver = factories.store("denver", **DENVER)
    assert near(living(), living(home_store=denver)) == [None, ("denver", None)]


def test_stores_of_many_members_take_one_query(django_assert_num_queries: Any) -> None:
    factories.store("denver", **DENVER)
    members = [living(BOULDER) for _ in range(3)]
    with django_assert_num_queries(1):
        assert near(*members) == [("denver", 37)] * 3
