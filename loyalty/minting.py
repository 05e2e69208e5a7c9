"""Making vouchers: for points, as a gift, or for nobody in particular.

Each has the terms of its reward, or of whoever makes it, and a code of its own (`vouchers`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from loyalty import vouchers
from loyalty.models import Redemption, Reward, Terms, Voucher
from members import prepared

MOST_AT_ONCE = 10_000
TERMS = tuple(field.name for field in Terms._meta.get_fields())


def issue(*, redemption: Redemption, now: datetime) -> Voucher:
    """Make the voucher that a redemption bought, on its reward's terms."""
    return issue_many([(redemption, redemption.reward.value)], now=now)[0]


def issue_many(bought: Sequence[tuple[Redemption, Decimal]], *, now: datetime) -> list[Voucher]:
    """Make a voucher for each redemption, of its own value and on its reward's terms."""
    rows = []
    for redemption, value in bought:
        reward = redemption.reward
        terms = {name: getattr(reward, name) for name in TERMS} | {"value": value}
        voucher = _new(now=now, valid_days=reward.valid_days, **terms)
        voucher.redemption, voucher.member_id = redemption, redemption.member_id
        rows.append(voucher)
    if len(rows) == 1:
        prepared.add(rows[0])
        return rows
    return Voucher.objects.bulk_create(rows)


def give(given: Sequence[tuple[Reward, int, bytes]], *, now: datetime) -> list[Voucher]:
    """Make vouchers that cost nothing, for (reward whose terms they have, member, seed) each."""
    rows = []
    for reward, member_id, seed in given:
        terms = {name: getattr(reward, name) for name in TERMS}
        voucher = _new(now=now, valid_days=reward.valid_days, seed=seed, **terms)
        voucher.member_id = member_id
        rows.append(voucher)
    return Voucher.objects.bulk_create(rows)


def issue_open(
    *, terms: Terms, number: int, valid_days: int, label: str, now: datetime
) -> list[Voucher]:
    """Make vouchers that are nobody's: for a poster, a partner, an excuse."""
    said = {name: getattr(terms, name) for name in TERMS}
    rows = [
        _new(now=now, valid_days=valid_days, label=label, **said)
        for _ in range(min(number, MOST_AT_ONCE))
    ]
    return Voucher.objects.bulk_create(rows, batch_size=1_000)


def _new(
    *, now: datetime, valid_days: int, label: str = "", seed: bytes = b"", **terms: object
) -> Voucher:
    seed = seed or vouchers.new_seed()
    return Voucher(
        seed=seed,
        code_hash=vouchers.hash_of(vouchers.code_of_seed(seed)),
        issued_at=now,
        expires_at=now + timedelta(days=valid_days),
        label=label,
        **terms,
    )
