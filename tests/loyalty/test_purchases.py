"""Purchases: recorded once, with their points in the answer."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Invalid
from loyalty import auditing, purchases, rewards, vouchers
from loyalty.models import (
    Account,
    CapCounter,
    Entry,
    Lot,
    Purchase,
    PurchaseLine,
    Voucher,
    VoucherUse,
)
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def given_by(receipt: purchases.Receipt) -> dict[str, int]:
    return {award.rule: award.points for award in receipt.awards}


# --- The answer -------------------------------------------------------------------------------
def test_answer_has_the_points_and_the_new_balance(alex: Member) -> None:
    factories.grant(alex, 5)
    receipt = factories.buy(alex, line("19.90", 2), "5.25")
    assert given_by(receipt) == {"purchases": 45}
    assert (receipt.is_new, receipt.points, receipt.balance) == (True, 45, 50)
    assert factories.account(alex).balance == 50


def test_every_rule_that_gives_is_in_the_answer_with_its_reason(alex: Member) -> None:
    factories.rule("tents", categories=["tents"], points=25)
    receipt = factories.buy(alex, line("80", category="tents"), "20")
    assert [(award.rule, award.because) for award in receipt.awards] == [
        ("purchases", "Purchases: 1 per 1 USD on 100.00 USD"),
        ("tents", "Tents: 25 points"),
    ]


def test_lines_are_kept_with_what_the_catalogue_knows(alex: Member) -> None:
    tent = factories.product("tent", category="tents")
    factories.buy(alex, line("80", 2, sku="tent"), line("5", sku="unknown"))
    rows = PurchaseLine.objects.values_list("position", "sku", "product", "category", "quantity")
    assert list(rows) == [(1, "tent", tent.pk, "tents", 2), (2, "unknown", None, "", 1)]


def test_purchase_teaches_the_interests_of_what_was_bought(alex: Member) -> None:
    factories.product("tent", interests=["camping", "hiking"])
    factories.buy(alex, line("80", sku="tent"), line("20", category="snow"))
    fact = Interaction.objects.get(member=alex)
    taught = {factories.interest(slug).pk for slug in ("camping", "hiking", "snow")}
    assert (fact.kind.slug, fact.sku, fact.value) == ("purchase", "tent", Decimal(100))
    assert set(fact.interests) == taught


# --- Once -------------------------------------------------------------------------------------
def test_same_purchase_again_is_answered_but_not_recorded(alex: Member) -> None:
    basket = factories.basket(alex, "20", "5")
    first = purchases.record(basket, now=NOW)
    again = purchases.record(basket, now=NOW + DAY)
    assert (again.is_new, again.purchase_id) == (False, first.purchase_id)
    assert (given_by(again), again.balance) == (given_by(first), 25)
    assert Entry.objects.count() == Interaction.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"lines": (line("21"),)},
        {"lines": (line("20", 2),)},
        {"lines": (line("20"), line("1"))},
        {"lines": (line("20", sku="tent"),)},
        {"currency": "EUR"},
        {"occurred_at": NOW - DAY},
    ],
)
def test_other_purchase_under_the_same_reference_is_a_conflict(
    alex: Member, change: dict[str, Any]
) -> None:
    basket = factories.basket(alex, "20")
    purchases.record(basket, now=NOW)
    with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
        purchases.record(replace(basket, **change), now=NOW)
    assert factories.account(alex).balance == 20


def test_purchase_of_another_member_under_the_same_reference_is_a_conflict(alex: Member) -> None:
    basket = factories.basket(alex, "20")
    purchases.record(basket, now=NOW)
    kim = factories.member()
    with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
        purchases.record(replace(basket, member_id=kim.pk), now=NOW)


def test_every_store_and_channel_numbers_its_own_receipts(alex: Member) -> None:
    denver, boulder = factories.store("denver"), factories.store("boulder")
    basket = factories.basket(alex, "20", reference="1")
    for origin in ({"store": denver}, {"store": boulder}, {"channel": "app"}, {}):
        assert purchases.record(replace(basket, **origin), now=NOW).is_new
    assert factories.account(alex).balance == 80


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": ()}, "/lines"),
        ({"lines": (line("1"),) * 501}, "/lines"),
        ({"lines": (line("9999999999", 2),)}, "/lines"),
        ({"lines": (line("1"), line("1", 0))}, "/lines/1/quantity"),
        ({"lines": (line("1", -1),)}, "/lines/0/quantity"),
        ({"lines": (line("-0.01"),)}, "/lines/0/unit_price"),
        ({"lines": (line("0.001"),)}, "/lines/0/unit_price"),
        ({"channel": "store"}, "/store"),
        ({"occurred_at": NOW + timedelta(minutes=6)}, "/occurred_at"),
        ({"occurred_at": NOW.replace(year=1969)}, "/occurred_at"),
    ],
)
def test_what_cannot_be_a_purchase_is_refused_by_its_field(
    alex: Member, change: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        purchases.record(replace(factories.basket(alex, "20"), **change), now=NOW)
    assert refusal.value.pointer == pointer
    assert not Purchase.objects.exists()


# --- Terms of rules ---------------------------------------------------------------------------
def test_points_wait_and_expire_on_the_rules_terms(alex: Member) -> None:
    factories.only_rule(pending_days=14, valid_months=12)
    receipt = factories.buy(alex, "20")
    lot = Lot.objects.get()
    assert (receipt.points, receipt.balance) == (10, 0)
    assert (lot.is_pending, lot.available_at) == (True, NOW + 14 * DAY)
    assert lot.expires_at == NOW.replace(year=2028)


@pytest.mark.parametrize(("cap", "given"), [(15, [10, 5, 0]), (5, [5, 0, 0]), (None, [10, 10, 10])])
def test_members_cap_gives_what_is_left_and_then_nothing(
    alex: Member, cap: int | None, given: list[int]
) -> None:
    factories.only_rule(member_cap=cap)
    assert [factories.buy(alex, "20").points for _ in range(3)] == given
    assert auditing.audit().findings == ()


@pytest.mark.parametrize(
    ("period", "days_later", "given"),
    [
        ("day", 0, 0), ("day", 1, 10), ("week", 6, 0), ("week", 7, 10),
        ("month", 30, 0), ("month", 31, 10), ("year", 305, 0), ("year", 306, 10),
        ("ever", 3_000, 0),
    ],
)  # fmt: skip
def test_cap_begins_anew_with_its_period(
    alex: Member, period: str, days_later: int, given: int
) -> None:
    factories.only_rule(member_cap=10, member_cap_period=period)
    assert factories.buy(alex, "20").points == 10
    assert factories.buy(alex, "20", occurred_at=NOW + days_later * DAY).points == given


def test_days_of_caps_are_the_members_own() -> None:
    factories.only_rule(member_cap=10, member_cap_period="day")
    tokyo = factories.member(time_zone="Asia/Tokyo")
    morning = NOW.replace(hour=14, minute=59)  # 23:59 in Tokyo
    assert factories.buy(tokyo, "20", occurred_at=morning).points == 10
    assert factories.buy(tokyo, "20", occurred_at=morning + timedelta(minutes=1)).points == 10


def test_programmes_cap_is_shared_by_all_members() -> None:
    factories.only_rule(programme_cap=25)
    given = [factories.buy(one, "20").points for one in factories.members(4)]
    assert given == [10, 10, 5, 0]
    assert CapCounter.objects.get().used == 25


def test_capped_award_says_so(alex: Member) -> None:
    factories.only_rule(member_cap=4)
    (award,) = factories.buy(alex, "20").awards
    assert award.because == "Only: 10 points (up to the cap)"


def test_first_purchase_is_the_earliest_whichever_arrived_first(alex: Member) -> None:
    factories.only_rule(first_purchase_only=True)
    assert factories.buy(alex, "20", occurred_at=NOW - DAY, now=NOW).points == 10
    assert factories.buy(alex, "20").points == 0
    assert factories.buy(alex, "20", occurred_at=NOW - 2 * DAY, now=NOW).points == 10


def test_tier_earned_by_a_purchase_counts_from_the_next_one_on(alex: Member) -> None:
    factories.tier("gold", 100)
    factories.rule("gold-bonus", tiers=["gold"], points=50)
    assert factories.buy(alex, "100").points == 100
    assert given_by(factories.buy(alex, "10")) == {"purchases": 10, "gold-bonus": 50}


def test_most_generous_rule_of_a_group_gives(alex: Member) -> None:
    factories.rule("small", group="season", points=5)
    factories.rule("large", group="season", points=8)
    assert given_by(factories.buy(alex, "10")) == {"large": 8, "purchases": 10}


def test_older_version_of_a_rule_gives_nothing(alex: Member) -> None:
    factories.only_rule(is_published=False)
    assert factories.buy(alex, "20").awards == ()
    assert factories.account(alex).balance == 0


# --- Vouchers ---------------------------------------------------------------------------------
def voucher_of(alex: Member, **said: Any) -> str:
    reward = factories.reward(f"r{Voucher.objects.count()}", **said)
    factories.grant(alex, reward.points)
    return rewards.redeem(member=alex, slug=reward.slug, now=NOW).code


def test_voucher_lowers_the_total_and_the_points(alex: Member) -> None:
    receipt = factories.buy(alex, "20", "10", voucher_codes=(voucher_of(alex),))
    purchase = Purchase.objects.get()
    assert (receipt.points, purchase.total) == (20, Decimal(20))
    use = VoucherUse.objects.get()
    assert (use.voucher.state, use.purchase, use.taken_off) == ("redeemed", purchase, Decimal(10))


def test_voucher_worth_more_than_the_basket_leaves_nothing_to_pay(alex: Member) -> None:
    receipt = factories.buy(alex, "6.50", voucher_codes=(voucher_of(alex),))
    assert (receipt.points, Purchase.objects.get().total) == (0, Decimal(0))


def test_used_voucher_stops_the_second_purchase_whole(alex: Member) -> None:
    code = voucher_of(alex)
    factories.buy(alex, "20", voucher_codes=(code,))
    with pytest.raises(vouchers.VoucherRefused), transaction.atomic():
        factories.buy(alex, "20", voucher_codes=(code,))
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize(
    ("voucher", "bought"),
    [
        ({"currency": "EUR"}, {}),
        ({"minimum_spend": Decimal("20.01")}, {}),
        ({"valid_days": 1}, {"occurred_at": NOW, "now": NOW + DAY}),
    ],
    ids=["other currency", "too small a basket", "expired"],
)
def test_voucher_that_does_not_fit_is_refused(
    alex: Member, voucher: dict[str, Any], bought: dict[str, Any]
) -> None:
    code = voucher_of(alex, **voucher)
    refused = pytest.raises((vouchers.VoucherRefused, vouchers.VoucherTooSmallABasket))
    with refused, transaction.atomic():
        factories.buy(alex, "20", voucher_codes=(code,), **bought)
    assert Voucher.objects.get().state == "active"


def test_anothers_voucher_is_refused_like_an_unknown_one(alex: Member) -> None:
    code, kim = voucher_of(alex), factories.member()
    for tried in (code, "0000-0000-0000"):
        with pytest.raises(vouchers.VoucherRefused, match="cannot be used"), transaction.atomic():
            factories.buy(kim, "20", voucher_codes=(tried,))


def test_same_purchase_with_its_voucher_again_is_answered(alex: Member) -> None:
    basket = factories.basket(alex, "20", voucher_codes=(voucher_of(alex),))
    first, again = (purchases.record(basket, now=NOW) for _ in range(2))
    assert (again.is_new, given_by(again)) == (False, given_by(first))


@pytest.mark.parametrize("comes_first", ["with", "without"])
def test_same_purchase_with_and_without_a_voucher_are_two(alex: Member, comes_first: str) -> None:
    plain = factories.basket(alex, "20")
    reduced = replace(plain, voucher_codes=(voucher_of(alex),))
    first, second = (plain, reduced) if comes_first == "without" else (reduced, plain)
    purchases.record(first, now=NOW)
    with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
        purchases.record(second, now=NOW)


# --- Many at once -----------------------------------------------------------------------------
@given(data=st.data())
@settings(max_examples=10)
def test_many_at_once_earn_what_each_alone_would(data: st.DataObject) -> None:
    """Whatever the order they are handed over in: a file is not sorted."""
    with factories.undone():
        factories.rule("capped", member_cap=25, member_cap_period="month", per="unit", points=3)
        factories.rule("first", first_purchase_only=True, points=100)
        people = factories.members(3)
        baskets = [
            factories.basket(
                data.draw(st.sampled_from(people)),
                *data.draw(st.lists(st.sampled_from(["3.99", "20", "0.50"]), min_size=1)),
                occurred_at=NOW - days * DAY,
            )
            for days in data.draw(st.lists(st.integers(0, 60), max_size=8, unique=True))
        ]
        points: list[dict[str, dict[str, int]]] = []
        for at_once in (True, False):
            with factories.undone():
                if at_once:
                    receipts = purchases.record_many(baskets, now=NOW)
                    said = dict(zip((b.reference for b in baskets), receipts, strict=True))
                else:
                    oldest_first = sorted(baskets, key=lambda one: one.occurred_at)
                    said = {b.reference: purchases.record(b, now=NOW) for b in oldest_first}
                points.append({name: given_by(receipt) for name, receipt in said.items()})
                balances = dict(Account.objects.values_list("member", "balance"))
                points.append({"balances": {str(pk): b for pk, b in balances.items()}})
                assert auditing.audit().findings == ()
        assert points[:2] == points[2:]


def test_of_two_in_one_batch_with_one_reference_the_first_counts(alex: Member) -> None:
    basket = factories.basket(alex, "20")
    receipts = purchases.record_many([basket, basket], now=NOW)
    assert [receipt.is_new for receipt in receipts] == [True, False]
    assert factories.account(alex).balance == 20


def test_purchases_without_points_leave_the_ledger_alone(alex: Member) -> None:
    purchases.record_many([factories.basket(alex, "20")], now=NOW, with_points=False)
    assert (Purchase.objects.count(), Entry.objects.count()) == (1, 0)
