"""Points as part of a payment: at once, set aside for a till, or allowed to a till offline."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import jwt
import pytest
from django.db import transaction

from config.errors import Invalid, NotFound
from loyalty import auditing, ledger, purchases, returns, tender
from loyalty.models import Hold, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, line

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    factories.points_pay("0.01")
    member = factories.member()
    factories.grant(member, 1_000)
    return member


@pytest.fixture(autouse=True)
def sound() -> Any:
    yield
    assert auditing.audit().findings == ()


def balance(of: Member) -> int:
    return factories.account(of).balance


def pay(by: Member, *lines: Any, till: str = "till", **said: Any) -> purchases.Receipt:
    now = said.pop("now", NOW)
    basket = factories.basket(by, *lines, **{"occurred_at": now, **said})
    with transaction.atomic():
        return purchases.record(basket, now=now, held_by=till)


def hold(of: Member, points: int = 500, **said: Any) -> Hold:
    return tender.hold(member=of, points=points, till="till", now=NOW, **said)


# --- At once ----------------------------------------------------------------------------------
def test_points_pay_a_part_and_earn_nothing_themselves(alex: Member) -> None:
    receipt = pay(alex, "20", points=500)
    purchase = Purchase.objects.get()
    assert (purchase.total, purchase.points_spent, purchase.points_off) == (
        Decimal(15), 500, Decimal(5),
    )  # fmt: skip
    assert (receipt.points, balance(alex)) == (15, 1_000 - 500 + 15)


def test_more_points_than_there_is_to_pay_are_refused(alex: Member) -> None:
    with pytest.raises(Invalid, match="more than there is to pay"):
        pay(alex, "4", points=500)
    assert balance(alex) == 1_000


def test_too_few_points_stop_the_purchase_whole(alex: Member) -> None:
    with pytest.raises(ledger.InsufficientPoints):
        pay(alex, "50", points=1_001)
    assert not Purchase.objects.exists()


def test_points_pay_in_their_currency_only(alex: Member) -> None:
    with pytest.raises(tender.PointsDoNotPay):
        pay(alex, "50", points=100, currency="EUR")


def test_points_without_a_value_do_not_pay() -> None:
    kim = factories.member()
    factories.grant(kim, 100)
    with pytest.raises(tender.PointsDoNotPay):
        pay(kim, "50", points=100)


def test_same_purchase_again_is_answered_and_with_other_points_refused(alex: Member) -> None:
    first = pay(alex, "20", points=500, reference="r")
    again = pay(alex, "20", points=500, reference="r")
    assert (again.is_new, again.points) == (False, first.points)
    for other in (400, 0):
        with pytest.raises(purchases.PurchaseConflict):
            pay(alex, "20", points=other, reference="r")


# --- Coming back ------------------------------------------------------------------------------
def bring_back(receipt: purchases.Receipt, sku: str, reference: str) -> returns.ReturnReceipt:
    return returns.record(
        purchase=Purchase.objects.get(pk=receipt.purchase_id),
        reference=reference,
        lines=[returns.ReturnedLine(sku, 1)],
        occurred_at=NOW,
        now=NOW,
    )


def test_points_that_paid_come_back_with_the_goods(alex: Member) -> None:
    receipt = pay(alex, line("15", sku="tent"), line("5", sku="cup"), points=400)
    assert bring_back(receipt, "tent", "a").points_restored == 300
    assert bring_back(receipt, "cup", "b").points_restored == 100
    assert balance(alex) == 1_000


def test_same_return_again_restores_nothing_more(alex: Member) -> None:
    receipt = pay(alex, line("15", sku="tent"), line("5", sku="cup"), points=400)
    first = bring_back(receipt, "tent", "a")
    again = bring_back(receipt, "tent", "a")
    assert (again.is_new, again.points_restored) == (False, first.points_restored)
    assert balance(alex) == 600 + 300 + 4


# --- Set aside --------------------------------------------------------------------------------
def test_points_set_aside_cannot_be_spent_elsewhere(alex: Member) -> None:
    held = hold(alex, 900)
    assert (held.value, held.valid_until, balance(alex)) == (Decimal(9), NOW + 10 * MINUTE, 100)


def test_hold_pays_its_purchase(alex: Member) -> None:
    held = hold(alex)
    pay(alex, "20", hold=str(held.pk))
    held.refresh_from_db()
    assert (held.state, Purchase.objects.get().points_spent) == ("used", 500)
    assert balance(alex) == 500 + 15


def test_what_the_purchase_does_not_need_goes_back(alex: Member) -> None:
    receipt = pay(alex, line("3", sku="cup"), hold=str(hold(alex).pk))
    assert (Purchase.objects.get().points_spent, balance(alex)) == (300, 700)
    assert bring_back(receipt, "cup", "a").points_restored == 300
    assert balance(alex) == 1_000


def test_purchase_with_its_hold_again_is_answered(alex: Member) -> None:
    held = str(hold(alex).pk)
    first, again = (pay(alex, "20", hold=held, reference="r") for _ in range(2))
    assert (again.is_new, again.points, balance(alex)) == (False, first.points, 515)


@pytest.mark.parametrize("how", ["used", "released", "late", "another till", "another member"])
def test_hold_that_is_not_for_this_payment_is_refused(alex: Member, how: str) -> None:
    held = hold(alex)
    by, till, now = alex, "till", NOW
    match how:
        case "used":
            pay(alex, "20", hold=str(held.pk))
        case "released":
            tender.release(hold_id=str(held.pk), till="till", now=NOW)
        case "late":
            now = NOW + 11 * MINUTE
        case "another till":
            till = "other"
        case _:
            by = factories.member()
    with pytest.raises(tender.HoldNotValid):
        pay(by, "30", hold=str(held.pk), till=till, now=now)


@pytest.mark.parametrize("named", ["x", "", "a.b.c", "0" * 36, "\x00"])
def test_anything_else_is_no_hold(alex: Member, named: str) -> None:
    with pytest.raises(tender.HoldNotValid):
        tender.hold_of(named)


def test_released_points_are_back_in_their_lot(alex: Member) -> None:
    held = hold(alex)
    for _ in range(2):
        assert tender.release(hold_id=str(held.pk), till="till", now=NOW).state == "released"
    assert balance(alex) == 1_000


def test_hold_is_let_go_by_its_till_alone(alex: Member) -> None:
    held = hold(alex)
    with pytest.raises(NotFound):
        tender.release(hold_id=str(held.pk), till="other", now=NOW)


def test_points_of_a_till_that_never_came_back_return_by_themselves(alex: Member) -> None:
    hold(alex)
    assert tender.release_lapsed(now=NOW + 19 * MINUTE) == 0
    assert tender.release_lapsed(now=NOW + 20 * MINUTE) == 1
    assert balance(alex) == 1_000


# --- Offline ----------------------------------------------------------------------------------
def allow(of: Member, points: int = 500) -> tuple[Hold, str]:
    held = tender.allow(member=of, points=points, till="till", hours=8, now=NOW)
    return held, tender.signed(held)


def test_allowance_is_checked_with_the_public_key_alone(alex: Member) -> None:
    held, token = allow(alex)
    key = jwt.PyJWK(tender.public_key())
    said = jwt.decode(
        token, key, algorithms=["EdDSA"], audience="till", options={"verify_exp": False}
    )
    assert (said["jti"], said["sub"], said["points"], said["value"], said["currency"]) == (
        str(held.pk), alex.number, 500, "5.00", "USD",
    )  # fmt: skip


def test_forged_allowance_is_refused(alex: Member) -> None:
    _, token = allow(alex)
    with pytest.raises(tender.HoldNotValid):
        tender.hold_of(token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"))


def test_allowance_pays_what_was_bought_in_time_and_reported_later(alex: Member) -> None:
    _, token = allow(alex)
    basket = factories.basket(alex, "20", hold=token, occurred_at=NOW + 7 * HOUR)
    receipt = purchases.record(basket, now=NOW + 48 * HOUR, held_by="till")
    assert (receipt.points, balance(alex)) == (15, 515)


def test_allowance_does_not_pay_what_was_bought_too_late(alex: Member) -> None:
    _, token = allow(alex)
    basket = factories.basket(alex, "20", hold=token, occurred_at=NOW + 9 * HOUR)
    with pytest.raises(tender.HoldNotValid), transaction.atomic():
        purchases.record(basket, now=NOW + 48 * HOUR, held_by="till")


def test_unused_allowance_returns_after_the_days_to_report_it(alex: Member) -> None:
    allow(alex)
    assert tender.release_lapsed(now=NOW + 8 * HOUR + timedelta(days=3) - MINUTE) == 0
    assert tender.release_lapsed(now=NOW + 8 * HOUR + timedelta(days=3)) == 1
    assert balance(alex) == 1_000
