"""Many purchases in one call, each answered by itself: what is good lands, what is not says why.

Plain purchases take one path together, in as many statements for a hundred as for ten; those with
vouchers and those of guests follow one by one. Should one of them stop the others, each is tried
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DataError, IntegrityError, transaction

from config.errors import Invalid, Refusal
from loyalty import accounts, baskets, guests, pooling, purchases
from loyalty.baskets import Basket
from loyalty.models import Purchase, VoucherUse

type Outcome = purchases.Receipt | guests.Kept | Refusal


class Refused(Refusal):
    """A rule of the database had to say no."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    basket: Basket


def record_each(many: Sequence[Basket], *, now: datetime, held_by: str = "") -> list[Outcome]:
    """Record every purchase that can be, in one transaction; an outcome each, in the order given.

    Balances are those when all plain purchases of the call are recorded.
    """
    outcomes: dict[int, Outcome] = {}
    plain: list[_Numbered] = []
    special: list[_Numbered] = []
    for number, basket in enumerate(many):
        try:
            baskets.check(basket, now=now)
        except Invalid as refusal:
            outcomes[number] = refusal
        else:
            is_plain = basket.is_plain and not basket.is_guests
            (plain if is_plain else special).append(_Numbered(number, basket))
    with transaction.atomic():
        # All of them before anything else, whatever the order in which they are needed.
        good = [one.basket for one in plain + special]
        buyers = {basket.member_id for basket in good if not basket.is_guests}
        spenders = {basket.member_id for basket in good if basket.points}
        accounts.lock(sorted(buyers | pooling.everybody(spenders)))
        together = tried(lambda: _record_together([one.basket for one in plain], now=now))
        if isinstance(together, Refusal):
            special = sorted(plain + special, key=lambda one: one.basket.occurred_at)
        else:
            outcomes |= {one.number: said for one, said in zip(plain, together, strict=True)}
        for one in special:
            outcomes[one.number] = record_one(one.basket, now=now, held_by=held_by)
    return [outcomes[number] for number in range(len(many))]


def record_one(
    basket: Basket, *, now: datetime, held_by: str = "", redeemed_at: datetime | None = None
) -> Outcome:
    """Record one purchase, a guest's too, in a savepoint of its own."""
    if basket.is_guests:
        return tried(lambda: guests.keep(basket, now=now))
    return tried(
        lambda: purchases.record(basket, now=now, held_by=held_by, redeemed_at=redeemed_at)
    )


def tried[T](do: Callable[[], T]) -> T | Refusal:
    """What it answered, or why it was refused; then nothing of it has happened."""
    try:
        with transaction.atomic():
            return do()
    except Refusal as refusal:
        return refusal
    except DataError:
        return Invalid("A value is outside what can be stored.")
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        name = getattr(diagnosis, "constraint_name", None) or "a constraint"
        return Refused(f"Refused by the rule {name}.")


def _record_together(plain: Sequence[Basket], *, now: datetime) -> list[Outcome]:
    receipts = purchases.record_many(plain, now=now)
    pairs = list(zip(plain, receipts, strict=True))
    old = [(b, receipt.purchase_id) for b, receipt in pairs if not receipt.is_new]
    outcomes: dict[int, Refusal] = {}
    if old:
        ids = {pk for _, pk in old}
        others = set(VoucherUse.objects.filter(purchase__in=ids).values_list("purchase", flat=True))
        with_points = Purchase.objects.filter(pk__in=ids, points_entry__isnull=False)
        others |= set(with_points.values_list("pk", flat=True))
        for (basket, pk), is_alike in zip(old, purchases.are_alike(old), strict=True):
            if not is_alike or pk in others:
                outcomes[id(basket)] = purchases.other_content(basket)
    return [outcomes.get(id(basket), receipt) for basket, receipt in pairs]
