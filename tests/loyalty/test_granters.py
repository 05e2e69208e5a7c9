"""Who gives points by hand and who gets them; what is unusual stands out."""

from datetime import datetime, timedelta

import pytest

from loyalty import granters
from loyalty.models import Entry
from members.models import Member, User
from tests import factories
from tests.factories import NOW
from tests.staff import person

pytestmark = pytest.mark.django_db

SINCE, UNTIL = NOW - timedelta(days=30), NOW + timedelta(days=1)


def give(to: Member, points: int, *, by: User | None, now: datetime = NOW) -> None:
    with factories.book(to, now=now) as book:
        book.earn(
            member_id=to.pk, points=points, at=now, kind=Entry.Kind.GRANTED,
            actor_id=by.pk if by else None,
        )  # fmt: skip


def ranked() -> granters.Grants:
    return granters.ranked(since=SINCE, until=UNTIL)


def test_most_generous_and_most_favoured_come_first() -> None:
    kim, mo = person("Clerk", store=factories.store()), person("Marketer")
    alex, sam = factories.members(2)
    give(alex, 100, by=kim)
    give(sam, 30, by=kim)
    give(sam, 90, by=mo)
    found = ranked()
    said = [(g.email, g.store, g.grants, g.points, g.members, g.largest) for g in found.granters]
    assert said == [(kim.email, "denver", 2, 130, 2, 100), (mo.email, "", 1, 90, 1, 90)]
    assert [(t.number, t.grants, t.points, t.granters) for t in found.takers] == [
        (sam.number, 2, 120, 2), (alex.number, 1, 100, 1),
    ]  # fmt: skip


def test_only_grants_by_hand_in_the_period_count() -> None:
    kim, alex = person("Clerk"), factories.member()
    give(alex, 100, by=None)
    give(alex, 100, by=kim, now=SINCE - timedelta(seconds=1))
    give(alex, 100, by=kim, now=UNTIL)
    factories.buy(alex, "50")
    assert (ranked().granters, ranked().takers) == ((), ())


def test_large_grant_among_small_ones_is_unusual() -> None:
    kim, mo = person("Clerk"), person("Marketer")
    for number, one in enumerate(factories.members(10)):
        give(one, 20 + number % 3, by=kim)
    assert [g.unusual for g in ranked().granters] == [0]
    favourite = factories.member()
    give(favourite, 500, by=mo)
    by_email = {g.email: (g.unusual, g.is_unusual) for g in ranked().granters}
    assert by_email == {kim.email: (0, False), mo.email: (1, True)}
    assert [t.number for t in ranked().takers if t.is_unusual] == [favourite.number]


def test_few_grants_have_nothing_to_be_compared_with() -> None:
    kim = person("Clerk")
    for one, points in zip(factories.members(3), (10, 10, 900), strict=True):
        give(one, points, by=kim)
    assert [g.is_unusual for g in ranked().granters] == [False]


def test_one_granter_among_many_is_unusual() -> None:
    alex = factories.member()
    staff = [person("Clerk", email=f"c{number}@cairn.example") for number in range(9)]
    for number, one in enumerate(staff):
        for _ in range(12 if number == 0 else 1):
            give(alex, 10, by=one)
    assert [g.email for g in ranked().granters if g.is_unusual] == [staff[0].email]


def test_grant_to_oneself_is_told() -> None:
    kim, alex = person("Clerk"), factories.member()
    Member.objects.filter(pk=alex.pk).update(user=kim)
    give(alex, 10, by=kim)
    assert [(g.own, g.is_unusual) for g in ranked().granters] == [(10, True)]
