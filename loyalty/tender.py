"""Points as money: paying a part of a purchase with them, or setting them aside for a till.

Points set aside are spent at once, in the ledger's own way, and come back into the lots they came
from when the till lets go or never returns. So nothing but the balance says what can be spent, and
a till that was promised points gets them. An allowance is the same for a till that will be offline:
longer, and signed, so that the till can check it without us (EdDSA, RFC 8037).
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from config.errors import Invalid, NotFound, Refusal
from loyalty import discounts, ledger, pooling
from loyalty.models import Hold, PointsPolicy
from members.models import Member

LONGEST_HOLD = timedelta(minutes=30)
LONGEST_ALLOWANCE = timedelta(hours=72)
# How long after an allowance ended a till may still report what it paid while it was valid.
REPORTED_WITHIN = timedelta(days=3)
ALGORITHM = "EdDSA"


class PointsDoNotPay(Refusal):
    """The programme has no value for a point, or none in this currency."""

    code = "points_do_not_pay"
    status = 409


class MoreThanThereIsToPay(Invalid):
    """Points would pay more than the whole."""


class HoldNotValid(Refusal):
    """Unknown, used, released, another member's or another till's: not told apart."""

    code = "hold_not_valid"
    status = 409

    def __init__(self) -> None:
        super().__init__("These points are not set aside for this payment.")


@dataclass(frozen=True, slots=True)
class Paid:
    """What points paid: `entry_id` is the spend that a return gives back from."""

    points: int
    off: Decimal
    entry_id: int


def hold(*, member: Member, points: int, till: str, minutes: int = 10, now: datetime) -> Hold:
    """Set points aside for a till; raises `InsufficientPoints` or `PointsDoNotPay`."""
    lasts = min(timedelta(minutes=minutes), LONGEST_HOLD)
    return _set_aside(member, points, till=till, valid_until=now + lasts, grace=lasts, now=now)


def allow(*, member: Member, points: int, till: str, hours: int = 24, now: datetime) -> Hold:
    """Set points aside for a till that will be offline; see `signed`."""
    until = now + min(timedelta(hours=hours), LONGEST_ALLOWANCE)
    return _set_aside(member, points, till=till, valid_until=until, grace=REPORTED_WITHIN, now=now)


def signed(held: Hold) -> str:
    """A hold as a JSON Web Token that a till can check with the public key alone."""
    claims = {
        "jti": str(held.pk),
        "sub": held.member.number,
        "aud": held.held_by,
        "exp": held.valid_until,
        "points": held.points,
        "value": str(held.value),
        "currency": held.currency,
    }
    return jwt.encode(claims, _private_key(), algorithm=ALGORITHM)


def public_key() -> dict[str, str]:
    """The key that checks allowances, as a JSON Web Key."""
    key: dict[str, str] = jwt.algorithms.OKPAlgorithm.to_jwk(
        _private_key().public_key(), as_dict=True
    )
    return {**key, "use": "sig", "alg": ALGORITHM}


def release(*, hold_id: str, till: str, now: datetime) -> Hold:
    """Let go of what this till set aside; letting go again changes nothing."""
    rows = Hold.objects.select_related("entry").filter(held_by=till)
    named = rows.filter(pk=hold_of(hold_id)).first()
    if named is None:
        raise NotFound("This till has no such points set aside.")
    return _release(named, now=now)


def release_lapsed(*, now: datetime) -> int:
    """Give back the points of tills that never came back; returns how many holds."""
    due = Hold.objects.filter(state=Hold.State.HELD, lapses_at__lte=now)
    lapsed = list(due.select_related("entry")[:500])
    for held in lapsed:
        _release(held, now=now)
    return len(lapsed)


def pay(*, member_id: int, points: int, currency: str, total: Decimal, now: datetime) -> Paid:
    """Pay a part of `total` with points, at once. Call inside the purchase's transaction."""
    value = _worth(points, currency)
    if value > total:
        raise MoreThanThereIsToPay(
            f"{points} points are more than there is to pay.", pointer="/points"
        )
    with pooling.open_book(member_id, now=now) as book:
        entry = pooling.spend(
            book, member_id=member_id, points=points, at=now, why="paid at the till"
        )
    return Paid(points, value, entry.written_id)


