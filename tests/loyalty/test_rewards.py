"""Points into rewards, and back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from config.errors import NotFound
from loyalty import auditing, expiry, ledger, rewards, vouchers
from loyalty.models import Entry, Lot, Redemption, Reward, Voucher
from loyalty.rewards import Redeemed
from members.models import Member
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)
GRACE = timedelta(days=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    member = factories.member()
    factories.grant(member, 250)
    return member


def redeem(by: Member, slug: str = "tenner", *, now: Any = NOW) -> Redeemed:
    with transaction.atomic():
        return rewards.redeem(member=by, slug=slug, now=now)


def test_reward_costs_its_points_and_gives_a_voucher(alex: Member) -> None:
    factories.reward(value=Decimal("12.50"), minimum_spend=Decimal(50), valid_days=30)
    done = redeem(alex)
    assert (done.balance, factories.account(alex).balance) == (150, 150)
    voucher = done.voucher
    assert (voucher.value, voucher.minimum_spend) == (Decimal("12.50"), Decimal(50))
    assert (voucher.member, voucher.expires_at) == (alex, NOW + 30 * DAY)
    assert Entry.objects.get(kind="spent").why == "reward tenner"


def test_too_few_points_change_nothing(alex: Member) -> None:
    factories.reward(points=251, stock=1)
    with pytest.raises(ledger.InsufficientPoints):
        redeem(alex)
    assert not Redemption.objects.exists()
    assert Reward.objects.get().stock == 1


def test_last_one_is_sold_once(alex: Member) -> None:
    factories.reward(stock=1)
    redeem(alex)
    with pytest.raises(rewards.RewardSoldOut):
        redeem(alex)
    assert factories.account(alex).balance == 150


def test_each_member_gets_at_most_so_many(alex: Member) -> None:
    factories.reward(per_member=1)
    redeem(alex)
    with pytest.raises(rewards.RewardLimitReached):
        redeem(alex)
    kim = factories.member()
    factories.grant(kim, 100)
    redeem(kim)


@pytest.mark.parametrize(
    "said", [{"starts_at": NOW + DAY}, {"ends_at": NOW}], ids=["too early", "too late"]
)
def test_reward_out_of_its_time_is_not_there(alex: Member, said: dict[str, Any]) -> None:
    factories.reward(**said)
    assert not rewards.on_offer(now=NOW).exists()
    with pytest.raises(NotFound):
        redeem(alex)


def test_sold_out_reward_is_not_on_offer() -> None:
    factories.reward("gone", stock=0)
    factories.reward("there", stock=1)
    assert [reward.slug for reward in rewards.on_offer(now=NOW)] == ["there"]


# --- Cancelling -------------------------------------------------------------------------------
def test_cancelled_reward_gives_points_stock_and_turn_back(alex: Member) -> None:
    factories.grant(alex, 30, expires_at=NOW + 10 * DAY)
    factories.reward(stock=1, per_member=1)
    done = redeem(alex)
    before = list(Lot.objects.order_by("pk").values_list("remaining", flat=True))
    assert rewards.cancel(redemption=done.redemption, why="mistake", now=NOW) == 280
    assert before == [180, 0]
    assert list(Lot.objects.order_by("pk").values_list("remaining", flat=True)) == [250, 30]
    assert Voucher.objects.get().state == "cancelled"
    redeem(alex)
    assert auditing.audit().findings == ()


def test_points_that_expired_while_spent_come_back_with_a_month_of_grace(alex: Member) -> None:
    kim = factories.member()
    factories.grant(kim, 100, expires_at=NOW + DAY)
    factories.reward()
    done = redeem(kim)
    later = NOW + 3 * DAY
    expiry.expire(now=later)
    assert rewards.cancel(redemption=done.redemption, why="mistake", now=later) == 100
    assert Lot.objects.get(account=kim.pk).expires_at == later + GRACE


@pytest.mark.parametrize("was", ["cancelled", "redeemed"])
def test_used_or_cancelled_reward_is_not_cancelled_again(alex: Member, was: str) -> None:
    factories.reward()
    done = redeem(alex)
    if was == "cancelled":
        rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    else:
        vouchers.redeem(code=vouchers.code_of(done.voucher), by="till", now=NOW)
    balance = factories.account(alex).balance
    with pytest.raises(rewards.NotCancellable), transaction.atomic():
        rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    assert factories.account(alex).balance == balance


def test_voucher_held_at_a_till_cannot_be_used_after_cancelling(alex: Member) -> None:
    factories.reward()
    done = redeem(alex)
    code = vouchers.code_of(done.voucher)
    vouchers.hold(code=code, by="till", now=NOW)
    rewards.cancel(redemption=done.redemption, why="mistake", now=NOW)
    with pytest.raises(vouchers.VoucherRefused):
        vouchers.redeem(code=code, by="till", now=NOW)
