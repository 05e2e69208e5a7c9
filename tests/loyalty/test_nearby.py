"""Which store near somebody has a thing."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty import nearby
from members.models import Address, Member
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

DENVER = {"latitude": 39.75, "longitude": -105.0}
BOULDER = {"latitude": 40.015, "longitude": -105.2705}  # 37 km away
SEATTLE = {"latitude": 47.62, "longitude": -122.33}


def living(at: dict[str, float] | None = None, **said: Any) -> Member:
    member = factories.member(**{"country": "US", **said})
    Address.objects.filter(pk=member.pk).update(**(at or {}))
    return member


def find(member: Member, sku: str = "") -> nearby.Found:
    return nearby.find(things=[(member.pk, sku)], at=NOW)[member.pk, sku]


def near(*members: Member, sku: str = "") -> list[tuple[str, int | None] | None]:
    things = [(member.pk, sku) for member in members]
    found = nearby.find(things=things, at=NOW)
    return [
        (store.code, store.distance_km) if (store := found[thing].store) else None
        for thing in things
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


# --- What they have ---------------------------------------------------------------------------
def test_nearest_store_is_the_nearest_that_has_it() -> None:
    factories.store("denver", **DENVER)
    factories.store("boulder", **BOULDER)
    factories.stock("TENT", denver=2, boulder=0)
    member = living(BOULDER)
    assert near(member, sku="TENT") == [("denver", 37)]
    assert near(member) == [("boulder", 0)]
    store = find(member, "TENT").store
    assert store
    assert store.has_it


def test_of_what_nobody_counted_nothing_is_claimed() -> None:
    factories.store("denver", **DENVER)
    factories.stock("TENT", denver=2)
    factories.product("MAT")
    for sku in ("MAT", "NEVER-SOLD", ""):
        found = find(living(BOULDER), sku)
        assert (found.is_counted, found.is_sold_out) == (False, False)
        assert found.store
        assert (found.store.code, found.store.has_it) == ("denver", False)


def test_store_that_did_not_count_has_none_where_others_did() -> None:
    factories.store("denver", **DENVER)
    factories.store("boulder", **BOULDER)
    factories.stock("TENT", denver=1)
    assert near(living(BOULDER), sku="TENT") == [("denver", 37)]


def test_what_only_a_far_store_has_is_nowhere_near() -> None:
    denver = factories.store("denver", **DENVER)
    factories.store("seattle", **SEATTLE)
    factories.stock("TENT", denver=0, seattle=5)
    unknown = living(home_store=denver)
    assert near(living(BOULDER), unknown, sku="TENT") == [None, None]
    found = find(unknown, "TENT")
    assert (found.is_anywhere, found.is_sold_out, found.available_on) == (True, False, None)


def test_first_delivery_to_come_is_told_of_what_nobody_has() -> None:
    factories.store("denver", **DENVER)
    factories.store("seattle", **SEATTLE)
    today = date(2027, 3, 1)
    days = {"denver": today + timedelta(days=9), "seattle": today}
    factories.stock("TENT", expected_on=days, denver=0, seattle=0)
    found = find(living(BOULDER), "TENT")
    assert (found.is_sold_out, found.available_on) == (True, today)
    tomorrow = nearby.find(things=[(living().pk, "TENT")], at=NOW + timedelta(days=1))
    assert [one.available_on for one in tomorrow.values()] == [today + timedelta(days=9)]
    factories.stock("TENT", denver=1)
    assert find(living(BOULDER), "TENT").available_on is None
