"""What awards leave when goods come back: by the rules that paid, for the lines that were kept.

Whatever came back, and in which order, what is left is a function of what was kept. Pure.
"""

from collections.abc import Sequence
from decimal import Decimal

from loyalty import earning
from loyalty.terms import Paid


def left_of(*, paid: Sequence[Paid], lines: Sequence[earning.Line]) -> list[int]:
    """The points that each award of one purchase leaves when these lines are kept."""
    total = sum((line.net for line in lines), Decimal(0))
    left = [0 if _falls_short(award, total) else _own(award, lines) for award in paid]
    for number, award in enumerate(paid):
        if award.rule.per == "point" and not _falls_short(award, total):
            base = sum(
                min(points, _shared(award, other, lines))
                for other, points in zip(paid, left, strict=True)
                if earning.multiplies(award.rule, other.rule)
            )
            left[number] = min(award.points, earning.times(award.rule, base))
    return left


def _falls_short(award: Paid, total: Decimal) -> bool:
    return award.rule.minimum_total is not None and total < award.rule.minimum_total


def _own(award: Paid, lines: Sequence[earning.Line]) -> int:
    """What an award leaves by itself; one that multiplies others waits for theirs."""
    if award.rule.per == "point":
        return 0
    own = [line for line in lines if line.position in award.lines]
    return min(award.points, earning.points_for(rule=award.rule, lines=own))


def _shared(award: Paid, other: Paid, lines: Sequence[earning.Line]) -> int:
    """What the other gives for the lines that both cover."""
    both = set(award.lines) & set(other.lines)
    shared = [line for line in lines if line.position in both]
    return earning.points_for(rule=other.rule, lines=shared)
