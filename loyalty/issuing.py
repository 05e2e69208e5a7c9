"""Points that become vouchers on set days, for everybody at once: three times a year, say.

Each member with enough points gets one voucher for all whole portions; what is left over is
carried on or lapses, as the window says. Members are taken in batches and each is served once per
window (`issued_once_per_window`), so a run that was killed goes on where it stopped.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum
from django.db.models.functions import Least

from config.errors import Invalid
from loyalty import ledger, minting
from loyalty.models import Account, Issuance, IssuanceWindow, Redemption, Reward

BATCH = 200


def check_reward(*, reward: Reward) -> None:
    """Refuse, with `Invalid`, what cannot be issued to everybody with enough points."""
    if (reward.kind, reward.off) != (Reward.Kind.VOUCHER, Reward.Off.AMOUNT):
        raise Invalid("Points become vouchers of so much money; choose one.", pointer="/reward")
    if reward.stock is not None or reward.tiers or reward.per_member is not None:
        raise Invalid(
            "Everybody gets one: choose a reward without stock, tiers and limits.",
            pointer="/reward",
        )


def issue_due(*, now: datetime) -> int:
    """Serve every window that has opened; returns how many members it concerned.

    One whose reward got limits meanwhile stays open: `Invalid`, after the others were served.
    """
    due = IssuanceWindow.objects.filter(opens_at__lte=now, closed_at__isnull=True)
    total = 0
    refused: Invalid | None = None
    for window in due.select_related("reward").order_by("opens_at"):
        try:
            check_reward(reward=window.reward)
        except Invalid as refusal:
            refused = refusal
        else:
            total += _serve(window, now)
    if refused is not None:
        raise refused
    return total


def _serve(window: IssuanceWindow, now: datetime) -> int:
    total = 0
    least = max(window.least_points, window.reward.points)
    served = Issuance.objects.filter(window=window, member=OuterRef("pk"))
    last = 0
    while True:
        # By balance, which may still hold points past their date: who has too few is passed over.
        waiting = _accounts(least).filter(~Exists(served), pk__gt=last)
        batch = list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not batch:
            break
        total += _batch(window, batch, now)
        last = batch[-1]
    IssuanceWindow.objects.filter(pk=window.pk).update(closed_at=now)
    return total


@transaction.atomic
def _batch(window: IssuanceWindow, member_ids: Sequence[int], now: datetime) -> int:
    reward = window.reward
    least = max(window.least_points, reward.points)
    bought: dict[int, tuple[int, int, int]] = {}
    entries = {}
    with ledger.open_book(member_ids, now=now, with_lots=True) as book:
        done = Issuance.objects.filter(window=window, member__in=member_ids)
        served = set(done.values_list("member_id", flat=True))
        for member_id in member_ids:
            spendable = book.spendable(member_id)
            if member_id in served or spendable < least:
                continue
            portions = min(spendable, window.most_points or spendable) // reward.points
            if not portions:
                continue
            points = portions * reward.points
            entries[member_id] = book.spend(
                member_id=member_id, points=points, at=now, why=f"issued {window.pk}"
            )
            lapsed = (
                0
                if window.keeps_rest
                else book.lapse(member_id=member_id, why=f"not issued {window.pk}")
            )
            bought[member_id] = (portions, points, lapsed)
    redemptions = Redemption.objects.bulk_create(
        [
            Redemption(
                member_id=member_id,
                reward=reward,
                entry_id=entries[member_id].written_id,
                points=points,
                redeemed_at=now,
            )
            for member_id, (_, points, _) in bought.items()
        ]
    )
    minting.issue_many(
        [(row, reward.value * bought[row.member_id][0]) for row in redemptions], now=now
    )
    Issuance.objects.bulk_create(
        [
            Issuance(
                window=window,
                member_id=row.member_id,
                redemption=row,
                lapsed=bought[row.member_id][2],
            )
            for row in redemptions
        ]
    )
    return len(redemptions)


def _accounts(least: int) -> QuerySet[Account]:
    """Those with so many points, of members who are still there."""
    return Account.objects.filter(
        balance__gte=least, member__erased_at__isnull=True, member__merged_into__isnull=True
    )


def preview(*, window: IssuanceWindow) -> tuple[int, Decimal]:
    """How many members it would serve now, and the money their vouchers would be worth."""
    points = window.reward.points
    if window.most_points is not None and window.most_points < points:
        return 0, Decimal(0)
    issued = F("balance") if window.most_points is None else Least("balance", window.most_points)
    found = _accounts(max(window.least_points, points)).aggregate(
        members=Count("pk"), portions=Sum(issued / points)
    )
    return found["members"], (found["portions"] or 0) * window.reward.value
