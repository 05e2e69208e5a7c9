"""Tiers: what was earned within the window decides."""

from datetime import timedelta

import pytest

from loyalty import tiers
from loyalty.models import Purchase
from loyalty.returns import ReturnedLine, record
from members.models import Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    factories.tier("silver", 100)
    factories.tier("gold", 300)
    return factories.member()


def held(by: Member) -> str | None:
    tier = factories.account(by).tier
    return tier.slug if tier else None


@pytest.mark.parametrize(
    ("spent", "tier"), [("99", None), ("100", "silver"), ("299", "silver"), ("1000", "gold")]
)
def test_highest_tier_that_was_reached_is_held(alex: Member, spent: str, tier: str | None) -> None:
    factories.buy(alex, spent)
    assert held(alex) == tier


def test_spending_points_keeps_the_tier(alex: Member) -> None:
    factories.buy(alex, "100")
    factories.spend(alex, 100)
    tiers.qualify(at=NOW)
    assert held(alex) == "silver"


def test_points_from_staff_do_not_count(alex: Member) -> None:
    factories.grant(alex, 500)
    tiers.qualify(at=NOW)
    assert held(alex) is None


def test_points_that_are_still_waiting_count(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, pending_days=14)
    factories.buy(alex, "100")
    assert held(alex) == "silver"


def test_what_was_returned_does_not_count_even_if_it_was_spent(alex: Member) -> None:
    receipt = factories.buy(alex, line("100", sku="tent"))
    factories.spend(alex, 100)
    record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="x", occurred_at=NOW,
        lines=[ReturnedLine("tent", 1)], now=NOW,
    )  # fmt: skip
    assert held(alex) is None


def test_tier_lapses_when_its_points_leave_the_window(alex: Member) -> None:
    factories.buy(alex, "100")
    tiers.qualify(at=NOW + 365 * DAY - timedelta(seconds=1))
    assert held(alex) == "silver"
    assert tiers.qualify(at=NOW + 365 * DAY) == 1
    assert held(alex) is None


def test_only_the_members_asked_for_are_qualified(alex: Member) -> None:
    factories.buy(alex, "100")
    assert tiers.qualify(member_ids=[], at=NOW + 365 * DAY) == 0
    assert held(alex) == "silver"


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        ("0.5", (None, "silver", 100)),
        ("120", ("silver", "gold", 180)),
        ("300", ("gold", None, None)),
    ],
)
def test_standing_says_what_is_missing(
    alex: Member, spent: str, expected: tuple[str | None, str | None, int | None]
) -> None:
    factories.buy(alex, spent)
    standing = tiers.standing(member=Member.objects.get(pk=alex.pk), at=NOW)
    assert expected == (
        standing.tier.slug if standing.tier else None,
        standing.next_tier.slug if standing.next_tier else None,
        standing.points_to_next,
    )
