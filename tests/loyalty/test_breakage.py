"""The share never spent: near the truth where the truth is known, and its band holds it."""

import math
import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from statistics import mean

import pytest

from loyalty import breakage
from loyalty.breakage import Fate, Held, History

VALID = 18  # months
GROUPS = 40


def simulated(
    *, seed: int, members: int = 240, months: float = 40, is_spread: bool = False
) -> tuple[History, float]:
    """A programme of known behaviour at the age of `months`, and the share of the points then
    outstanding that this behaviour leaves unspent.

    Two members in five never spend; the others spend all they have once in eight months on
    average. Everybody earns every other month, points are usable for 18 months.
    """
    rng = random.Random(seed)
    fates: Counter[tuple[int, breakage.Kind, int]] = Counter()
    held: Counter[tuple[int, int]] = Counter()
    spenders, lost = set(), 0.0
    for member in range(members):
        is_spender = rng.random() < 0.6
        spends = _times(rng, every=8) if is_spender else []
        for born in _times(rng, every=2):
            if born > months:
                break
            points = rng.choice((20, 50, 50, 200))
            group = rng.randrange(GROUPS) if is_spread else member % GROUPS
            end = min([*spends[bisect(spends, born) :][:1], born + VALID])
            fates[group, "entered", 0] += points
            if end > months:
                fates[group, "censored", int(months - born)] += points
                held[int(months - born), VALID - 1] += points
                lost += points * _alive(VALID) / _alive(months - born)
            elif end == born + VALID:
                fates[group, "censored", VALID - 1] += points
            else:
                fates[group, "spent", int(end - born)] += points
                spenders.add(member)
    history = History(
        fates=[Fate(group, kind, age, n) for (group, kind, age), n in fates.items()],
        held=[Held(age, end, n) for (age, end), n in held.items()],
        spenders=len(spenders),
    )
    return history, lost / sum(held.values())


def _times(rng: random.Random, *, every: float) -> list[float]:
    """Moments of a Poisson process over twenty years."""
    return list(accumulate(rng.expovariate(1 / every) for _ in range(int(240 / every))))


def _alive(age: float) -> float:
    """The share of all points that is not spent at an age."""
    return 0.4 + 0.6 * math.exp(-age / 8)


def test_band_holds_the_truth_in_about_95_percent_of_programmes() -> None:
    held, off = 0, []
    for seed in range(60):
        history, truth = simulated(seed=seed)
        found = breakage.estimate(history)
        share, low, high = told(found)
        held += low <= truth <= high
        off.append(share - truth)
    assert 55 <= held <= 59
    assert abs(mean(off)) < 0.005
    assert max(map(abs, off)) < 0.1


def test_band_narrows_with_members() -> None:
    few, many = (
        breakage.estimate(simulated(seed=1, members=members)[0]) for members in (240, 2_160)
    )
    assert _width(many) < _width(few) / 2


def test_points_of_one_member_are_not_independent() -> None:
    """The same programme, with each member's points in one group or each lot in any."""
    together, spread = (
        breakage.estimate(simulated(seed=2, is_spread=is_spread)[0]) for is_spread in (False, True)
    )
    assert _width(spread) < _width(together)


def told(found: breakage.Breakage) -> tuple[float, float, float]:
    assert found.share is not None
    assert found.low is not None
    assert found.high is not None
    return found.share, found.low, found.high


def _width(found: breakage.Breakage) -> float:
    _, low, high = told(found)
    return high - low


# --- By hand ----------------------------------------------------------------------------------
def everywhere(*fates: tuple[breakage.Kind, int, int]) -> list[Fate]:
    """The same fates in each of forty groups."""
    return [Fate(group, *fate) for group in range(GROUPS) for fate in fates]


def test_share_is_what_was_still_there_at_the_same_age() -> None:
    """Of 100 points, 20 go in the first month and 40 of the 80 in the second; usable for two."""
    fates = everywhere(("entered", 0, 100), ("spent", 0, 20), ("spent", 1, 40), ("censored", 2, 40))
    held = [Held(age=0, end=2, points=1_000)]
    found = breakage.estimate(History(fates=fates, held=held, spenders=GROUPS))
    assert found.share == pytest.approx(math.sqrt(0.8) * 0.5)  # Half of the month 0 is over.
    assert (found.points, found.seen_months, found.beyond) == (1_000, 3, 0.0)
    assert _width(found) == pytest.approx(0)  # All groups are alike.


def test_lapsed_points_are_never_spent() -> None:
    fates = everywhere(("entered", 0, 100), ("lapsed", 1, 50), ("spent", 1, 50))
    held = [Held(age=0, end=None, points=10)]
    found = breakage.estimate(History(fates=fates, held=held, spenders=GROUPS))
    assert found.share == pytest.approx(0.5)


def test_points_past_their_date_are_lost() -> None:
    history, _ = simulated(seed=3)
    held = [Held(age=5, end=-1, points=100)]
    assert breakage.estimate(replace(history, held=held)).share == 1


def test_points_observed_late_say_nothing_about_before() -> None:
    """Loaded at the age of ten months: the hazards of the first ten are those of the others."""
    told = everywhere(("entered", 0, 100), ("spent", 0, 50), ("censored", 1, 50))
    late = everywhere(("entered", 10, 900), ("censored", 11, 900))
    held = [Held(age=0, end=0, points=10)]
    alone, both = (
        breakage.estimate(History(fates=fates, held=held, spenders=GROUPS))
        for fates in (told, told + late)
    )
    assert both.share == alone.share == pytest.approx(0.5**0.25)


def test_band_reaches_over_what_nobody_has_seen() -> None:
    """Six months of history, points usable for twelve: nobody knows about the other six."""
    fates = everywhere(
        ("entered", 0, 1_000), *[("spent", age, 100) for age in range(6)], ("censored", 6, 400)
    )
    held = [Held(age=5, end=12, points=100), Held(age=5, end=6, points=300)]
    found = breakage.estimate(History(fates=fates, held=held, spenders=GROUPS))
    share, low, high = told(found)
    assert 0 < found.beyond < 0.25
    assert low < share < high
    assert high - low == pytest.approx(found.beyond)


@pytest.mark.parametrize(
    "early",
    [
        lambda history: replace(history, spenders=29),
        lambda history: replace(history, fates=[f for f in history.fates if f.group < 29]),
        lambda history: replace(history, held=[Held(age=2, end=None, points=5)]),
        lambda history: replace(history, held=[]),
        lambda history: History(fates=[], held=[Held(0, 3, 5)], spenders=0),
    ],
    ids=["few spent", "few members", "too old", "nothing held", "nothing happened"],
)
def test_too_early_to_tell(early: Callable[[History], History]) -> None:
    history, _ = simulated(seed=4)
    assert breakage.estimate(history).verdict == "estimate"
    found = breakage.estimate(early(history))
    assert found.verdict == "too early to tell"
    assert (found.share, found.low, found.high) == (None, None, None)
