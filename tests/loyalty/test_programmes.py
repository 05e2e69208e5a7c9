"""Every way to earn that a programme asks for is rows alone: configured here, and paid for real."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty import checkins, earn_rules, outings, returns, rewards
from loyalty.models import Award, EarnRule, Outing, Place, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, PEAK, line

SUMMER = {
    "starts_at": datetime(2027, 6, 1, tzinfo=UTC),
    "ends_at": datetime(2027, 9, 1, tzinfo=UTC),
}
JULY = datetime(2027, 7, 14, 9, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def rule(slug: str, **said: Any) -> EarnRule:
    """A rule that the staff could have made: it passes the same check."""
    facts = {"name": slug.title(), "fact": "purchase", "points": 1, "per": "amount"}
    made = EarnRule(slug=slug, **{**facts, **said})
    return earn_rules.introduce(rule=made, now=NOW - timedelta(days=90))


def give_tier(to: Member, slug: str) -> None:
    factories.grant(to, 1)
    to.account.tier = factories.tier(slug, 0)
    to.account.save()


def given(by: Member, *lines: Any, **said: Any) -> dict[str, int]:
    """What each rule gives for one purchase."""
    return {award.rule: award.points for award in factories.buy(by, *lines, **said).awards}


def come_here(member: Member, place: Place) -> int:
    report = checkins.Report(
        latitude=place.latitude, longitude=place.longitude, accuracy_m=10, occurred_at=NOW
    )
    return checkins.check_in(member=member, report=report, now=NOW).points


def come_along(member: Member, outing: Outing) -> int:
    at = outing.starts_at + timedelta(minutes=5)
    code = outings.code_of(outing=outing, at=at)
    return outings.attend(member=member, code=outing.code, proof=code, now=at).registration.points


# --- Per money --------------------------------------------------------------------------------
def test_money_earns_by_store(alex: Member) -> None:
    rule("denver", stores=["denver"], points=2)
    shop = factories.store("denver")
    assert given(alex, 50, store=shop, channel="store") == {"denver": 100, "purchases": 50}
    assert given(alex, 50) == {"purchases": 50}


def test_money_earns_by_category(alex: Member) -> None:
    rule("boots", categories=["boots"], points=3)
    assert given(alex, line(40, category="boots"), 60) == {"boots": 120, "purchases": 100}


def test_money_earns_by_product_and_by_unit(alex: Member) -> None:
    rule("tents", skus=["tent"], points=1, per_amount=Decimal(10))
    rule("mugs", skus=["mug"], points=5, per="unit")
    bought = line(99, sku="tent"), line(8, 3, sku="mug")
    assert given(alex, *bought) == {"mugs": 15, "purchases": 123, "tents": 9}


def test_money_earns_by_pursuit(alex: Member) -> None:
    factories.product("axe", interests=["climbing"])
    rule("climbers", interests=["climbing"])
    assert given(alex, line(30, sku="axe"), 5) == {"climbers": 30, "purchases": 35}


def test_money_earns_by_tier(alex: Member) -> None:
    rule("gold", tiers=["gold"])
    assert given(alex, 10) == {"purchases": 10}
    give_tier(alex, "gold")
    assert given(alex, 10) == {"gold": 10, "purchases": 10}


def test_money_earns_by_season(alex: Member) -> None:
    rule("summer", **SUMMER)
    assert given(alex, 10) == {"purchases": 10}
    assert given(alex, 10, occurred_at=JULY) == {"purchases": 10, "summer": 10}


def test_first_purchase_earns_once(alex: Member) -> None:
    rule("welcome", points=250, per="fact", first_purchase_only=True)
    assert given(alex, 10) == {"purchases": 10, "welcome": 250}
    assert given(alex, 10, occurred_at=NOW + timedelta(days=1)) == {"purchases": 10}


@pytest.mark.parametrize(("is_before", "points"), [(False, 20), (True, 30)])
def test_money_counts_after_or_before_vouchers(alex: Member, is_before: bool, points: int) -> None:
    factories.only_rule(per="amount", points=1, is_before_vouchers=is_before)
    factories.reward(value=Decimal(10))
    factories.grant(alex, 100)
    codes = (rewards.redeem(member=alex, slug="tenner", now=NOW).code,)
    assert given(alex, 30, voucher_codes=codes) == {"only": points}


# --- Stacking ---------------------------------------------------------------------------------
def test_double_points_for_a_tier_in_summer(alex: Member) -> None:
    rule("silver summer", per="point", points=1, tiers=["silver"], **SUMMER)
    give_tier(alex, "silver")
    assert given(alex, "10.50") == {"purchases": 10}
    doubled = {"purchases": 10, "silver summer": 10}
    assert given(alex, "10.50", occurred_at=JULY) == doubled


def test_half_as_much_again_is_rounded_down_once(alex: Member) -> None:
    rule("welcome", points=4, per="fact")
    rule("half", per="point", points=1, per_amount=Decimal(2))
    assert given(alex, "11.99") == {"half": 7, "purchases": 11, "welcome": 4}


def test_multiple_of_one_rule_leaves_the_others(alex: Member) -> None:
    rule("welcome", points=500, per="fact")
    rule("double", per="point", of_rules=["purchases"])
    assert given(alex, 20) == {"double": 20, "purchases": 20, "welcome": 500}


def test_multiple_of_some_goods_counts_only_what_they_earned(alex: Member) -> None:
    rule("double boots", per="point", points=2, categories=["boots"])
    bought = line(30, category="boots"), line(70, category="tents")
    assert given(alex, *bought) == {"double boots": 60, "purchases": 100}


def test_multiple_is_of_what_the_cap_let_through(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, member_cap=15, member_cap_period="month")
    rule("double", per="point")
    assert given(alex, 10) == {"double": 10, "only": 10}
    assert given(alex, 10) == {"double": 5, "only": 5}
    assert given(alex, 10) == {}


def test_multiples_do_not_multiply_each_other(alex: Member) -> None:
    rule("double", per="point")
    rule("treble", per="point", points=2)
    assert given(alex, 10) == {"double": 10, "purchases": 10, "treble": 20}


def test_best_multiple_of_a_group_gives(alex: Member) -> None:
    rule("double", per="point", group="season")
    rule("treble", per="point", points=2, group="season")
    assert given(alex, 10) == {"purchases": 10, "treble": 20}


def test_exclusive_rule_keeps_out_multiples_of_lower_priority(alex: Member) -> None:
    rule("sale", points=3, per="fact", is_exclusive=True, priority=5)
    rule("double", per="point")
    assert given(alex, 10) == {"sale": 3}


def test_priority_decides_not_who_was_saved_last(alex: Member) -> None:
    first = rule("first", points=1, group="week", priority=1)
    rule("second", points=9, group="week")
    earn_rules.revise(rule=first, changes={"name": "Touched last"}, now=NOW)
    assert given(alex, 10) == {"first": 10, "purchases": 10}


def test_return_takes_the_multiple_of_what_came_back(alex: Member) -> None:
    rule("half", per="point", points=1, per_amount=Decimal(2))
    factories.buy(alex, line("5", 3, sku="cup"), reference="r")
    receipt = returns.record(
        purchase=Purchase.objects.get(), reference="back", occurred_at=NOW, now=NOW,
        lines=[returns.ReturnedLine("cup", 1)],
    )  # fmt: skip
    # 15 and 7 were given; 10 and 5 are left.
    assert (receipt.points_taken, receipt.balance) == (7, 15)


def test_multiple_says_what_it_multiplied(alex: Member) -> None:
    rule("half", per="point", points=1, per_amount=Decimal(2))
    said = {award.rule: award.because for award in factories.buy(alex, 11).awards}
    assert said["half"] == "Half: 1 for every 2 of 11 points"
    assert Award.objects.get(rule__slug="half").base == 11


# --- Being there ------------------------------------------------------------------------------
def test_check_in_at_a_flagged_place_earns(alex: Member) -> None:
    flagged = factories.place(points=None)
    factories.place("kiosk", points=0, latitude=PEAK["latitude"] + 1)
    assert come_here(alex, flagged) == 50


def test_place_may_be_worth_more_and_some_places_double(alex: Member) -> None:
    rule("spring", fact="check_in", per="point", subjects=["peak"])
    assert come_here(alex, factories.place(points=80)) == 160


def test_check_in_for_a_pursuit_takes_the_best_rule(alex: Member) -> None:
    rule("climbs", fact="check_in", per="fact", points=70, interests=["climbing"])
    assert come_here(alex, factories.place(interests=["climbing"])) == 70


def test_outing_attended_earns(alex: Member) -> None:
    rule("ridge walk", fact="outing", per="fact", points=30, subjects=["ridge"])
    assert come_along(alex, factories.outing("ridge")) == 130
    assert come_along(alex, factories.outing("lake")) == 100
