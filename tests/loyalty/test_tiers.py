"""Tiers: what was earned within the window decides."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty import tiers
from loyalty.models import PointsPolicy, Purchase
from loyalty.returns import ReturnedLine, record
from members.models import Interaction, Member
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


# --- Policies ----------------------------------------------------------------------------------
def policy(**said: object) -> None:
    PointsPolicy.objects.update(**said)


def bring_back(by: Member, *, at: datetime) -> None:
    purchase = Purchase.objects.get(member=by)
    record(
        purchase=purchase, reference="back", occurred_at=at, now=at,
        lines=[ReturnedLine(line.sku, line.quantity) for line in purchase.lines.all()],
    )  # fmt: skip


def test_tier_may_count_the_money_that_was_kept(alex: Member) -> None:
    policy(tier_basis="spend")
    factories.only_rule(points=1, per="fact")
    factories.buy(alex, line("60", sku="tent"), line("50", sku="mat"))
    assert held(alex) == "silver"
    purchase = Purchase.objects.get()
    back = [ReturnedLine("mat", 1)]
    record(purchase=purchase, reference="x", lines=back, occurred_at=NOW, now=NOW)
    assert held(alex) is None


def test_points_of_a_rule_that_does_not_count_give_no_tier(alex: Member) -> None:
    factories.only_rule(points=500, per="fact", counts_for_tier=False)
    factories.buy(alex, "10")
    assert held(alex) is None


def test_calendar_window_begins_anew_each_year_of_the_programme(alex: Member) -> None:
    policy(tier_window="calendar")
    factories.buy(alex, "100")
    ends = datetime(NOW.year + 1, 1, 1, tzinfo=ZoneInfo("America/Denver"))
    tiers.qualify(at=ends - timedelta(seconds=1))
    assert held(alex) == "silver"
    tiers.qualify(at=ends)
    assert held(alex) is None


def test_tier_is_kept_to_the_end_of_its_time(alex: Member) -> None:
    policy(tier_downgrade="at_end")
    factories.buy(alex, "100")
    factories.buy(alex, "300", occurred_at=NOW + 300 * DAY, now=NOW + 300 * DAY)
    # The window holds 300 until day 665; gold was reached on day 300 and is kept until then too.
    tiers.qualify(at=NOW + 664 * DAY)
    assert held(alex) == "gold"
    tiers.qualify(at=NOW + 665 * DAY)
    assert held(alex) is None


def test_calendar_tier_is_kept_for_the_year_after_it_was_earned(alex: Member) -> None:
    policy(tier_window="calendar", tier_downgrade="at_end")
    factories.buy(alex, "300")
    ends = datetime(NOW.year + 2, 1, 1, tzinfo=ZoneInfo("America/Denver"))
    tiers.qualify(at=ends - timedelta(seconds=1))
    assert held(alex) == "gold"
    tiers.qualify(at=ends)
    assert held(alex) is None


def test_requalifying_keeps_a_tier_another_year(alex: Member) -> None:
    policy(tier_window="calendar", tier_downgrade="at_end")
    next_year = NOW + 365 * DAY
    factories.buy(alex, "300")
    factories.buy(alex, "300", occurred_at=next_year, now=next_year)
    assert factories.account(alex).tier_until == datetime(
        NOW.year + 3, 1, 1, tzinfo=ZoneInfo("America/Denver")
    )


def test_tier_goes_down_one_step_at_a_time(alex: Member) -> None:
    policy(tier_downgrade="one_step")
    factories.buy(alex, "300")
    seen = []
    for day in (364, 365, 366, 729, 730):
        tiers.qualify(at=NOW + day * DAY)
        seen.append(held(alex))
    assert seen == ["gold", "silver", "silver", "silver", None]


@pytest.mark.parametrize("downgrade", ["at_once", "at_end", "one_step"])
def test_tier_that_came_from_goods_that_came_back_is_lost_at_once(
    alex: Member, downgrade: str
) -> None:
    policy(tier_downgrade=downgrade)
    factories.buy(alex, line("300", sku="tent"))
    assert held(alex) == "gold"
    bring_back(alex, at=NOW + DAY)
    assert held(alex) is None


def test_return_of_other_goods_does_not_end_a_kept_tier_early(alex: Member) -> None:
    policy(tier_downgrade="at_end")
    factories.buy(alex, "300")
    later = NOW + 360 * DAY
    receipt = factories.buy(alex, line("5", sku="sock"), occurred_at=later, now=later)
    purchase = Purchase.objects.get(pk=receipt.purchase_id)
    back = [ReturnedLine("sock", 1)]
    record(purchase=purchase, reference="x", lines=back, occurred_at=later, now=later)
    assert held(alex) == "gold"


def test_change_of_tier_is_an_interaction(alex: Member) -> None:
    factories.buy(alex, "100")
    factories.buy(alex, "1")
    rows = Interaction.objects.filter(kind__slug="tier-change", member=alex)
    assert list(rows.values_list("category", flat=True)) == ["silver"]


def test_projection_is_the_tier_held_if_nothing_more_is_earned(alex: Member) -> None:
    factories.buy(alex, "300")
    member = Member.objects.get(pk=alex.pk)
    assert tiers.standing(member=member, at=NOW).projected_tier == factories.account(alex).tier
    soon = tiers.standing(member=member, at=NOW + 340 * DAY)
    assert (soon.projected_tier, soon.projected_at) == (None, NOW + 370 * DAY)


def test_qualifying_is_one_statement_however_many_members(
    alex: Member, django_assert_num_queries: Any
) -> None:
    for one in factories.members(20):
        factories.buy(one, "50")
    with django_assert_num_queries(1):
        tiers.qualify(at=NOW)