def use(
    *,
    hold_id: str,
    member_id: int,
    currency: str,
    total: Decimal,
    till: str,
    occurred_at: datetime,
    now: datetime,
) -> tuple[Hold, Paid]:
    """Pay with points set aside; what the purchase does not need goes back.

    Call inside the purchase's transaction, then `attach`.
    """
    named = Hold.objects.filter(pk=hold_of(hold_id)).select_related("entry").first()
    others = ledger.holders(spent=named.entry if named else None, member_id=member_id)
    with ledger.open_book([member_id], now=now, with_lots=True, besides=others) as book:
        held = Hold.objects.filter(pk=hold_of(hold_id)).select_related("entry").first()
        if (
            held is None
            or (held.member_id, held.currency, held.held_by) != (member_id, currency, till)
            or held.state != Hold.State.HELD
            or occurred_at > held.valid_until
        ):
            raise HoldNotValid
        points, off = held.points, held.value
        if off > total:
            value = held.value / held.points
            points = min(discounts.points_for(money=total, point_value=value), held.points)
            off = total
            if points < held.points:
                book.restore(
                    member_id=member_id,
                    spent=held.entry,
                    points=held.points - points,
                    why="not needed",
                )
    return held, Paid(points, off, held.entry_id)


def attach(held: Hold, *, purchase_id: int) -> None:
    """Remember which purchase used it: from then on it cannot be let go."""
    Hold.objects.filter(pk=held.pk).update(state=Hold.State.USED, purchase_id=purchase_id)


def was_used(*, hold_id: str, purchase_id: int) -> bool:
    """Whether this hold, or none when it is empty, paid for that purchase."""
    used = [
        str(pk) for pk in Hold.objects.filter(purchase=purchase_id).values_list("pk", flat=True)
    ]
    return used == ([str(hold_of(hold_id))] if hold_id else [])


def hold_of(named: str) -> UUID:
    """The id of the hold that a till names, by itself or as a signed allowance."""
    try:
        if named.count(".") == 2:
            key = _private_key().public_key()
            # Whether it is still valid is asked of the row, at the time of the purchase.
            named = jwt.decode(
                named,
                key,
                algorithms=[ALGORITHM],
                options={"verify_exp": False, "verify_aud": False},
            )["jti"]
        return UUID(named)
    except (jwt.InvalidTokenError, ValueError, KeyError) as error:
        raise HoldNotValid from error


def _set_aside(
    member: Member,
    points: int,
    *,
    till: str,
    valid_until: datetime,
    grace: timedelta,
    now: datetime,
) -> Hold:
    policy = PointsPolicy.objects.get()
    value = _worth(points, policy.point_currency)
    with pooling.open_book(member.pk, now=now) as book:
        entry = pooling.spend(
            book, member_id=member.pk, points=points, at=now, why="set aside at a till"
        )
    return Hold.objects.create(
        member=member,
        entry_id=entry.written_id,
        points=points,
        value=value,
        currency=policy.point_currency,
        held_by=till,
        held_at=now,
        valid_until=valid_until,
        lapses_at=valid_until + grace,
    )


def _release(named: Hold, *, now: datetime) -> Hold:
    others = ledger.holders(spent=named.entry, member_id=named.member_id)
    with ledger.open_book([named.member_id], now=now, with_lots=True, besides=others) as book:
        held = Hold.objects.select_related("entry").get(pk=named.pk)
        if held.state == Hold.State.USED:
            raise HoldNotValid
        if held.state == Hold.State.HELD:
            book.restore(member_id=held.member_id, spent=held.entry, why="let go by the till")
            held.state = Hold.State.RELEASED
            held.save(update_fields=["state"])
    return held


def _worth(points: int, currency: str) -> Decimal:
    policy = PointsPolicy.objects.get()
    if policy.point_value is None or policy.point_currency != currency:
        raise PointsDoNotPay(f"Points do not pay in {currency or 'this programme'}.")
    value = discounts.worth(points=points, point_value=policy.point_value)
    if not value:
        raise Invalid("So few points are worth nothing.", pointer="/points")
    return value


def _private_key() -> Ed25519PrivateKey:
    seed = hmac.digest(settings.SECRET_KEY.encode(), b"allowance-key", hashlib.sha256)
    return Ed25519PrivateKey.from_private_bytes(seed)
