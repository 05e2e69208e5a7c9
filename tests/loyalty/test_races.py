"""Many tills and phones at once: processes with connections of their own, one database.

The same storms against read-check-save code lose points; here every count is exact.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from config.errors import Refusal
from loyalty import (
    acts,
    auditing,
    batches,
    behaviour,
    checkins,
    claims,
    guests,
    merging,
    purchases,
    returns,
    rewards,
    tills,
    vouchers,
)
from loyalty.baskets import Basket
from loyalty.models import (
    Account,
    CapCounter,
    CheckIn,
    Entry,
    Purchase,
    Redemption,
    Reward,
    TillEvent,
    Voucher,
)
from loyalty.vouchers import AtTill
from members import households, idempotency, keys
from members.models import Household, IdempotencyKey, Interaction
from tests import factories
from tests.factories import NOW, PEAK
from tests.processes import at_once

CALLERS = 8

pytestmark = [
    # What the processes do must be committed; afterwards the rows of the migrations come back.
    pytest.mark.django_db(transaction=True),
    # The children only talk to the database; no thread of the parent holds a lock they need.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]


def tried(do: Callable[[], object]) -> str:
    """'done', or the code of the refusal."""
    try:
        do()
    except Refusal as refusal:
        return refusal.code
    return "done"


def sound() -> bool:
    return auditing.audit().findings == ()


@pytest.mark.parametrize("is_keyed", [True, False], ids=["by key", "by reference"])
def test_same_purchases_from_eight_callers_are_recorded_once(is_keyed: bool) -> None:
    people = factories.members(3)
    baskets = [factories.basket(people[n % 3], "10", reference=f"r{n}") for n in range(25)]

    def send(number: int) -> list[int]:
        balances = []
        # Everybody begins somewhere else, so that they meet.
        for basket in baskets[number * 3 :] + baskets[: number * 3]:

            def record(basket: Basket = basket) -> tuple[int, dict[str, Any]]:
                receipt = purchases.record(basket, now=NOW)
                return 201, {"points": receipt.points}

            if is_keyed:
                answer = idempotency.once(
                    caller="key:a", key=basket.reference, fingerprint="f", now=NOW, do=record
                )
            else:
                answer = idempotency.unkeyed(do=record)
            balances.append(answer.body["points"])
        return balances

    assert at_once(send) == [[10] * 25] * CALLERS
    assert Purchase.objects.count() == Entry.objects.count() == Interaction.objects.count() == 25
    assert IdempotencyKey.objects.count() == (25 if is_keyed else 0)
    assert sum(factories.account(one).balance for one in people) == 250
    assert sound()


def test_one_balance_pays_for_what_it_can() -> None:
    alex = factories.member()
    factories.reward(points=30)
    factories.grant(alex, 100)
    answers = at_once(lambda _: tried(lambda: rewards.redeem(member=alex, slug="tenner", now=NOW)))
    assert Counter(answers) == {"done": 3, "insufficient_points": 5}
    assert factories.account(alex).balance == 10
    assert Redemption.objects.count() == Voucher.objects.count() == 3
    assert sound()


def test_one_receipt_is_claimed_from_one_of_eight_phones() -> None:
    people = factories.members(CALLERS)
    code = guests.keep(factories.guest_basket("20"), now=NOW).code
    answers = at_once(
        lambda n: tried(lambda: claims.claim(member=people[n % 4], code=code, now=NOW))
    )
    assert Counter(answers) == {"done": 1, "receipt_not_valid": 7}
    assert Purchase.objects.count() == Entry.objects.count() == 1
    assert list(Account.objects.values_list("balance", flat=True)) == [20]
    assert sound()


def test_claim_and_return_of_one_receipt_leave_the_points_of_what_was_kept() -> None:
    alex = factories.member()
    basket = factories.guest_basket(factories.line("10", 8, sku="tent"))
    code = guests.keep(basket, now=NOW).code

    def fight(number: int) -> str:
        if number == 0:
            return tried(lambda: claims.claim(member=alex, code=code, now=NOW))
        lines = [returns.ReturnedLine("tent", 1)]
        return tried(
            lambda: idempotency.whole(
                lambda: returns.take_back(
                    purchase_reference=basket.reference, reference=str(number), lines=lines,
                    occurred_at=NOW, now=NOW,
                )
            )
        )  # fmt: skip

    assert at_once(fight) == ["done"] * CALLERS
    assert factories.account(alex).balance == 10
    assert sound()


def test_same_sync_from_eight_tills_is_carried_out_once() -> None:
    people = factories.members(3)
    key, _ = keys.issue(name="till", scopes=["purchases"], store=None, now=NOW)
    events = [
        tills.Event(
            id=UUID(int=n), kind="purchase", occurred_at=NOW, member_id=people[n % 3].pk,
            what=factories.basket(people[n % 3], "10"),
        )
        for n in range(20)
    ]  # fmt: skip

    def sync(number: int) -> int:
        told = tills.sync(key=key, till="1", events=events[number:] + events[:number], now=NOW)
        return sum(done.outcome == "recorded" for done in told)

    assert sum(at_once(sync)) == 20
    assert Purchase.objects.count() == TillEvent.objects.count() == 20
    assert sum(factories.account(one).balance for one in people) == 200
    assert sound()


def test_calls_with_the_same_members_do_not_wait_in_a_circle() -> None:
    people = factories.members(6)

    def send(number: int) -> int:
        order = people[number % 6 :] + people[: number % 6]
        many = [factories.basket(one, "10", reference=f"{number}/{one.pk}") for one in order]
        return sum(isinstance(one, purchases.Receipt) for one in batches.record_each(many, now=NOW))

    assert at_once(send) == [6] * CALLERS
    assert sum(factories.account(one).balance for one in people) == 480
    assert sound()


def test_last_pieces_of_a_reward_are_sold_once() -> None:
    people = factories.members(CALLERS)
    for one in people:
        factories.grant(one, 100)
    factories.reward(stock=3)
    answers = at_once(
        lambda n: tried(lambda: rewards.redeem(member=people[n], slug="tenner", now=NOW))
    )
    assert Counter(answers) == {"done": 3, "reward_sold_out": 5}
    assert Reward.objects.get().stock == 0
    assert sum(factories.account(one).balance for one in people) == 500
    assert sound()


def test_seats_are_sold_once_while_one_who_waits_is_merged() -> None:
    people = factories.members(7)
    factories.reward("climb", kind="experience")
    climb = factories.session("climb", seats=3)
    for one in people:
        factories.grant(one, 100)
        factories.waiting(one, climb)

    def work(number: int) -> int:
        if number == 0:
            merging.merge(gone=people[0], kept=people[6], reason="same", by=None, now=NOW)
        return rewards.fill_seats(now=NOW)

    assert sum(at_once(work)) == Redemption.objects.count() == 3
    assert sound()


@pytest.mark.parametrize("in_a_purchase", [False, True], ids=["by itself", "in a purchase"])
def test_one_voucher_is_used_by_one_till(in_a_purchase: bool) -> None:
    alex = factories.member()
    factories.reward()
    factories.grant(alex, 100)
    code = rewards.redeem(member=alex, slug="tenner", now=NOW).code
    basket = factories.basket(alex, "30", voucher_codes=(code,))

    def use(number: int) -> str:
        till = f"till {number}"
        if not in_a_purchase:
            return tried(lambda: vouchers.redeem(code=code, till=AtTill(till), now=NOW))
        own = replace(basket, reference=till)
        return tried(lambda: purchases.record(own, now=NOW, held_by=till))

    assert Counter(at_once(use)) == {"done": 1, "voucher_not_valid": 7}
    assert Purchase.objects.count() == int(in_a_purchase)
    assert sound()


def test_same_purchase_with_a_voucher_is_answered_to_every_caller() -> None:
    alex = factories.member()
    factories.reward()
    factories.grant(alex, 100)
    code = rewards.redeem(member=alex, slug="tenner", now=NOW).code
    basket = factories.basket(alex, "30", voucher_codes=(code,))
    answers = at_once(lambda _: purchases.record(basket, now=NOW).points)
    assert answers == [20] * CALLERS
    assert factories.account(alex).balance == 20


def test_held_voucher_is_cancelled_or_used_but_not_both() -> None:
    alex = factories.member()
    factories.reward()
    factories.grant(alex, 100)
    done = rewards.redeem(member=alex, slug="tenner", now=NOW)
    code = done.code
    basket = factories.basket(alex, "30", voucher_codes=(code,))

    def fight(number: int) -> str:
        if number % 2:
            return tried(lambda: purchases.record(basket, now=NOW))
        return tried(lambda: rewards.cancel(redemption=done.redemption, why="test", now=NOW))

    answers = Counter(at_once(fight))
    was_used = Voucher.objects.get().state == "redeemed"
    lost = {"not_cancellable": 4} if was_used else {"not_cancellable": 3, "voucher_not_valid": 4}
    assert answers == {"done": 4 if was_used else 1, **lost}
    assert factories.account(alex).balance == (20 if was_used else 100)
    assert sound()


def test_cap_of_a_hundred_gives_exactly_a_hundred() -> None:
    people = factories.members(CALLERS)
    factories.only_rule(points=7, programme_cap=100)

    def buy(number: int) -> int:
        return sum(factories.buy(people[number], "1", reference=f"{number}/{n}").points
                   for n in range(5))  # fmt: skip

    assert sum(at_once(buy)) == 100
    assert CapCounter.objects.get().used == 100
    assert sound()


def test_one_visit_reported_eight_times_is_paid_once() -> None:
    alex = factories.member()
    factories.place()

    def check_in(number: int) -> str:
        report = checkins.Report(
            latitude=PEAK["latitude"] + number / 10_000, longitude=PEAK["longitude"],
            accuracy_m=10, occurred_at=NOW,
        )  # fmt: skip
        time.sleep(0.001 * number)
        return checkins.check_in(member=alex, report=report, now=NOW).check_in.status

    assert at_once(check_in).count("awarded") == 1
    assert factories.account(alex).balance == 50
    assert CheckIn.objects.count() == CALLERS
    assert sound()


def test_act_reported_by_all_and_swept_at_once_is_paid_once() -> None:
    factories.rule(fact="interaction", subjects=["share"], points=5)
    people = factories.members(3)
    reports = [
        behaviour.Report(member_id=one.pk, kind="share", occurred_at=NOW, reference=str(n))
        for n in range(20)
        for one in people
    ]

    def tell(number: int) -> int:
        if number % 2:
            return acts.pay_recent(now=NOW)
        # Everybody names the members in another order.
        mine = reports[number * 7 :] + reports[: number * 7]
        return sum(behaviour.report(mine, now=NOW).points.values())

    at_once(tell)
    assert [factories.account(one).balance for one in people] == [100] * 3
    assert sound()


def test_household_that_pays_at_several_tills_does_not_wait_in_a_circle() -> None:
    people = factories.members(2)
    households.invite(member=people[0], named=people[1].number, now=NOW)
    home = Household.objects.get()
    households.accept(member=people[1], household_id=home.pk, now=NOW)
    factories.points_pay()
    for one in people:
        factories.grant(one, 800)
    baskets = [factories.basket(people[n % 2], "20", points=300) for n in range(CALLERS)]
    answers = at_once(lambda n: tried(lambda: purchases.record(baskets[n], now=NOW)))
    assert Counter(answers) == {"done": 5, "insufficient_points": 3}
    assert sound()
