"""What comes with a message: a voucher of a reward's terms, for no points, and points; once a
delivery, in the transaction that clears the message to go.

A voucher's code is in the text, so it is made up when the message is written; what is tried again
carries the same code. Of a message that ends failed, objected or expired the voucher is cancelled
while it is unused, and of its points taken back what is still there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.models import Delivery, Gift, PointsGift, Step
from campaigns.models.gift import Promise
from loyalty import bonuses, minting, vouchers
from loyalty.models.voucher import in_words
from members.models import Programme

# A message is decided long before.
REMEMBERED = timedelta(days=100)
LOST = (Delivery.State.FAILED, Delivery.State.OBJECTED, Delivery.State.EXPIRED)
BATCH = 500


def promise(deliveries: Sequence[Delivery], *, now: datetime) -> None:
    """Tell the deliveries (with `step` and its `gift`) of which voucher they speak, if of one."""
    giving = [delivery for delivery in deliveries if delivery.step.gift is not None]
    if not giving:
        return
    zone = ZoneInfo(Programme.objects.get().time_zone)
    made = Gift.objects.filter(delivery__in=[d.pk for d in giving]).select_related("voucher")
    kept = {gift.delivery_id: gift.voucher for gift in made}
    for delivery in giving:
        reward, voucher = delivery.step.gift, kept.get(delivery.pk)
        if reward is None:
            continue
        seed = bytes(voucher.seed) if voucher else vouchers.new_seed()
        expires_at = voucher.expires_at if voucher else now + timedelta(days=reward.valid_days)
        delivery.promise = Promise(
            seed=seed,
            code=vouchers.code_of_seed(seed),
            worth=in_words(reward),
            expires_on=expires_at.astimezone(zone).date(),
            is_new=voucher is None,
        )


def hold_accounts(batch: Sequence[Delivery]) -> None:
    """Lock the accounts that may get points, before the gate locks their members: everybody who
    needs both takes them in this order."""
    giving = [delivery.member_id for delivery in batch if _gives_points(delivery)]
    if giving:
        bonuses.hold(giving)


def give(cleared: Sequence[Delivery], *, now: datetime) -> None:
    """Make the gifts of the messages that go out now; call in the gate's transaction."""
    _give_vouchers(cleared, now=now)
    _give_points(cleared, now=now)


def take_back(*, now: datetime) -> int:
    """Take back the unused gifts of messages that never went out; returns of how many."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"now": now, "since": now - REMEMBERED})
        cancelled = int(cursor.rowcount)
    taken = 0
    while due := list(_in_vain().values_list("pk", "entry__account_id")[:BATCH]):
        with transaction.atomic():
            bonuses.hold([account_id for _, account_id in due])
            # Under the accounts' locks: who was faster by a moment is seen here.
            rows = list(_in_vain().filter(pk__in=[pk for pk, _ in due]).order_by("pk"))
            back = bonuses.take_back([row.entry_id for row in rows], now=now)
            for row in rows:
                row.taken_back, row.taken_back_at = back.get(row.entry_id, 0), now
            PointsGift.objects.bulk_update(rows, ["taken_back", "taken_back_at"])
        taken += len(rows)
    return cancelled + taken


def _gives_points(delivery: Delivery) -> bool:
    """A message that was cleared before has been charged, and given its points."""
    return delivery.step.points > 0 and not delivery.is_charged


def _give_vouchers(cleared: Sequence[Delivery], *, now: datetime) -> None:
    due = [d for d in cleared if d.promise is not None and d.promise.is_new and d.step.gift]
    if not due:
        return
    made = minting.give(
        [(d.step.gift, d.member_id, d.promise.seed) for d in due if d.promise and d.step.gift],
        now=now,
    )
    Gift.objects.bulk_create(
        Gift(delivery=delivery, voucher=voucher)
        for delivery, voucher in zip(due, made, strict=True)
    )


def _give_points(cleared: Sequence[Delivery], *, now: datetime) -> None:
    due = [delivery for delivery in cleared if _gives_points(delivery)]
    if not due:
        return
    given = [bonuses.Bonus(d.member_id, d.step.points, d.campaign.code) for d in due]
    entries = bonuses.give(given, now=now)
    PointsGift.objects.bulk_create(
        PointsGift(delivery=delivery, entry_id=entry_id, points=delivery.step.points)
        for delivery, entry_id in zip(due, entries, strict=True)
    )


def _in_vain() -> QuerySet[PointsGift]:
    """Points of messages that came to nothing, as they stand in `delivery_charged_in_vain`."""
    return PointsGift.objects.filter(
        taken_back_at=None,
        delivery__is_charged=True,
        delivery__may_have_arrived=False,
        delivery__state__in=LOST,
        delivery__campaign__in=Step.every.filter(points__gt=0).values("campaign"),
    )


_TAKE_BACK = """
UPDATE loyalty_voucher v
   SET cancelled_at = %(now)s
  FROM campaigns_gift g JOIN campaigns_delivery d ON d.id = g.delivery_id
 WHERE v.id = g.voucher_id AND v.issued_at > %(since)s
   AND v.cancelled_at IS NULL AND v.used = 0 AND v.held = 0
   AND d.state IN ('failed', 'objected', 'expired') AND NOT d.may_have_arrived
"""
