"""Guests: kept without a name, claimed once by whoever holds the receipt."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Invalid, NotFound
from loyalty import (
    auditing,
    claims,
    expiry,
    fulfilment,
    guests,
    purchases,
    returns,
    sweeping,
)
from loyalty.models import GuestReceipt, PointsPolicy, Purchase
from members.models import Interaction, Member
from tests import factories
from tests.factories import NOW, line

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def kept(*lines: Any, **said: Any) -> guests.Kept:
    return guests.keep(factories.guest_basket(*lines, **said), now=NOW)


def claim(member: Member, kept: guests.Kept, **said: Any) -> purchases.Receipt:
    return claims.claim(member=member, code=kept.code, **{"now": NOW, **said})[1]


def bring_back(
    receipt: str, sku: str, quantity: int = 1, *, reference: str = "back"
) -> returns.ReturnReceipt:
    lines = [returns.ReturnedLine(sku, quantity)]
    return returns.take_back(
        purchase_reference=receipt, reference=reference, lines=lines, occurred_at=NOW, now=NOW
    )


# --- Keeping ----------------------------------------------------------------------------------
def test_answer_says_what_claiming_would_give() -> None:
    factories.rule("tents", categories=["tents"], points=25)
    receipt = kept(line("80", category="tents"), "20")
    assert (receipt.is_new, receipt.points) == (True, 125)
    assert receipt.receipt.claimable_until == NOW + 30 * DAY
    assert not Purchase.objects.exists()


def test_same_receipt_again_has_the_same_code() -> None:
    basket = factories.guest_basket("20")
    first, again = (guests.keep(basket, now=NOW + n * DAY) for n in range(2))
    assert (again.is_new, again.code) == (False, first.code)
    assert again.receipt.claimable_until == first.receipt.claimable_until


def test_code_is_not_in_the_database() -> None:
    receipt = kept("20")
    values = GuestReceipt.objects.values().get()
    typed = receipt.code.replace("-", "")
    assert not any(code in str(values) for code in (receipt.code, typed))


def test_reference_is_taken_once_by_guests_and_members(alex: Member) -> None:
    guest = factories.guest_basket("20")
    guests.keep(guest, now=NOW)
    bought = factories.basket(alex, "20")
    purchases.record(bought, now=NOW)
    for taken, record in (
        (replace(guest, lines=(line("21"),)), guests.keep),
        (replace(guest, member_id=alex.pk), purchases.record),
        (replace(bought, member_id=guest.member_id), guests.keep),
    ):
        with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
            record(taken, now=NOW)
    assert (GuestReceipt.objects.count(), Purchase.objects.count()) == (1, 1)


def test_guest_pays_with_no_voucher() -> None:
    with pytest.raises(Invalid) as refusal:
        kept("20", voucher_codes=("ABCD",))
    assert refusal.value.pointer == "/vouchers"


# --- Claiming ---------------------------------------------------------------------------------
def test_claimed_receipt_is_a_purchase_as_if_the_member_had_been_named(alex: Member) -> None:
    factories.product("tent", interests=["camping"])
    store = factories.store()
    bought = factories.guest_basket(
        line("80", sku="tent"), "19.90", store=store, channel="store", occurred_at=NOW - 2 * DAY
    )
    code = guests.keep(bought, now=NOW - DAY).code
    reference, receipt = claims.claim(member=alex, code=code.lower(), now=NOW)
    row = Purchase.objects.get()
    assert (reference, receipt.points, receipt.balance) == (bought.reference, 99, 99)
    assert (row.member_id, row.store, row.occurred_at, row.total) == (
        alex.pk, store, bought.occurred_at, Decimal("99.90"),
    )  # fmt: skip
    taught = Interaction.objects.get().interests
    assert taught == [factories.interest("camping").pk]
    assert auditing.audit().findings == ()


def test_receipt_is_claimed_once_ever(alex: Member) -> None:
    receipt = kept("20")
    claim(alex, receipt)
    for member in (alex, factories.member()):
        with pytest.raises(claims.ReceiptRefused), transaction.atomic():
            claim(member, receipt)
    assert factories.account(alex).balance == 20


def test_database_lets_nobody_claim_a_purchase_twice(alex: Member) -> None:
    claim(alex, kept("20"))
    kept("30")
    other = GuestReceipt.objects.filter(claimed_at=None)
    with pytest.raises(IntegrityError, match="guest_receipt_claimed_once"), transaction.atomic():
        other.update(claimed_at=NOW, purchase=Purchase.objects.get())


def test_unknown_expired_and_claimed_codes_get_one_answer(alex: Member) -> None:
    expired, claimed = kept("20"), kept("30")
    claim(alex, claimed)
    said = set()
    for code, now in (
        ("0000-0000-0000", NOW), ("x" * 60, NOW), (expired.code, NOW + 30 * DAY),
        (claimed.code, NOW),
    ):  # fmt: skip
        with pytest.raises(claims.ReceiptRefused) as refusal, transaction.atomic():
            claims.claim(member=alex, code=code, now=now)
        said.add((refusal.value.code, refusal.value.detail))
    assert len(said) == 1


def test_window_is_the_policys_of_the_day_it_was_printed(alex: Member) -> None:
    PointsPolicy.objects.update(claim_days=2)
    receipt = kept("20")
    PointsPolicy.objects.update(claim_days=1)
    assert claim(alex, receipt, now=NOW + 2 * DAY - timedelta(seconds=1)).points == 20


# --- Goods that moved before the claim --------------------------------------------------------
def test_goods_that_came_back_before_the_claim_give_nothing_after_it(alex: Member) -> None:
    receipt = kept(line("10", 3, sku="tent"), reference="r")
    back = bring_back("r", "tent", 2)
    assert (back.is_new, back.points_taken, back.balance) == (True, 0, None)
    assert not bring_back("r", "tent", 2).is_new
    assert claim(alex, receipt).points == factories.account(alex).balance == 10
    assert bring_back("r", "tent", 2).is_new is False
    assert bring_back("r", "tent", reference="rest").points_taken == 10
    assert auditing.audit().findings == ()


@given(
    backs=st.lists(st.sampled_from(["tent", "boot"]), max_size=6), claimed_after=st.integers(0, 6)
)
@settings(max_examples=15)
def test_points_are_those_of_what_was_kept_whenever_it_is_claimed(
    backs: list[str], claimed_after: int
) -> None:
    with factories.undone():
        alex = factories.member()
        prices = {"tent": Decimal("19.90"), "boot": Decimal("7.45")}
        left = dict.fromkeys(prices, 3)
        bought = [line(str(price), 3, sku=sku) for sku, price in prices.items()]
        receipt = kept(*bought, reference="r")
        for number, sku in enumerate([*backs, ""]):
            if number == min(claimed_after, len(backs)):
                claim(alex, receipt)
            if sku and left[sku]:
                left[sku] -= 1
                bring_back("r", sku, reference=str(number))
        expected = int(sum(prices[sku] * pieces for sku, pieces in left.items()))
        assert factories.account(alex).balance == expected
        assert auditing.audit().findings == ()


@pytest.mark.parametrize(("sku", "quantity"), [("tent", 2), ("boot", 1)])
def test_more_than_was_sold_to_a_guest_does_not_come_back(sku: str, quantity: int) -> None:
    kept(line("10", 2, sku="tent"), reference="r")
    bring_back("r", "tent")
    with pytest.raises(Invalid), transaction.atomic():
        bring_back("r", sku, quantity, reference="more")


def test_other_return_of_a_guest_under_the_same_reference_is_a_conflict() -> None:
    kept(line("10", 3, sku="tent"), reference="r")
    bring_back("r", "tent", 1)
    with pytest.raises(guests.GuestReturnConflict), transaction.atomic():
        bring_back("r", "tent", 2)


def test_return_of_nothing_is_not_found() -> None:
    with pytest.raises(NotFound):
        bring_back("r", "tent")


def test_goods_sent_before_the_claim_are_sent_after_it(alex: Member) -> None:
    factories.only_rule(is_pending_shipment=True, pending_days=14)
    receipt = kept("20", reference="r")
    moved = fulfilment.ship(reference="r", store_code="", occurred_at=NOW + DAY, now=NOW + DAY)
    assert (moved.shipped_at, moved.balance) == (NOW + DAY, None)
    assert claim(alex, receipt, now=NOW + 2 * DAY).points == 10
    assert Purchase.objects.get().shipped_at == NOW + DAY
    expiry.mature(now=NOW + 15 * DAY)
    assert factories.account(alex).balance == 10


# --- Forgetting -------------------------------------------------------------------------------
def test_receipts_are_dropped_a_month_after_their_window(alex: Member) -> None:
    kept("20")
    claim(alex, kept("30"))
    last = NOW + 60 * DAY
    assert guests.drop(now=last - timedelta(seconds=1)) == 0
    sweeping.each(sweeping.NIGHTLY, now=last)
    assert (GuestReceipt.objects.count(), Purchase.objects.count()) == (0, 1)
