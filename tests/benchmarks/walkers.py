"""People and attackers who check in, made up from a seed: what their phones say, and when.

Honest phones err: by 5 to 60 m with heavy tails, by a reflection between houses now and then, by 90
seconds of clock; they are offline for hours, go by train and by plane, and come back every week, in
families and in coaches. Attackers want points without going anywhere.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.checkins import Report
from tests.benchmarks import world

CITIES = {
    "denver": (39.74, -104.99),
    "san francisco": (37.77, -122.42),
    "new york": (40.71, -74.01),
    "chicago": (41.88, -87.63),
    "los angeles": (34.05, -118.24),
}
PLACES_A_CITY, PARKS_A_CITY, POPULAR = 60, 4, 3
AROUND_KM = 30.0
WEEKS = 8
BEGIN = world.NOW - timedelta(weeks=WEEKS)
KM = 1 / 111.0  # degrees of latitude
MOST_DRIFT_S = 90.0
FLIGHT_KM_H, TRAIN_KM_H = 800.0, 200.0


@dataclass(frozen=True, slots=True)
class Spot:
    code: str
    city: str
    latitude: float
    longitude: float
    radius_m: float
    is_park: bool
    is_popular: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """One check-in to come: who sends what, when it arrives, and as whose attack (or honest)."""

    received_at: datetime
    member: int
    kind: str
    report: Report
    who: str


def spots(dice: random.Random) -> list[Spot]:
    found = []
    for city, (latitude, longitude) in CITIES.items():
        for number in range(PLACES_A_CITY + PARKS_A_CITY):
            is_park = number >= PLACES_A_CITY
            at = moved(
                (latitude, longitude),
                dice.uniform(0, AROUND_KM) * 1_000,
                dice.uniform(0, 2 * math.pi),
            )
            found.append(
                Spot(
                    code=f"{city[:3]}-{number}",
                    city=city,
                    # As published: a place's point has five decimals.
                    latitude=round(at[0], 5),
                    longitude=round(at[1], 5),
                    radius_m=600.0 if is_park else dice.choice([80.0, 120.0, 200.0, 300.0]),
                    is_park=is_park,
                    is_popular=number < POPULAR,
                )
            )
    return found


def moved(at: tuple[float, float], metres: float, bearing: float) -> tuple[float, float]:
    """Degrees so many metres away, on a plane: good for a few kilometres."""
    north, east = metres * math.cos(bearing), metres * math.sin(bearing)
    latitude = at[0] + north / 111_000
    return latitude, at[1] + east / (111_000 * math.cos(math.radians(latitude)))


def apart_m(one: Spot, other: Spot) -> float:
    shrink = math.cos(math.radians((one.latitude + other.latitude) / 2))
    return 111_000 * math.hypot(
        one.latitude - other.latitude, (one.longitude - other.longitude) * shrink
    )


class Phone:
    """One member's phone: its clock's error, and how well it hears the satellites."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.drift = timedelta(seconds=dice.uniform(-MOST_DRIFT_S, MOST_DRIFT_S))
        self.sigma_m = min(max(dice.lognormvariate(2.5, 0.6), 5.0), 60.0)

    def says(self, at: tuple[float, float], moment: datetime) -> Report:
        """A fix near the true position. Its error has the tails of Student's t (3 degrees)."""
        dice = self.dice
        sigma = self.sigma_m * dice.uniform(0.7, 1.4)
        tail = math.sqrt(3 / dice.gammavariate(1.5, 2))
        error = math.hypot(dice.gauss(), dice.gauss()) * sigma * min(tail, 6) / 2
        accuracy = max(sigma, 3.5)
        if dice.random() < 0.02:  # between high houses
            error += dice.uniform(80, 250)
            accuracy = dice.uniform(30, 95)
        latitude, longitude = moved(at, error, dice.uniform(0, 2 * math.pi))
        return Report(
            latitude=latitude,
            longitude=longitude,
            accuracy_m=round(accuracy, 1),
            occurred_at=moment + self.drift,
        )


