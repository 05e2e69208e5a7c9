"""Members like one, who buy more: who counts as alike, and what worked on them."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns import lookalikes
from loyalty.models import Account
from members.models import Member
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)


def lover(*interests: str, buys: int = 0, **said: Any) -> Member:
    """Somebody in the US who looked at things, and bought so many."""
    member = factories.member(**{"country": "US", **said})
    for number, interest in enumerate(interests):
        scenes.did(member, "view", interest, at=NOW - MONTH, reference=f"look-{number}")
    for _ in range(buys):
        factories.buy(member, "20", occurred_at=NOW - MONTH)
    return member


def numbers(of: Member) -> list[str]:
    return [alike.number for alike in lookalikes.find(member=of, at=NOW).people]


def test_nearest_in_interests_come_first() -> None:
    alex = lover("hiking")
    near = lover("hiking", buys=1)
    half = lover("hiking", "snow", buys=9)
    lover("snow", buys=9)
    found = lookalikes.find(member=alex, at=NOW)
    assert [(a.number, round(a.similarity, 3), a.purchases) for a in found.people] == [
        (near.number, 1.0, 1), (half.number, 0.707, 9),
    ]  # fmt: skip


def test_alike_buy_more_within_the_year() -> None:
    alex = lover("hiking", buys=1)
    lover("hiking", buys=1)
    more = lover("hiking", buys=2)
    long_ago = lover("hiking", buys=1)
    factories.buy(long_ago, "20", occurred_at=NOW - timedelta(days=366))
    assert numbers(alex) == [more.number]


def test_alike_are_of_the_country_or_the_store() -> None:
    home = factories.store()
    alex = lover("hiking", home_store=home)
    neighbour = lover("hiking", buys=2, country="NO", home_store=home)
    lover("hiking", buys=2, country="NO")
    assert numbers(alex) == [neighbour.number]


def test_alike_are_of_the_same_tier() -> None:
    alex, other = lover("hiking", buys=1), lover("hiking", buys=2)
    gold = factories.tier("gold", 1_000)
    Account.objects.filter(pk=other.pk).update(tier=gold)
    assert numbers(alex) == []
    Account.objects.filter(pk=alex.pk).update(tier=gold)
    assert numbers(alex) == [other.number]


def test_at_most_five_are_alike() -> None:
    alex = lover("hiking")
    for _ in range(6):
        lover("hiking", buys=1)
    assert len(numbers(alex)) == 5


def test_whoever_is_gone_is_like_nobody() -> None:
    alex = lover("hiking")
    gone, merged = lover("hiking", buys=1), lover("hiking", buys=1)
    Member.objects.filter(pk=gone.pk).update(erased_at=NOW)
    Member.objects.filter(pk=merged.pk).update(merged_into=alex)
    assert numbers(alex) == []


def test_member_of_whom_nothing_is_known_is_like_nobody() -> None:
    alex = lover()
    lover("hiking", buys=1)
    assert lookalikes.find(member=alex, at=NOW) == lookalikes.LookAlikes((), ())


def test_what_worked_is_what_a_purchase_followed_within_the_goals_days() -> None:
    alex = lover("hiking")
    others = [lover("hiking", buys=2, marketing={"email": True}) for _ in range(3)]
    goal = {"kind": "purchase", "within_days": 3}
    film = scenes.planned_at(DUE, "film", goal=goal)
    scenes.turn()
    for other, days in zip(others, (1, 3, 4), strict=True):
        factories.buy(other, "20", occurred_at=DUE + timedelta(days=days))
    found = lookalikes.find(member=alex, at=DUE + timedelta(days=5))
    assert [(w.campaign_id, w.name, w.people) for w in found.worked] == [(film.pk, "Film", 2)]


def test_finding_takes_one_query(django_assert_num_queries: Any) -> None:
    alex = lover("hiking")
    for _ in range(3):
        lover("hiking", buys=1)
    with django_assert_num_queries(1):
        assert len(numbers(alex)) == 3
