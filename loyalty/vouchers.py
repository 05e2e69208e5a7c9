"""Voucher codes: held at the till, used at most as often as they may be.

A code is 12 symbols of Crockford base32 (60 bits), derived from a random seed and the server's
key: the database holds the seed and a keyed hash, so a stolen copy of it contains no code, and
yet the owner can be shown the code again. Every verb locks the voucher's row first, and
`voucher_never_overused` stands behind it; two tills cannot both have the last use.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from config.errors import Refusal
from loyalty import codes, discounts
from loyalty.baskets import Line
from loyalty.models import Voucher, VoucherUse

LONGEST_HOLD = timedelta(minutes=30)


class VoucherRefused(Refusal):
    """One answer for unknown, used, expired and foreign codes: a guesser learns nothing."""

    code = "voucher_not_valid"
    status = 409

    def __init__(self, detail: str = "This voucher cannot be used.") -> None:
        super().__init__(detail)


class VoucherTooSmallABasket(Refusal):
    code = "minimum_spend"
    status = 409


class VoucherFitsNothing(Refusal):
    """The basket has nothing that this voucher takes anything off."""

    code = "voucher_fits_nothing"
    status = 409


@dataclass(frozen=True, slots=True)
class AtTill:
    """Who uses a voucher: the till's key, and the code of its store if it has one."""

    by: str
    store: str = ""


def code_of(voucher: Voucher) -> str:
    """The code to show to the voucher's owner, in groups: ABCD-EFGH-JKMN."""
    return code_of_seed(bytes(voucher.seed))


def code_of_seed(seed: bytes) -> str:
    """The code that a voucher with this seed has, or will have."""
    return codes.code_of(seed=seed, purpose="voucher")


def hash_of(code: str) -> str:
    """The keyed hash by which a code, as typed, is found."""
    return codes.hash_of(code=code, purpose="voucher")


def new_seed() -> bytes:
    return secrets.token_bytes(16)


def find(*, code: str) -> Voucher:
    """The voucher with this code, as typed; `VoucherRefused` when there is none."""
    voucher = Voucher.objects.filter(code_hash=hash_of(code)).first()
    if voucher is None:
        raise VoucherRefused
    return voucher


@transaction.atomic
def hold(*, code: str, till: AtTill, now: datetime, minutes: int = 10) -> VoucherUse:
    """Reserve a use for a till that is about to redeem it. Holding again extends the hold."""
    voucher = _locked(code)
    until = now + min(timedelta(minutes=minutes), LONGEST_HOLD)
    use = _own_hold(voucher, till)
    if use is not None and _is_alive(voucher, till, now):
        use.held_until = until
        use.save(update_fields=["held_until"])
        return use
    _free_lapsed(voucher, now)
    if not _is_free(voucher, till, now):
        raise VoucherRefused
    _count(voucher, held=1)
    return VoucherUse.objects.create(
        voucher=voucher, state=VoucherUse.State.HELD, by=till.by, held_until=until
    )


@transaction.atomic
def release(*, code: str, till: AtTill) -> VoucherUse:
    """Give up a hold. Only its holder can; what this till does not hold stays as it is."""
    voucher = _locked(code)
    use = _own_hold(voucher, till)
    if use is None:
        if voucher.state != Voucher.State.ACTIVE:
            raise VoucherRefused
        return VoucherUse(voucher=voucher, state=VoucherUse.State.RELEASED, by=till.by)
    _let_go(voucher, [use])
    return use


@transaction.atomic
def redeem(*, code: str, till: AtTill, now: datetime, member_id: int | None = None) -> VoucherUse:
    """Use a voucher once, outside of a purchase that names it. Exactly one caller wins."""
    return _redeem(_locked(code), till, now, member_id)


def take(
    *,
    typed: Sequence[str],
    lines: Sequence[Line],
    member_id: int,
    currency: str,
    till: AtTill,
    now: datetime,
) -> tuple[list[VoucherUse], tuple[Line, ...]]:
    """Redeem the vouchers of a purchase, all or none; the uses, and the lines with their discounts.

    Call inside the purchase's transaction. Minimum spends count the basket before any voucher.
    """
    total = sum((line.net for line in lines), Decimal(0))
    uses: list[VoucherUse] = []
    left = tuple(lines)
    # Locked by hash: two baskets with the same two vouchers wait for one another in one order.
    found = [_locked(code) for code in sorted({codes.typed(code) for code in typed}, key=hash_of)]
    for voucher in discounts.in_order(found):
        if voucher.member_id not in (None, member_id) or voucher.currency not in ("", currency):
            raise VoucherRefused
        if total < voucher.minimum_spend:
            raise VoucherTooSmallABasket(
                f"This voucher needs a purchase of {voucher.minimum_spend} {currency}."
            )
        left, off = discounts.apply(left, voucher)
        if not off:
            raise VoucherFitsNothing(f"There is nothing in the basket for '{voucher}'.")
        use = _redeem(voucher, till, now, member_id)
        use.taken_off = off
        uses.append(use)
    return uses, left