def stands(dice: random.Random, spot: Spot) -> tuple[float, float]:
    """Where somebody at the spot really is: people gather at its view."""
    metres = min(abs(dice.gauss()) * spot.radius_m * 0.3, spot.radius_m * 0.9)
    return moved((spot.latitude, spot.longitude), metres, dice.uniform(0, 2 * math.pi))


class Honest:
    """Households: one person or a family, who go out together about once or twice a week."""

    def __init__(self, dice: random.Random, members: Sequence[int], known: Sequence[Spot]) -> None:
        self.dice = dice
        self.phones = {member: Phone(dice) for member in members}
        self.city = dice.choice(list(CITIES))
        self.known = known

    def claims(self) -> Iterator[Claim]:
        for week in range(WEEKS):
            away = self.dice.random() < 0.02
            for day in sorted(self.dice.sample(range(7), self.dice.choice([1, 1, 2, 3]))):
                begin = BEGIN + timedelta(weeks=week, days=day, hours=self.dice.uniform(8, 13) + 8)
                yield from self._outing(begin, flies=away)

    def _outing(self, moment: datetime, *, flies: bool) -> Iterator[Claim]:
        dice = self.dice
        city = self.city
        spot = self._next(city, None)
        for number in range(dice.choice([1, 1, 2, 2, 3, 4, 6])):
            if number:
                earlier, speed = spot, dice.choice([4.0, 15.0, 40.0, 60.0, TRAIN_KM_H])
                wait = timedelta(minutes=dice.uniform(10, 60))
                if flies and number == 1:  # The first stop after landing
                    city = dice.choice([c for c in CITIES if c != city])
                    speed, wait = FLIGHT_KM_H, timedelta(minutes=150)
                spot = self._next(city, earlier)
                moment += wait + timedelta(hours=apart_m(earlier, spot) / 1_000 / speed)
            yield from self._at(spot, moment)

    def _at(self, spot: Spot, moment: datetime) -> Iterator[Claim]:
        for member, phone in self.phones.items():
            if len(self.phones) > 1 and self.dice.random() < 0.2:
                continue  # Not everybody is in the mood.
            then = moment + timedelta(seconds=self.dice.uniform(0, 120))
            report = phone.says(stands(self.dice, spot), then)
            is_offline = self.dice.random() < 0.03
            delay = timedelta(hours=self.dice.uniform(0.2, 30) if is_offline else 0)
            yield Claim(then + delay + timedelta(seconds=1), member, "honest", report, f"{member}")

    def _next(self, city: str, after: Spot | None) -> Spot:
        here = [spot for spot in self.known if spot.city == city and spot is not after]
        weights = [20 if spot.is_popular else 1 for spot in here]
        return self.dice.choices(here, weights)[0]


class Coach(Honest):
    """Forty people who do not know each other, on a tour of two or three places."""

    def claims(self) -> Iterator[Claim]:
        begin = BEGIN + timedelta(days=self.dice.uniform(0, 7 * WEEKS - 2))
        spot = self._next(self.city, None)
        for _ in range(self.dice.choice([2, 3])):
            yield from self._at(spot, begin)
            begin += timedelta(hours=2)
            spot = self._next(self.city, spot)


def in_city(dice: random.Random, known: Sequence[Spot]) -> list[Spot]:
    """The places of one city that have a point, in a random order."""
    city = dice.choice(list(CITIES))
    own = [spot for spot in known if spot.city == city and not spot.is_park]
    return dice.sample(own, len(own))


def forged(
    at: tuple[float, float], moment: datetime, dice: random.Random, *, jitter_m: float
) -> Report:
    latitude, longitude = moved(at, abs(dice.gauss()) * jitter_m, dice.uniform(0, 2 * math.pi))
    return Report(
        latitude=latitude,
        longitude=longitude,
        accuracy_m=round(dice.uniform(5, 20), 1),
        occurred_at=moment,
    )


def pin_of(spot: Spot) -> tuple[float, float]:
    return spot.latitude, spot.longitude


def at_once(claim_kind: str, member: int, report: Report) -> Claim:
    return Claim(report.occurred_at, member, claim_kind, report, f"{member}")


def retold(report: Report, moment: datetime) -> Report:
    return replace(report, occurred_at=moment)
