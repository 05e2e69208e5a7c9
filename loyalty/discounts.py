"""What vouchers and points take off a basket, shared over its lines to the cent. Pure.

Free products and shipping come off first, then percentages, then money, then points: the order
that gives the member the most of each. A line's price never falls below nothing.
"""

from collections.abc import Collection, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Protocol, Self

CENT = Decimal("0.01")
SHIPPING = "shipping"
ORDER = ("product", "shipping", "percent", "amount")


class Line(Protocol):
    @property
    def sku(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def net(self) -> Decimal: ...
    def less(self, off: Decimal) -> Self: ...


class Terms(Protocol):
    """What a voucher takes off (`loyalty.models.Terms` is one)."""

    @property
    def off(self) -> str: ...
    @property
    def value(self) -> Decimal: ...
    @property
    def most_off(self) -> Decimal | None: ...
    @property
    def sku(self) -> str: ...


def in_order[T: Terms](vouchers: Sequence[T]) -> list[T]:
    """Vouchers in the order in which they come off."""
    return sorted(vouchers, key=lambda voucher: ORDER.index(voucher.off))


def apply[L: Line](lines: Sequence[L], terms: Terms) -> tuple[tuple[L, ...], Decimal]:
    """The lines less one voucher, and how much it took off (0 where nothing fits it)."""
    total = sum((line.net for line in lines), Decimal(0))
    among: Collection[int] = range(len(lines))
    match terms.off:
        case "amount":
            off = min(terms.value, total)
        case "percent":
            off = (total * terms.value / 100).quantize(CENT, rounding=ROUND_HALF_UP)
            off = min(off, total, terms.most_off or off)
        case "shipping":
            among = [n for n, line in enumerate(lines) if line.category == SHIPPING]
            off = sum((lines[n].net for n in among), Decimal(0))
        case _:
            found = [n for n, line in enumerate(lines) if line.sku == terms.sku]
            dearest = max(found, key=lambda n: lines[n].net / lines[n].quantity, default=None)
            if dearest is None:
                return tuple(lines), Decimal(0)
            among, line = [dearest], lines[dearest]
            off = (line.net / line.quantity).quantize(CENT, rounding=ROUND_HALF_UP)
    return share(lines, off, among=among), off


def share[L: Line](
    lines: Sequence[L], off: Decimal, *, among: Collection[int] | None = None
) -> tuple[L, ...]:
    """Share money off over some of the lines by price, to the cent; the shares add up to it."""
    chosen = range(len(lines)) if among is None else among
    total = sum((lines[n].net for n in chosen), Decimal(0))
    shared = list(lines)
    for number in chosen:
        line = lines[number]
        part = (off * line.net / total).quantize(CENT) if total else Decimal(0)
        part = min(part, line.net)
        off, total = off - part, total - line.net
        shared[number] = line.less(part)
    return tuple(shared)


def worth(*, points: int, point_value: Decimal) -> Decimal:
    """The money that points pay: to the cent, rounded down."""
    return (points * point_value).quantize(CENT, rounding=ROUND_FLOOR)


def points_for(*, money: Decimal, point_value: Decimal) -> int:
    """The fewest points that pay this much."""
    return int((money / point_value).to_integral_value(rounding=ROUND_CEILING))


def kept(*, points: int, gross: Decimal, kept_gross: Decimal) -> int:
    """Of points that paid a part, those that paid for what was kept: rounded up, so that what
    comes back never exceeds its share, and everything comes back with the last piece."""
    if not gross:
        return 0
    return int((points * kept_gross / gross).to_integral_value(rounding=ROUND_CEILING))
