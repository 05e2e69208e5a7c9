"""Looked twice and did not buy: noticed once, in time, and never of somebody who bought."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from campaigns.models import Journey
from loyalty import hesitations
from members import interactions
from members.models import Interaction, Member
from tests import factories
from tests.campaigns import scenes
from tests.factories import NOW, line

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db

_references = count()


def looked(by: Member, *ago: timedelta, kind: str = "view", **said: Any) -> None:
    for each in ago:
        fact = interactions.Fact(
            member_id=by.pk, kind=kind, occurred_at=NOW - each, reference=str(next(_references)),
            **{"sku": "tent", **said},
        )  # fmt: skip
        interactions.record([fact], now=NOW - each)


def noted(now: datetime = NOW) -> list[str | None]:
    """The products of the hesitations that a sweep records at this moment."""
    before = set(Interaction.objects.values_list("pk", flat=True))
    many = hesitations.note(now=now)
    rows = Interaction.objects.exclude(pk__in=before).filter(kind__slug="hesitated")
    assert rows.count() == many
    return list(rows.order_by("sku").values_list("sku", flat=True))


@pytest.mark.parametrize(
    ("ago", "is_noted"),
    [
        ([2 * HOUR], False),
        ([2 * HOUR, 2.5 * HOUR], False),
        ([2 * HOUR, 3 * HOUR], True),
        ([HOUR, 2 * HOUR], True),
        ([0.9 * HOUR, 3 * HOUR], False),
        ([DAY, 15 * DAY], True),
        ([DAY, 15 * DAY + HOUR], False),
        ([2 * DAY, 5 * DAY], False),
    ],
)
def test_two_occasions_within_two_weeks_are_a_hesitation_once_they_are_over(
    ago: list[timedelta], is_noted: bool, alex: Member
) -> None:
    looked(alex, *ago)
    assert noted() == ["tent"] * is_noted


def test_basket_is_a_look_and_a_search_is_none(alex: Member) -> None:
    looked(alex, 5 * HOUR)
    looked(alex, 3 * HOUR, kind="search")
    assert noted() == []
    looked(alex, 3 * HOUR, kind="add-to-basket")
    assert noted() == ["tent"]


def test_looks_at_different_products_are_none(alex: Member) -> None:
    looked(alex, 5 * HOUR)
    looked(alex, 3 * HOUR, sku="boot")
    looked(alex, 2 * HOUR, 4 * HOUR, sku=None)
    assert noted() == []


@pytest.mark.parametrize(("hours_ago", "is_noted"), [(1, False), (4, False), (9, True)])
def test_who_bought_it_since_does_not_hesitate(
    hours_ago: int, is_noted: bool, alex: Member
) -> None:
    looked(alex, 2 * HOUR, 5 * HOUR)
    dear, tent = line(900, sku="boot"), line(50, sku="tent")
    factories.buy(alex, dear, tent, occurred_at=NOW - hours_ago * HOUR)
    assert noted() == ["tent"] * is_noted


def test_purchase_of_somebody_else_or_of_something_else_does_not_count(alex: Member) -> None:
    looked(alex, 2 * HOUR, 5 * HOUR)
    factories.buy(alex, line(50, sku="boot"), occurred_at=NOW - HOUR)
    factories.buy(factories.member(), line(50, sku="tent"), occurred_at=NOW - HOUR)
    assert noted() == ["tent"]


def test_hesitation_is_noted_once_in_thirty_days(alex: Member) -> None:
    looked(alex, 2 * HOUR, 5 * HOUR)
    assert [noted(), noted()] == [["tent"], []]
    looked(alex, -20 * DAY, -21 * DAY)
    assert noted(NOW + 22 * DAY) == []
    looked(alex, -31 * DAY, -30 * DAY)
    assert noted(NOW + 31 * DAY + HOUR) == ["tent"]


def test_hesitation_says_what_it_is_about(alex: Member) -> None:
    hiking = factories.interest("hiking").pk
    looked(alex, 2 * HOUR, 5 * HOUR, category="tents", interest_ids=(hiking,))
    hesitations.note(now=NOW)
    row = Interaction.objects.get(kind__slug="hesitated")
    assert (row.sku, row.category, row.interests) == ("tent", "tents", [hiking])
    assert row.occurred_at == NOW


def test_longest_sku_fits(alex: Member) -> None:
    looked(alex, 2 * HOUR, 5 * HOUR, sku="x" * 64)
    assert noted() == ["x" * 64]


def test_who_has_left_is_not_noted(alex: Member) -> None:
    looked(alex, 2 * HOUR, 5 * HOUR)
    Member.objects.filter(pk=alex.pk).update(erased_at=NOW)
    assert noted() == []


def test_campaign_answers_a_hesitation(alex: Member) -> None:
    entry = {"kind": "interaction", "interaction": "hesitated", "category": "tents"}
    scenes.live(channels=("inbox",), entry=entry)
    looked(alex, timedelta(0), 2 * HOUR, category="tents")
    looked(factories.member(), timedelta(0), category="tents")
    scenes.turn(NOW)
    assert Journey.objects.count() == 0
    scenes.turn(NOW + HOUR)
    assert Journey.objects.get().member == alex


def test_many_hesitations_cost_few_statements(django_assert_num_queries: Any) -> None:
    for member in factories.members(20):
        looked(member, 2 * HOUR, 5 * HOUR)
    with django_assert_num_queries(2):
        hesitations.note(now=NOW)
