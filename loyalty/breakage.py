"""How many outstanding points will never be spent: an estimate, and how far it may be off.

A life table of points by age in months (actuarial estimator: Cutler and Ederer 1958), in which
spending and lapsing compete (Aalen and Johansen 1978): each lot is as many observations as it has
points, seen from when it was recorded until it is spent or lapses, and no longer than until its
own date, until it is taken back, or until now. A lot's own date is known and therefore ends it for
certain: what is alive then is never spent.

Points of one member go together, so the band leaves out whole groups of members in turn: the
delete-a-group jackknife (Kott 2001, Journal of Official Statistics 17). It is about the share that
the habits seen so far lead to; should habits change, no band tells.

Nobody knows about ages that no points have reached. The estimate continues the last hazards seen;
the band reaches from all of the rest being spent to none of it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

GROUPS = 100  # of members
LAST = 60  # months; what has no date and is older is never spent
MIN_SEEN = 30  # groups of members that show what happens at an age, and members who spent
TAIL = 6  # months whose hazards are continued
MOST_BEYOND = 0.5  # of the outstanding points may hang on ages nobody has seen
KINDS = ("entered", "spent", "lapsed", "censored")
type Kind = Literal["entered", "spent", "lapsed", "censored"]
type Verdict = Literal["too early to tell", "estimate"]
type Hazard = tuple[float, float]  # chance to be spent, and to lapse, within one month of age


@dataclass(frozen=True, slots=True)
class Fate:
    """So many points of one group of members came under observation, or left it, at an age."""

    group: int
    kind: Kind
    age: int
    points: int


@dataclass(frozen=True, slots=True)
class Held:
    """Points outstanding: of this age, usable until that age; None when they have no date."""

    age: int
    end: int | None
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is known at a moment; `spenders` are members who spent anything."""

    fates: Sequence[Fate]
    held: Sequence[Held]
    spenders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """The share (0 to 1) of `points` that will never be spent, with its 95 % band.

    `beyond` is the share that hangs on ages above `seen_months`, which nobody has seen. Share and
    band are None while it is too early to tell.
    """

    points: int
    share: float | None
    low: float | None
    high: float | None
    beyond: float
    seen_months: int
    spenders: int
    verdict: Verdict


@dataclass(slots=True)
class _Ages:
    """Points by age in months, one list a kind."""

    entered: list[float] = field(default_factory=lambda: [0.0] * (LAST + 1))
    spent: list[float] = field(default_factory=lambda: [0.0] * (LAST + 1))
    lapsed: list[float] = field(default_factory=lambda: [0.0] * (LAST + 1))
    censored: list[float] = field(default_factory=lambda: [0.0] * (LAST + 1))

    def add(self, fate: Fate) -> None:
        counts: list[float] = getattr(self, fate.kind)
        counts[min(max(fate.age, 0), LAST)] += fate.points

    def without(self, other: "_Ages") -> "_Ages":
        def less(name: str) -> list[float]:
            pairs = zip(getattr(self, name), getattr(other, name), strict=True)
            return [mine - theirs for mine, theirs in pairs]

        return _Ages(*(less(kind) for kind in KINDS))

    def exposures(self) -> list[float]:
        """Points at risk in each month; who comes or is lost within it counts half."""
        alive, found = 0.0, []
        for age in range(LAST + 1):
            new = self.entered[age]
            # At age zero everything new is there from the first moment on.
            found.append(alive + (new / 2 if age else new) - self.censored[age] / 2)
            alive += new - self.spent[age] - self.lapsed[age] - self.censored[age]
        return found


def estimate(history: History, *, confidence: float = 0.95) -> Breakage:
    """The share of the points held that will never be spent. Ages in months, points whole.

    Too early to tell with fewer than 30 members who spent, or when more than half of the points
    hang on ages that fewer than 30 groups of members have reached.
    """
    points = sum(held.points for held in history.held)
    groups: dict[int, _Ages] = {}
    everybody = _Ages()
    for fate in history.fates:
        groups.setdefault(fate.group, _Ages()).add(fate)
        everybody.add(fate)
    seen = _seen_months(groups.values())
    hazards = _hazards(everybody, seen)
    least = _never_spent(history.held, hazards, seen, beyond=0.0)
    most = _never_spent(history.held, hazards, seen, beyond=1.0)
    is_early = not points or history.spenders < MIN_SEEN or most - least > MOST_BEYOND
    share = low = high = None
    if not is_early:
        share = _never_spent(history.held, hazards, seen)
        variance = _jackknifed(history.held, everybody, list(groups.values()), seen)
        off = _quantile(confidence, len(groups) - 1) * math.sqrt(variance)
        low, high = max(least - off, 0.0), min(most + off, 1.0)
    return Breakage(
        points=points,
        share=share,
        low=low,
        high=high,
        beyond=most - least,
        seen_months=seen + 1,
        spenders=history.spenders,
        verdict="too early to tell" if is_early else "estimate",
    )


