"""Bought here, sent or picked up there."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from config.errors import Invalid, NotFound
from loyalty import auditing, expiry, fulfilment, purchases
from loyalty.models import Purchase
from members.models import Interaction, Member, Store
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def denver() -> Store:
    return factories.store("denver")


def ship(reference: str, *, at: datetime = NOW, store_code: str = "") -> fulfilment.Fulfilled:
    return fulfilment.ship(reference=reference, store_code=store_code, occurred_at=at, now=at)


def pick_up(reference: str, *, at: datetime = NOW, store: str = "denver") -> fulfilment.Fulfilled:
    return fulfilment.pick_up(reference=reference, store_code=store, occurred_at=at, now=at)


def waiting_rule(**said: Any) -> None:
    factories.only_rule(points=10, is_pending_shipment=True, **said)


def test_points_wait_from_the_shipment_on(alex: Member) -> None:
    waiting_rule(pending_days=14)
    factories.buy(alex, "20", reference="r")
    assert (ship("r", at=NOW + DAY).balance, factories.account(alex).pending) == (0, 10)
    assert expiry.mature(now=NOW + 15 * DAY - timedelta(seconds=1)) == 0
    assert expiry.mature(now=NOW + 15 * DAY) == 1
    assert factories.account(alex).balance == 10
    assert auditing.audit().findings == ()


def test_points_that_need_not_wait_are_there_when_the_goods_are_sent(alex: Member) -> None:
    waiting_rule()
    factories.buy(alex, "20", reference="r")
    moved = ship("r", at=NOW + DAY)
    assert (moved.balance, moved.pending) == (10, 0)


def test_first_shipment_counts(alex: Member) -> None:
    waiting_rule(pending_days=5)
    factories.buy(alex, "20", reference="r")
    said = [ship("r", at=NOW + n * DAY).shipped_at for n in (1, 2, 3)]
    assert said == [NOW + DAY] * 3
    expiry.mature(now=NOW + 6 * DAY)
    assert factories.account(alex).balance == 10


def test_goods_taken_along_await_no_shipment(alex: Member, denver: Store) -> None:
    waiting_rule()
    factories.buy(alex, "20", store=denver, channel="store")
    assert factories.account(alex).balance == 10
    factories.buy(alex, "20", store=denver, channel="store", pickup_store=denver)
    assert factories.account(alex).pending == 10


def test_pick_up_sends_and_is_an_interaction_at_that_store(alex: Member, denver: Store) -> None:
    waiting_rule()
    factories.buy(alex, "20", reference="r", pickup_store=denver)
    for n in (1, 2):
        moved = pick_up("r", at=NOW + n * DAY)
        assert (moved.shipped_at, moved.picked_up_at) == (NOW + DAY, NOW + DAY)
        assert (moved.pickup_store, moved.balance) == ("denver", 10)
    (fact,) = Interaction.objects.filter(kind__slug="pick-up")
    assert (fact.member, fact.place, fact.value) == (alex, "denver", Decimal(20))


def test_pick_up_after_shipment_keeps_both_moments(alex: Member, denver: Store) -> None:
    factories.buy(alex, "20", reference="r", pickup_store=denver)
    ship("r", at=NOW + DAY)
    moved = pick_up("r", at=NOW + 3 * DAY)
    assert (moved.shipped_at, moved.picked_up_at) == (NOW + DAY, NOW + 3 * DAY)


def test_nothing_is_picked_up_in_another_store_or_without_one(alex: Member, denver: Store) -> None:
    factories.store("boulder")
    factories.buy(alex, "20", reference="r", pickup_store=denver)
    factories.buy(alex, "20", reference="sent")
    for reference, store in (("r", "boulder"), ("sent", "denver"), ("none", "denver")):
        with pytest.raises(NotFound), transaction.atomic():
            pick_up(reference, store=store)


def test_two_waiting_under_one_reference_are_not_guessed_at(alex: Member, denver: Store) -> None:
    for channel in ("web", "app"):
        factories.buy(alex, "20", reference="r", channel=channel, pickup_store=denver)
    with pytest.raises(Invalid) as refusal:
        pick_up("r")
    assert refusal.value.pointer == "/reference"


@pytest.mark.parametrize("at", [NOW - DAY, NOW + 2 * DAY])
def test_goods_are_neither_sent_before_they_were_bought_nor_tomorrow(
    alex: Member, at: datetime
) -> None:
    factories.buy(alex, "20", reference="r")
    with pytest.raises(Invalid) as refusal, transaction.atomic():
        fulfilment.ship(reference="r", store_code="", occurred_at=at, now=NOW + DAY)
    assert refusal.value.pointer == "/occurred_at"
    assert Purchase.objects.get().shipped_at is None


def test_rule_for_stores_asks_where_it_was_bought(alex: Member, denver: Store) -> None:
    factories.only_rule(stores=["denver"])
    assert factories.buy(alex, "20", pickup_store=denver).points == 0
    boulder = factories.store("boulder")
    bought = factories.buy(alex, "20", store=denver, channel="store", pickup_store=boulder)
    assert bought.points == 10


def test_another_place_to_pick_up_is_other_content(alex: Member, denver: Store) -> None:
    basket = factories.basket(alex, "20", pickup_store=denver, reference="r")
    purchases.record(basket, now=NOW)
    with pytest.raises(purchases.PurchaseConflict), transaction.atomic():
        purchases.record(factories.basket(alex, "20", reference="r"), now=NOW)
