"""Vouchers that come with a message: one a delivery, of a reward's terms, for no points.

The code is in the text, so it is made up when the message is written; the voucher itself is made
in the transaction that clears the message to go. What is tried again carries the same code.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from campaigns.models import Delivery, Gift
from campaigns.models.gift import Promise
from loyalty import minting, vouchers
from loyalty.models.voucher import in_words
from members.models import Programme

# A message is decided long before.
REMEMBERED = timedelta(days=100)


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


def take_back(*, now: datetime) -> int:
    """Cancel the unused vouchers of messages that never went out; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"now": now, "since": now - REMEMBERED})
        return int(cursor.rowcount)


def give(cleared: Sequence[Delivery], *, now: datetime) -> None:
    """Make the vouchers of the messages that go out now; call in the gate's transaction."""
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


_TAKE_BACK = """
UPDATE loyalty_voucher v
   SET cancelled_at = %(now)s
  FROM campaigns_gift g JOIN campaigns_delivery d ON d.id = g.delivery_id
 WHERE v.id = g.voucher_id AND v.issued_at > %(since)s
   AND v.cancelled_at IS NULL AND v.used = 0 AND v.held = 0
   AND d.state IN ('failed', 'objected', 'expired')
"""
