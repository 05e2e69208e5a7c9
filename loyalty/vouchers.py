"""Voucher codes: made, held at the till, redeemed once.

A code is 12 symbols of Crockford base32 (60 bits), derived from a random seed and the server's
key: the database holds the seed and a keyed hash, so a stolen copy of it contains no code, and
yet the owner can be shown the code again. One conditional UPDATE redeems; two tills cannot both.
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Q, QuerySet

from config.errors import Refusal
from loyalty.models import Redemption, Reward, Voucher

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 12
LONGEST_HOLD = timedelta(minutes=30)
# What people read and type for what was meant.
LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


class VoucherRefused(Refusal):
    """One answer for unknown, used, expired and foreign codes: a guesser learns nothing."""

    code = "voucher_not_valid"
    status = 409

    def __init__(self, detail: str = "This voucher cannot be used.") -> None:
        super().__init__(detail)


class VoucherTooSmallABasket(Refusal):
    code = "minimum_spend"
    status = 409


def issue(*, redemption: Redemption, reward: Reward, now: datetime) -> Voucher:
    """Make the voucher that a redemption bought."""
    seed = secrets.token_bytes(16)
    return Voucher.objects.create(
        redemption=redemption,
        member_id=redemption.member_id,
        seed=seed,
        code_hash=_hash(_code(seed)),
        value=reward.value,
        currency=reward.currency,
        minimum_spend=reward.minimum_spend,
        issued_at=now,
        expires_at=now + timedelta(days=reward.valid_days),
    )


def code_of(voucher: Voucher) -> str:
    """The code to show to the voucher's owner, in groups: ABCD-EFGH-JKMN."""
    code = _code(bytes(voucher.seed))
    return "-".join(code[n : n + 4] for n in range(0, SYMBOLS, 4))


def find(*, code: str) -> Voucher:
    """The voucher with this code, as typed; `VoucherRefused` when there is none."""
    voucher = Voucher.objects.filter(code_hash=_hash(_typed(code))).first()
    if voucher is None:
        raise VoucherRefused
    return voucher


def hold(*, code: str, by: str, now: datetime, minutes: int = 10) -> Voucher:
    """Reserve a voucher for a till that is about to redeem it. Holding again extends the hold."""
    until = now + min(timedelta(minutes=minutes), LONGEST_HOLD)
    voucher = find(code=code)
    changed = (
        _usable(by=by, now=now)
        .filter(pk=voucher.pk)
        .update(state=Voucher.State.HELD, held_by=by, held_until=until)
    )
    if not changed:
        raise VoucherRefused
    voucher.refresh_from_db()
    return voucher


def release(*, code: str, by: str) -> Voucher:
    """Give up a hold. Only its holder can; a voucher not held stays as it is."""
    voucher = find(code=code)
    Voucher.objects.filter(pk=voucher.pk, state=Voucher.State.HELD, held_by=by).update(
        state=Voucher.State.ACTIVE, held_by="", held_until=None
    )
    voucher.refresh_from_db()
    if voucher.state != Voucher.State.ACTIVE:
        raise VoucherRefused
    return voucher


def redeem(*, code: str, by: str, now: datetime) -> Voucher:
    """Use a voucher up, outside of a purchase that names it. Exactly one caller wins."""
    voucher = find(code=code)
    changed = (
        _usable(by=by, now=now)
        .filter(pk=voucher.pk)
        .update(state=Voucher.State.REDEEMED, redeemed_at=now, held_by=by, held_until=None)
    )
    if not changed:
        raise VoucherRefused
    voucher.refresh_from_db()
    return voucher


def take(
    *,
    codes: Sequence[str],
    member_id: int,
    currency: str,
    total: Decimal,
    held_by: str,
    now: datetime,
) -> list[Voucher]:
    """Redeem the vouchers of a purchase, all or none. Call inside its transaction."""
    taken = []
    for code in dict.fromkeys(_typed(code) for code in codes):
        voucher = find(code=code)
        if voucher.member_id != member_id or voucher.currency != currency:
            raise VoucherRefused
        if total < voucher.minimum_spend:
            raise VoucherTooSmallABasket(
                f"This voucher needs a purchase of {voucher.minimum_spend} {currency}."
            )
        taken.append(redeem(code=code, by=held_by, now=now))
    return taken


def attach(vouchers: Sequence[Voucher], *, purchase_id: int) -> None:
    """Remember which purchase used them."""
    Voucher.objects.filter(pk__in=[v.pk for v in vouchers]).update(purchase_id=purchase_id)


def were_used(*, codes: Sequence[str], purchase_id: int) -> bool:
    """Whether exactly these paid for that purchase."""
    used = Voucher.objects.filter(purchase=purchase_id).values_list("code_hash", flat=True)
    return set(used) == {_hash(_typed(code)) for code in codes}


def release_lapsed(*, now: datetime) -> int:
    """Free the vouchers whose till never came back."""
    return Voucher.objects.filter(state=Voucher.State.HELD, held_until__lte=now).update(
        state=Voucher.State.ACTIVE, held_by="", held_until=None
    )


def _usable(*, by: str, now: datetime) -> QuerySet[Voucher]:
    free = Q(state=Voucher.State.ACTIVE)
    held = Q(state=Voucher.State.HELD) & (Q(held_by=by) | Q(held_until__lte=now))
    return Voucher.objects.filter(free | held, expires_at__gt=now)


def _code(seed: bytes) -> str:
    key = settings.SECRET_KEY.encode()
    digest = hmac.digest(key, b"voucher-code:" + seed, "sha256")
    bits = int.from_bytes(digest[:8], "big") >> 4
    return "".join(ALPHABET[(bits >> (5 * n)) & 31] for n in range(SYMBOLS))


def _hash(code: str) -> str:
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, b"voucher-hash:" + code.encode(), "sha256").hexdigest()


def _typed(code: str) -> str:
    return code[:40].upper().translate(LOOKALIKES)