def _seen_months(groups: Iterable[_Ages]) -> int:
    """The highest age at which enough groups have points at risk; -1 when there is none."""
    present = [0] * (LAST + 1)
    for group in groups:
        for age, exposure in enumerate(group.exposures()):
            present[age] += exposure > 0
    return max((age for age in range(LAST + 1) if present[age] >= MIN_SEEN), default=-1)


def _hazards(ages: _Ages, seen: int) -> list[Hazard]:
    """The hazards of each month of age; above `seen`, those of its last months together."""
    exposures = ages.exposures()
    found = [_rate(ages.spent[age], ages.lapsed[age], exposures[age]) for age in range(seen + 1)]
    tail = range(max(seen + 1 - TAIL, 0), seen + 1)
    last = _rate(
        sum(ages.spent[age] for age in tail),
        sum(ages.lapsed[age] for age in tail),
        sum(exposures[age] for age in tail),
    )
    return found + [last] * (LAST - seen)


def _rate(spent: float, lapsed: float, exposure: float) -> Hazard:
    whole = spent + lapsed
    if whole <= 0:
        return 0.0, 0.0
    scale = min(whole / exposure, 1.0) / whole if exposure > 0 else 1.0 / whole
    return spent * scale, lapsed * scale


def _part(hazard: Hazard, fraction: float) -> Hazard:
    """The chances within a part of the month."""
    whole = hazard[0] + hazard[1]
    if not whole:
        return 0.0, 0.0
    scale = (1 - (1 - whole) ** fraction) / whole
    return hazard[0] * scale, hazard[1] * scale


def _never_spent(
    held: Iterable[Held], hazards: Sequence[Hazard], seen: int, *, beyond: float | None = None
) -> float:
    """The share never spent; `beyond` replaces the chance of what outlives the ages seen."""
    futures: dict[int, list[float]] = {}
    points = lost = 0.0
    for each in held:
        end = LAST if each.end is None else min(each.end, LAST)
        points += each.points
        if each.age > end or each.age > LAST or (each.end is None and each.age == LAST):
            lost += each.points
            continue
        if each.age > seen and beyond is not None:
            lost += each.points * beyond
            continue
        if end not in futures:
            futures[end] = _futures(hazards, seen, end, beyond)
        # On average half of this month of age is still to come.
        spent, lapsed = _part(hazards[each.age], 0.25 if each.age == end else 0.5)
        lost += each.points * (lapsed + (1 - spent - lapsed) * futures[end][each.age + 1])
    return lost / points if points else 0.0


def _futures(hazards: Sequence[Hazard], seen: int, end: int, beyond: float | None) -> list[float]:
    """[chance that points alive at the beginning of a month of age are never spent]."""
    found = [1.0] * (end + 2)
    for age in range(end, -1, -1):
        if age > seen and beyond is not None:
            found[age] = beyond
            continue
        spent, lapsed = _part(hazards[age], 0.5) if age == end else hazards[age]
        found[age] = lapsed + (1 - spent - lapsed) * found[age + 1]
    return found


def _jackknifed(
    held: Sequence[Held], everybody: _Ages, groups: Sequence[_Ages], seen: int
) -> float:
    """The variance of the estimate over its values without one group each."""
    if len(groups) < 2:
        return 0.0
    values = [
        _never_spent(held, _hazards(everybody.without(group), seen), seen) for group in groups
    ]
    middle = sum(values) / len(values)
    return (len(values) - 1) / len(values) * sum((value - middle) ** 2 for value in values)


def _quantile(confidence: float, df: int) -> float:
    """Student's t from the normal (Abramowitz and Stegun 26.7.5, first term)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return z + (z**3 + z) / (4 * max(df, 1))
