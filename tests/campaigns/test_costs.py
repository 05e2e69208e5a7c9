"""What a campaign cost in points: whose purchase it was, and what is left of what it earned."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from campaigns import costs
from campaigns.models import Campaign, Delivery, Journey, Step
from loyalty import returns
from loyalty.models import Award, EarnRule, PointsPolicy, Purchase
from members import interactions
from members.models import Interaction, Member
from tests import factories
from tests.campaigns.desk import page
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def points() -> None:
    factories.only_rule(points=50)


def send(to: Member, campaign: Campaign, *, at: datetime = NOW, is_held_out: bool = False) -> None:
    """A message of this campaign that went out at a moment, or was held back."""
    journey = Journey.objects.create(
        campaign=campaign, member=to, occurrence="once", is_held_out=is_held_out, due_at=at,
        entered_at=at, zone=to.zone,
    )  # fmt: skip
    step = Step.objects.get(campaign=campaign)
    Delivery.objects.create(
        journey=journey, member=to, campaign=campaign, step=step, variant=step.variants.get(),
        channel="inbox", state="held_out" if is_held_out else "sent", due_at=at,
        sent_at=None if is_held_out else at, expires_at=at + DAY, value=0.05,
    )  # fmt: skip


def told(campaign: Campaign) -> tuple[int, int]:
    cost = costs.point_cost(campaign)
    return cost.purchases, cost.by_purchases


def test_campaign_without_purchases_cost_nothing() -> None:
    cost = costs.point_cost(factories.campaign())
    assert (cost.days, cost.purchases, cost.points, cost.money) == (14, 0, 0, None)


def test_purchase_within_the_days_of_the_goal_is_credited(alex: Member) -> None:
    campaign = factories.campaign(goal={"kind": "purchase", "within_days": 7})
    send(alex, campaign)
    for days in (-1, 0, 6, 7):
        factories.buy(alex, "10", occurred_at=NOW + days * DAY)
    assert told(campaign) == (2, 100)


def test_purchase_is_credited_to_the_last_message_before_it(alex: Member) -> None:
    first, second = factories.campaign("first"), factories.campaign("second")
    send(alex, first)
    send(alex, second, at=NOW + 2 * DAY)
    factories.buy(alex, "10", occurred_at=NOW + DAY)
    factories.buy(alex, "10", occurred_at=NOW + 3 * DAY)
    assert (told(first), told(second)) == ((1, 50), (1, 50))


def test_rival_whose_days_are_over_takes_no_credit(alex: Member) -> None:
    long = factories.campaign("long", goal={"kind": "purchase", "within_days": 30})
    short = factories.campaign("short", goal={"kind": "purchase", "within_days": 1})
    send(alex, long)
    send(alex, short, at=NOW + DAY)
    factories.buy(alex, "10", occurred_at=NOW + 5 * DAY)
    assert (told(long), told(short)) == ((1, 50), (0, 0))


def test_of_two_messages_at_once_one_is_credited(alex: Member) -> None:
    first, second = factories.campaign("first"), factories.campaign("second")
    send(alex, first)
    send(alex, second)
    factories.buy(alex, "10", occurred_at=NOW + DAY)
    assert (told(first), told(second)) == ((0, 0), (1, 50))


def test_members_left_alone_cost_nothing(alex: Member) -> None:
    campaign = factories.campaign()
    send(alex, campaign, is_held_out=True)
    factories.buy(alex, "10", occurred_at=NOW + DAY)
    assert told(campaign) == (0, 0)


def test_what_a_return_took_back_is_no_cost(alex: Member) -> None:
    campaign = factories.campaign()
    send(alex, campaign)
    receipt = factories.buy(alex, line("10", sku="tent"), occurred_at=NOW + DAY)
    returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id), reference="back",
        lines=[returns.ReturnedLine("tent", 1)], occurred_at=NOW + DAY, now=NOW + DAY,
    )  # fmt: skip
    assert told(campaign) == (1, 0)


def test_points_for_deeds_that_name_the_campaign_are_its_cost(alex: Member) -> None:
    campaign = factories.campaign()
    send(alex, campaign)
    rule = factories.rule("clicks", fact="interaction", subjects=["click"], points=5)
    for code in (campaign.code, "another"):
        fact = interactions.Fact(
            member_id=alex.pk, kind="click", occurred_at=NOW, reference=code, campaign=code
        )
        interactions.record([fact], now=NOW)
        Award.objects.create(
            member=alex, rule=rule, fact=EarnRule.Fact.INTERACTION, points=5, base=0,
            fact_id=Interaction.objects.get(reference=code).pk,
        )  # fmt: skip
    cost = costs.point_cost(campaign)
    assert (cost.by_purchases, cost.by_deeds, cost.points) == (0, 5, 5)


def test_money_is_that_of_the_points(alex: Member) -> None:
    PointsPolicy.objects.update(point_value=Decimal("0.012"), point_currency="EUR")
    campaign = factories.campaign()
    send(alex, campaign)
    factories.buy(alex, "10", occurred_at=NOW + DAY)
    cost = costs.point_cost(campaign)
    assert (cost.money, cost.currency) == (Decimal("0.60"), "EUR")


def test_numbers_page_shows_the_cost(alex: Member, marketer: Client) -> None:
    campaign = factories.campaign(is_live=True)
    send(alex, campaign)
    factories.buy(alex, "10", occurred_at=NOW + DAY)
    shown = marketer.get(page("campaign_numbers", campaign.pk))
    assert shown.context["cost"].points == 50
    assert "What it cost in points" in shown.content.decode()
