"""Many purchases in one call: each answered by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.errors import Refusal
from loyalty import auditing, batches, purchases, rewards
from loyalty.baskets import Basket
from loyalty.models import Entry, Purchase
from members.models import Member
from tests import factories
from tests.factories import NOW, line

pytestmark = pytest.mark.django_db


def said(*many: Basket, **options: Any) -> list[str | tuple[bool, int]]:
    """Of each purchase the code it was refused with, or whether it is new and what it gave."""
    outcomes = batches.record_each(many, now=NOW, **options)
    return [one.code if isinstance(one, Refusal) else (one.is_new, one.points) for one in outcomes]


def voucher_of(member: Member) -> str:
    factories.grant(member, 100)
    done = rewards.redeem(member=member, slug="tenner", now=NOW)
    return done.code


def test_good_ones_land_and_bad_ones_say_why(alex: Member) -> None:
    future = factories.basket(alex, "5", occurred_at=NOW + timedelta(days=1))
    assert said(
        factories.basket(alex, "20"), future, factories.basket(alex), factories.basket(alex, "7")
    ) == [(True, 20), "invalid", "invalid", (True, 7)]
    assert factories.account(alex).balance == 27


def test_repeat_is_answered_and_other_content_refused(alex: Member) -> None:
    first = factories.basket(alex, "20")
    purchases.record(first, now=NOW)
    other = replace(first, lines=(line("25"),))
    fresh = factories.basket(alex, "5")
    assert said(first, other, fresh) == [(False, 20), "purchase_conflict", (True, 5)]


def test_repeat_without_the_voucher_that_paid_is_other_content(alex: Member) -> None:
    factories.reward()
    paid = factories.basket(alex, "30", voucher_codes=(voucher_of(alex),))
    purchases.record(paid, now=NOW)
    assert said(replace(paid, voucher_codes=()), paid) == ["purchase_conflict", (False, 20)]


def test_two_of_one_reference_in_a_call_are_compared(alex: Member) -> None:
    first = factories.basket(alex, "20", reference="r")
    other = replace(first, currency="EUR")
    assert said(first, replace(first), other) == [(True, 20), (False, 20), "purchase_conflict"]


def test_money_that_does_not_exist_is_refused_alone(alex: Member) -> None:
    strange = replace(factories.basket(alex, "20"), currency="ABC")
    assert said(strange, factories.basket(alex, "4")) == ["invalid", (True, 4)]


def test_voucher_that_is_no_good_stops_its_own_purchase_only(alex: Member) -> None:
    factories.reward()
    code = voucher_of(alex)
    assert said(
        factories.basket(alex, "30", voucher_codes=(code,)),
        factories.basket(alex, "30", voucher_codes=(code,)),
        factories.basket(alex, "4"),
    ) == [(True, 20), "voucher_not_valid", (True, 4)]


def test_what_the_database_refuses_is_refused_alone(alex: Member) -> None:
    """More points than an entry can count: found when all are written together."""
    rich = factories.basket(alex, line("9999999999.99"))
    assert said(factories.basket(alex, "20"), rich, factories.basket(alex, "3")) == [
        (True, 20), "invalid", (True, 3),
    ]  # fmt: skip
    assert (Purchase.objects.count(), Entry.objects.count()) == (2, 2)
    assert auditing.audit().findings == ()


def test_guests_are_kept_beside_members(alex: Member) -> None:
    guest = factories.guest_basket("30")
    assert said(factories.basket(alex, "20"), guest, guest) == [(True, 20), (True, 30), (False, 30)]


def test_hundred_cost_as_many_statements_as_ten() -> None:
    people = factories.members(10)
    for one in people:
        factories.buy(one, "1")
    taken = []
    for many in (10, 100):
        asked = [factories.basket(people[n % 10], "20", line("3", 2)) for n in range(many)]
        with CaptureQueriesContext(connection) as captured:
            batches.record_each(asked, now=NOW)
        taken.append(len(captured))
    assert taken[0] == taken[1] <= 18
