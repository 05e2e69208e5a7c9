"""Turning points into rewards, and back when a redemption is cancelled.

Points, stock and voucher change in one transaction under the member's account lock; stock and
per-member limits are checked by conditional updates and under that lock, so they never oversell.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from config.errors import NotFound, Refusal
from loyalty import ledger, vouchers
from loyalty.models import Account, Redemption, Reward, Voucher
from members.models import Member


class RewardSoldOut(Refusal):
    code = "reward_sold_out"
    status = 409


class RewardLimitReached(Refusal):
    code = "reward_limit_reached"
    status = 409


class NotCancellable(Refusal):
    code = "not_cancellable"
    status = 409


@dataclass(frozen=True, slots=True)
class Redeemed:
    redemption: Redemption
    voucher: Voucher
    balance: int


def on_offer(*, now: datetime) -> QuerySet[Reward]:
    """The rewards that can be had at this moment, cheapest first."""
    return Reward.objects.filter(
        Q(starts_at__isnull=True) | Q(starts_at__lte=now),
        Q(ends_at__isnull=True) | Q(ends_at__gt=now),
        Q(stock__isnull=True) | Q(stock__gt=0),
    )


def redeem(*, member: Member, slug: str, now: datetime) -> Redeemed:
    """Buy a reward with points. Raises `NotFound`, `InsufficientPoints`, `RewardSoldOut` or
    `RewardLimitReached`; then nothing has changed."""
    with transaction.atomic():
        with ledger.open_book([member.pk], now=now, with_lots=True) as book:
            reward = Reward.objects.filter(slug=slug).first()
            if reward is None or not _is_running(reward, now):
                raise NotFound(f"There is no reward '{slug}' on offer.")
            if reward.per_member is not None:
                had = Redemption.objects.filter(
                    member=member, reward=reward, state=Redemption.State.DONE
                ).count()
                if had >= reward.per_member:
                    raise RewardLimitReached(f"At most {reward.per_member} for each member.")
            entry = book.spend(
                member_id=member.pk, points=reward.points, at=now, why=f"reward {reward.slug}"
            )
            # After the points: the shop's hot row is locked as late and as shortly as possible.
            if reward.stock is not None and not Reward.objects.filter(
                pk=reward.pk, stock__gt=0
            ).update(stock=F("stock") - 1):
                raise RewardSoldOut("None of these is left.")
        redemption = Redemption.objects.create(
            member=member,
            reward=reward,
            entry_id=entry.written_id,
            points=reward.points,
            redeemed_at=now,
        )
        voucher = vouchers.issue(redemption=redemption, reward=reward, now=now)
    return Redeemed(redemption, voucher, book.accounts[member.pk].balance)


def cancel(*, redemption: Redemption, why: str, now: datetime) -> int:
    """Take an unused voucher back and restore its points to the lots they came from.

    Returns the balance. `NotCancellable` when it was used or cancelled before.
    """
    with (
        transaction.atomic(),
        ledger.open_book([redemption.member_id], now=now, with_lots=True) as book,
    ):
        withdrawn = Voucher.objects.filter(
            redemption=redemption, state__in=[Voucher.State.ACTIVE, Voucher.State.HELD]
        ).update(state=Voucher.State.CANCELLED)
        changed = Redemption.objects.filter(pk=redemption.pk, state=Redemption.State.DONE).update(
            state=Redemption.State.CANCELLED
        )
        if not withdrawn or not changed:
            raise NotCancellable("The voucher was used or cancelled before.")
        book.restore(member_id=redemption.member_id, spent=redemption.entry, why=why)
        Reward.objects.filter(pk=redemption.reward_id, stock__isnull=False).update(
            stock=F("stock") + 1
        )
        account: Account = book.accounts[redemption.member_id]
    return account.balance


def _is_running(reward: Reward, now: datetime) -> bool:
    return (reward.starts_at is None or reward.starts_at <= now) and (
        reward.ends_at is None or reward.ends_at > now
    )
