"""Two or more sides run side by side, several times in turn; what counts is their ratio.

A machine has good and bad minutes, and both sides of a round share one: ratios are taken within
each round, then their median. The sides take turns in going first. One round before is not counted:
after it, and after the last, the rows of all sides must be the same.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.benchmarks import sameness

type Outcome = Mapping[str, sameness.Digest]


def _nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Side:
    """`run` does the work and returns its seconds; `ready` comes before and is not timed.

    `units` is how much the run did, `outcome` tells the rows it wrote. `target` and `stretch` are
    what the first side's rate should be as a multiple of this one's.
    """

    name: str
    run: Callable[[], float]
    units: int
    outcome: Callable[[], Outcome]
    ready: Callable[[], object] = _nothing
    target: float | None = None
    stretch: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))

    def rounded(self, digits: int) -> dict[str, float]:
        return {
            "median": round(self.median, digits),
            "low": round(self.low, digits),
            "high": round(self.high, digits),
        }


@dataclass(slots=True)
class Race:
    """What came of a race: rates in units a second, ratios of the first side to each limit."""

    name: str
    unit: str
    sides: Sequence[Side]
    rounds: int
    rates: dict[str, Spread] = field(default_factory=dict)
    ratios: dict[str, Spread] = field(default_factory=dict)

    def is_met(self, side: Side) -> bool | None:
        if side.target is None or side.name not in self.ratios:
            return None
        return self.ratios[side.name].median >= side.target

    def document(self) -> dict[str, Any]:
        sides = {}
        for side in self.sides:
            told: dict[str, Any] = {"rate": self.rates[side.name].rounded(1), "units": side.units}
            if side.name in self.ratios:
                told |= {
                    "ratio": self.ratios[side.name].rounded(3),
                    "target": side.target,
                    "stretch": side.stretch,
                    "is_met": self.is_met(side),
                }
            sides[side.name] = told
        return {"name": self.name, "unit": self.unit, "rounds": self.rounds, "sides": sides}

    def lines(self) -> list[str]:
        told = [f"  {self.name} ({self.unit} a second, {self.rounds} rounds)"]
        for side in self.sides:
            rate = self.rates[side.name]
            line = (
                f"    {side.name:<34}{rate.median:>12,.0f}  ({rate.low:,.0f} to {rate.high:,.0f})"
            )
            if ratio := self.ratios.get(side.name):
                line += f"   ratio {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
            if side.target is not None:
                line += f", target {side.target:g}: {'met' if self.is_met(side) else 'MISSED'}"
            told.append(line)
        return told


def race(
    name: str,
    *,
    unit: str,
    sides: Sequence[Side],
    rounds: int,
    at_least: Mapping[str, int],
    is_warmed_up: bool = True,
) -> Race:
    """Run all sides in turn, `rounds` times after one that is not counted.

    What runs for minutes from a cold start needs no warming up. `at_least` says how many rows of
    what must come out of a run. Raises `NotTheSameWork`.
    """
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(0 if is_warmed_up else 1, rounds + 1):
        turn = number % len(sides)
        outcomes: dict[str, Outcome] = {}
        for side in [*sides[turn:], *sides[:turn]]:
            side.ready()
            rate = side.units / side.run()
            if number:
                rates[side.name].append(rate)
            if number in (0, rounds):
                outcomes[side.name] = side.outcome()
        if outcomes:
            sameness.prove(outcomes, at_least=at_least)
    result = Race(name, unit, sides, rounds)
    result.rates = {side.name: Spread.of(rates[side.name]) for side in sides}
    ours = rates[sides[0].name]
    for side in sides[1:]:
        ratios = [mine / theirs for mine, theirs in zip(ours, rates[side.name], strict=True)]
        result.ratios[side.name] = Spread.of(ratios)
    return result


def timed(do: Callable[[], object]) -> float:
    """Seconds on the wall."""
    before = time.perf_counter()
    do()
    return time.perf_counter() - before