def attach(uses: Sequence[VoucherUse], *, purchase_id: int) -> None:
    """Remember which purchase used them, and what they took off."""
    for use in uses:
        use.purchase_id = purchase_id
    VoucherUse.objects.bulk_update(uses, ["purchase_id", "taken_off"])


def were_used(*, typed: Sequence[str], purchase_id: int) -> bool:
    """Whether exactly these paid for that purchase."""
    used = VoucherUse.objects.filter(purchase=purchase_id)
    hashes = set(used.values_list("voucher__code_hash", flat=True))
    return hashes == {hash_of(code) for code in typed}


@transaction.atomic
def cancel(*, voucher: Voucher, now: datetime, is_own: bool = False) -> bool:
    """Make an unused voucher worthless, held or not; False when it was used or cancelled before.

    Its owner (`is_own`) cannot once it has expired, nor while a till holds it.
    """
    locked = Voucher.objects.select_for_update().get(pk=voucher.pk)
    if locked.used or locked.cancelled_at is not None:
        return False
    held = VoucherUse.objects.filter(voucher=locked, state=VoucherUse.State.HELD)
    if is_own and (locked.expires_at <= now or held.filter(held_until__gt=now).exists()):
        return False
    _let_go(locked, list(held))
    return bool(Voucher.objects.filter(pk=locked.pk).update(cancelled_at=now))


def release_lapsed(*, now: datetime) -> int:
    """Free the vouchers whose till never came back; returns how many."""
    lapsed = VoucherUse.objects.filter(state=VoucherUse.State.HELD, held_until__lte=now)
    freed = 0
    for pk in lapsed.order_by("voucher_id").values_list("voucher_id", flat=True).distinct():
        with transaction.atomic():
            freed += _free_lapsed(Voucher.objects.select_for_update().get(pk=pk), now)
    return freed


def _locked(code: str) -> Voucher:
    rows = Voucher.objects.select_for_update()
    voucher = rows.filter(code_hash=hash_of(code)).first()
    if voucher is None:
        raise VoucherRefused
    return voucher


def _redeem(voucher: Voucher, till: AtTill, now: datetime, member_id: int | None) -> VoucherUse:
    use = _own_hold(voucher, till)
    if use is None:
        _free_lapsed(voucher, now)
        if not _is_free(voucher, till, now):
            raise VoucherRefused
        use = VoucherUse(voucher=voucher, by=till.by)
        _count(voucher, used=1)
    elif _is_alive(voucher, till, now):
        _count(voucher, used=1, held=-1)
    else:
        raise VoucherRefused
    use.state, use.held_until, use.redeemed_at = VoucherUse.State.REDEEMED, None, now
    use.member_id = member_id or voucher.member_id
    use.save()
    return use


def _is_alive(voucher: Voucher, till: AtTill, now: datetime) -> bool:
    is_here = not voucher.stores or till.store in voucher.stores
    return is_here and voucher.cancelled_at is None and voucher.expires_at > now


def _is_free(voucher: Voucher, till: AtTill, now: datetime) -> bool:
    return _is_alive(voucher, till, now) and voucher.used + voucher.held < voucher.uses


def _own_hold(voucher: Voucher, till: AtTill) -> VoucherUse | None:
    held = VoucherUse.objects.filter(voucher=voucher, state=VoucherUse.State.HELD, by=till.by)
    use = held.first()
    if use is not None:
        use.voucher = voucher
    return use


def _free_lapsed(voucher: Voucher, now: datetime) -> int:
    held = VoucherUse.objects.filter(voucher=voucher, state=VoucherUse.State.HELD)
    lapsed = list(held.filter(held_until__lte=now)) if voucher.held else []
    _let_go(voucher, lapsed)
    return len(lapsed)


def _let_go(voucher: Voucher, uses: Sequence[VoucherUse]) -> None:
    """Free what these uses of a locked voucher reserved."""
    if not uses:
        return
    for use in uses:
        use.voucher, use.state, use.held_until = voucher, VoucherUse.State.RELEASED, None
    VoucherUse.objects.bulk_update(uses, ["state", "held_until"])
    _count(voucher, held=-len(uses))


def _count(voucher: Voucher, *, used: int = 0, held: int = 0) -> None:
    """Change the counters of a locked voucher; its state follows in the database."""
    counts = Voucher.objects.filter(pk=voucher.pk)
    counts.update(used=F("used") + used, held=F("held") + held)
    voucher.refresh_from_db(fields=["used", "held", "state"])
