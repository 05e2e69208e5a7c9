"""What has come out for owners of the edition before."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty import editions
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

BOOTS = (("BOOT-1", date(2022, 3, 1)), ("BOOT-2", date(2024, 3, 1)), ("BOOT-3", date(2027, 3, 1)))


@pytest.fixture(autouse=True)
def shelf() -> None:
    for sku, released_on in BOOTS:
        factories.product(sku, family="boot", released_on=released_on, price=190, currency="USD")
    factories.product("BOOT-4", family="boot", released_on=date(2027, 3, 2))
    factories.product("MUG-1")
    factories.product("MUG-2", released_on=date(2027, 2, 1))


def owner(*skus: str) -> Member:
    member = factories.member()
    for sku in skus:
        factories.buy(member, line(50, sku=sku), occurred_at=NOW - timedelta(days=30))
    return member


def out_for(member: Member) -> tuple[str, str] | None:
    found = editions.out_for(member_ids=[member.pk], at=NOW).get(member.pk)
    return (found.name, found.replaces) if found else None


def test_latest_edition_that_is_out_replaces_the_newest_one_owned() -> None:
    assert out_for(owner("BOOT-1", "BOOT-2")) == ("Boot-3", "Boot-2")
    assert out_for(owner("BOOT-1")) == ("Boot-3", "Boot-1")


def test_who_has_the_latest_or_nothing_of_a_family_is_told_nothing() -> None:
    assert out_for(owner("BOOT-1", "BOOT-3")) is None
    assert out_for(owner("MUG-1")) is None
    assert out_for(owner()) is None


def test_editions_of_many_take_one_query(django_assert_num_queries: Any) -> None:
    members = [owner("BOOT-1") for _ in range(3)]
    with django_assert_num_queries(1):
        found = editions.out_for(member_ids=[member.pk for member in members], at=NOW)
    assert found.keys() == {member.pk for member in members}
