"""Goods that come back take back exactly the points they gave."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Invalid, NotFound
from loyalty import auditing, earn_rules, expiry, purchases, returns, rewards
from loyalty.models import Award, EarnRule, Purchase, PurchaseLine, Return
from members.models import Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def bring_back(
    receipt: purchases.Receipt, *lines: tuple[str, int], reference: str = "", **said: Any
) -> returns.ReturnReceipt:
    return returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id),
        reference=reference or f"return {Return.objects.count()}",
        lines=[returns.ReturnedLine(sku, quantity) for sku, quantity in lines],
        **{"occurred_at": NOW, "now": NOW, **said},
    )


def net(of: Member) -> int:
    """Points the member has, less those owed."""
    account = factories.account(of)
    return account.balance + account.pending - account.debt


# --- What is taken ----------------------------------------------------------------------------
def test_returned_piece_takes_its_points_back(alex: Member) -> None:
    receipt = factories.buy(alex, line("10", 3, sku="cup"), line("5", sku="cap"))
    assert bring_back(receipt, ("cup", 2)) == returns.ReturnReceipt(
        is_new=True, points_taken=20, debt=0, balance=15
    )


@pytest.mark.parametrize(
    ("terms", "taken"),
    [
        ({"per": "amount", "points": 1}, [10, 10, 10]),
        ({"per": "amount", "points": 1, "per_amount": Decimal(4)}, [2, 3, 2]),  # 7, 5, 2, 0 kept
        ({"per": "unit", "points": 3}, [3, 3, 3]),
        ({"per": "fact", "points": 50}, [0, 0, 50]),
        ({"per": "fact", "points": 50, "minimum_total": Decimal(15)}, [0, 50, 0]),
        ({"per": "unit", "points": 3, "member_cap": 5}, [0, 2, 3]),  # of 9 points 5 were given
    ],
)
def test_what_is_kept_is_worth_what_the_rule_says(
    alex: Member, terms: dict[str, Any], taken: list[int]
) -> None:
    factories.only_rule(**terms)
    receipt = factories.buy(alex, line("10", 3, sku="cup"))
    assert [bring_back(receipt, ("cup", 1)).points_taken for _ in range(3)] == taken
    assert net(alex) == 0


def test_rule_about_other_lines_keeps_its_points(alex: Member) -> None:
    factories.rule("tents", categories=["tents"], points=25)
    receipt = factories.buy(alex, line("80", sku="tent", category="tents"), line("5", sku="cap"))
    assert bring_back(receipt, ("cap", 1)).points_taken == 5
    assert bring_back(receipt, ("tent", 1)).points_taken == 80 + 25


def test_one_sku_on_two_lines_comes_back_line_by_line(alex: Member) -> None:
    receipt = factories.buy(alex, line("10", sku="cup"), line("8", sku="cup"))
    assert bring_back(receipt, ("cup", 2)).points_taken == 18
    assert list(PurchaseLine.objects.values_list("returned", flat=True)) == [1, 1]


def test_todays_rules_do_not_matter(alex: Member) -> None:
    receipt = factories.buy(alex, line("100", sku="tent"))
    purchase_rule = EarnRule.objects.get(slug="purchases", is_published=True)
    earn_rules.revise(rule=purchase_rule, changes={"points": 99, "ends_at": NOW - DAY}, now=NOW)
    assert bring_back(receipt, ("tent", 1)).points_taken == 100


def test_rule_that_ended_still_takes_back_what_it_gave(alex: Member) -> None:
    terms = factories.only_rule(points=30)
    receipt = factories.buy(alex, line("100", sku="tent"))
    EarnRule.objects.filter(pk=terms.pk).update(is_published=False)
    assert bring_back(receipt, ("tent", 1)).points_taken == 30


def test_voucher_lowers_what_a_returned_line_takes(alex: Member) -> None:
    reward = factories.reward(points=10, value=Decimal(10))
    factories.grant(alex, 10)
    code = rewards.redeem(member=alex, slug=reward.slug, now=NOW).code
    lines = line("30", sku="tent"), line("10", sku="cap")
    receipt = factories.buy(alex, *lines, voucher_codes=(code,))
    assert receipt.points == 30
    assert bring_back(receipt, ("cap", 1)).points_taken == 8  # 30.00 - 22.50 kept, rounded down


# --- Spent, expired, waiting ------------------------------------------------------------------
def test_refund_after_the_points_were_spent_is_owed(alex: Member) -> None:
    factories.reward(points=100)
    receipt = factories.buy(alex, line("100", sku="tent"))
    rewards.redeem(member=alex, slug="tenner", now=NOW)
    assert bring_back(receipt, ("tent", 1)) == returns.ReturnReceipt(True, 0, 100, 0)
    assert factories.buy(alex, "130").balance == 30
    assert factories.account(alex).debt == 0


def test_points_that_expired_are_not_taken_twice(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, valid_months=1)
    receipt = factories.buy(alex, line("100", sku="tent"))
    later = NOW + 32 * DAY
    expiry.expire(now=later)
    factories.grant(alex, 50, now=later)
    took = bring_back(receipt, ("tent", 1), now=later)
    assert (took.points_taken, took.debt, took.balance) == (0, 0, 50)


def test_points_still_waiting_are_taken_from_those(alex: Member) -> None:
    factories.only_rule(per="amount", points=1, pending_days=14)
    factories.grant(alex, 50)
    receipt = factories.buy(alex, line("100", sku="tent"))
    bring_back(receipt, ("tent", 1))
    account = factories.account(alex)
    assert (account.balance, account.pending, account.debt) == (50, 0, 0)


def test_return_lowers_the_tier_it_earned(alex: Member) -> None:
    factories.tier("gold", 100)
    receipt = factories.buy(alex, line("100", sku="tent"))
    assert factories.account(alex).tier is not None
    bring_back(receipt, ("tent", 1))
    assert factories.account(alex).tier is None


# --- Once, and only what was bought -----------------------------------------------------------
def test_same_return_again_is_answered_but_takes_nothing(alex: Member) -> None:
    receipt = factories.buy(alex, line("10", 3, sku="cup"))
    first = bring_back(receipt, ("cup", 1), reference="x")
    again = bring_back(receipt, ("cup", 1), reference="x")
    assert (again.is_new, again.points_taken, again.balance) == (False, first.points_taken, 20)


def test_other_return_under_the_same_reference_is_a_conflict(alex: Member) -> None:
    receipt = factories.buy(alex, line("10", 3, sku="cup"))
    bring_back(receipt, ("cup", 1), reference="x")
    with pytest.raises(returns.ReturnConflict), transaction.atomic():
        bring_back(receipt, ("cup", 2), reference="x")


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([], "/lines"),
        ([("cup", 4)], "/lines/0/quantity"),
        ([("cup", 2), ("cup", 2)], "/lines/1/quantity"),
        ([("cup", 0)], "/lines/0/quantity"),
        ([("tent", 1)], "/lines/0/quantity"),
    ],
)
def test_more_than_was_bought_cannot_come_back(
    alex: Member, lines: Sequence[tuple[str, int]], pointer: str
) -> None:
    receipt = factories.buy(alex, line("10", 3, sku="cup"))
    with pytest.raises(Invalid) as refusal, transaction.atomic():
        bring_back(receipt, *lines)
    assert refusal.value.pointer == pointer
    assert not Return.objects.exists()
    assert net(alex) == 30


@pytest.mark.parametrize("at", [NOW + DAY, NOW.replace(year=1900)])
def test_return_at_an_impossible_time_is_refused(alex: Member, at: Any) -> None:
    receipt = factories.buy(alex, line("10", sku="cup"))
    with pytest.raises(Invalid) as refusal:
        bring_back(receipt, ("cup", 1), occurred_at=at)
    assert refusal.value.pointer == "/occurred_at"


def test_till_finds_the_purchases_of_its_own_store_only(alex: Member) -> None:
    factories.buy(alex, "10", reference="1", store=factories.store("denver"))
    assert returns.find_purchase(reference="1", store_code="denver").reference == "1"
    with pytest.raises(NotFound):
        returns.find_purchase(reference="1", store_code="boulder")


def test_reference_of_two_stores_needs_a_stores_own_key(alex: Member) -> None:
    for code in ("denver", "boulder"):
        factories.buy(alex, "10", reference="1", store=factories.store(code))
    with pytest.raises(Invalid, match="own key"):
        returns.find_purchase(reference="1")


# --- Whatever the order -----------------------------------------------------------------------
SKUS = {"tent": "79.99", "cup": "7.45", "cap": "0.99"}

baskets = st.dictionaries(st.sampled_from(sorted(SKUS)), st.integers(1, 4), min_size=1)


def worth(rules: Sequence[EarnRule], kept: dict[str, int]) -> int:
    """The points of a purchase of what was kept, by a new member."""
    if not any(kept.values()):
        return 0
    with factories.undone():
        lines = [line(SKUS[sku], pieces, sku=sku) for sku, pieces in kept.items() if pieces]
        EarnRule.objects.filter(fact="purchase").update(is_published=False)
        EarnRule.objects.filter(pk__in=[rule.pk for rule in rules]).update(is_published=True)
        return factories.buy(factories.member(), *lines).points


@given(bought=st.lists(baskets, min_size=1, max_size=3), data=st.data())
@settings(max_examples=15)
def test_any_buys_and_returns_net_to_the_points_of_what_was_kept(
    bought: list[dict[str, int]], data: st.DataObject
) -> None:
    """Also where points were spent in between, a rule changed, or the debt was paid."""
    with factories.undone():
        alex = factories.member()
        factories.reward(points=20)
        unit = factories.rule("unit", per="unit", points=3, skus=["cup"])
        factories.rule("large", points=40, minimum_total=Decimal(50))
        factories.rule("half more", per="point", points=1, per_amount=Decimal(2), skus=["cup"])
        spent = 0
        kept: list[tuple[purchases.Receipt, dict[str, int], list[EarnRule]]] = []
        for wanted in bought:
            rules = list(EarnRule.objects.filter(is_published=True, fact="purchase"))
            lines = [line(SKUS[sku], pieces, sku=sku) for sku, pieces in wanted.items()]
            kept.append((factories.buy(alex, *lines), dict(wanted), rules))
            receipt, pieces, _ = data.draw(st.sampled_from(kept))
            back = {sku: data.draw(st.integers(0, pieces[sku])) for sku in pieces}
            if any(back.values()):
                bring_back(receipt, *((sku, n) for sku, n in back.items() if n))
                for sku, n in back.items():
                    pieces[sku] -= n
            if factories.account(alex).balance >= 20 and data.draw(st.booleans()):
                rewards.redeem(member=alex, slug="tenner", now=NOW)
                spent += 20
            if data.draw(st.booleans()):
                unit = earn_rules.revise(rule=unit, changes={"points": unit.points + 1}, now=NOW)
        assert net(alex) + spent == sum(worth(rules, pieces) for _, pieces, rules in kept)
        assert auditing.audit().findings == ()


def test_everything_brought_back_leaves_nothing(alex: Member) -> None:
    receipt = factories.buy(alex, *(line(price, 2, sku=sku) for sku, price in SKUS.items()))
    for sku in SKUS:
        bring_back(receipt, (sku, 1))
    bring_back(receipt, *((sku, 1) for sku in SKUS))
    assert net(alex) == 0
    assert all(award.taken_back == award.points for award in Award.objects.all())
