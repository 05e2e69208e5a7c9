"""Six ways to be everywhere without going: each yields what its accounts send over eight weeks.

The attackers know the places and their points from the API, forge plausible accuracies, and go on
whatever they are answered.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from tests.benchmarks.walkers import (
    BEGIN,
    CITIES,
    WEEKS,
    Claim,
    Phone,
    Spot,
    apart_m,
    at_once,
    forged,
    in_city,
    pin_of,
    retold,
    stands,
)

DAYS = 7 * WEEKS
ROUNDS = 12  # of a farm
FARM = 20  # accounts
STOLEN_FOR = timedelta(minutes=15)  # An access token lives no longer.


def teleport(dice: random.Random, members: Sequence[int], known: Sequence[Spot]) -> Iterator[Claim]:
    """From one end of the country to the other, every hour."""
    (member,) = members
    for hour in range(24):
        city = list(CITIES)[hour % len(CITIES)]
        spot = dice.choice([s for s in known if s.city == city])
        moment = BEGIN + timedelta(days=10, hours=hour)
        yield at_once("teleport", member, forged(stands(dice, spot), moment, dice, jitter_m=15))


def replay(dice: random.Random, members: Sequence[int], known: Sequence[Spot]) -> Iterator[Claim]:
    """Somebody went once to three places and recorded it; two accounts tell it again and again."""
    trip = [
        forged(stands(dice, spot), BEGIN, dice, jitter_m=15) for spot in in_city(dice, known)[:3]
    ]
    for day in range(0, DAYS, 4):
        for number, report in enumerate(trip):
            for place, member in enumerate(members):
                moment = BEGIN + timedelta(days=day, hours=9 + 3 * number, minutes=7 * place)
                yield at_once("replay", member, retold(report, moment))


def exact_pin(
    dice: random.Random, members: Sequence[int], known: Sequence[Spot]
) -> Iterator[Claim]:
    """The list of places, read out: three a day at a polite distance."""
    (member,) = members
    for number, spot in enumerate(in_city(dice, known)[:30]):
        moment = BEGIN + timedelta(days=number // 3, hours=9 + 3 * (number % 3))
        yield at_once("exact pin", member, forged(pin_of(spot), moment, dice, jitter_m=0))


def farm(dice: random.Random, members: Sequence[int], known: Sequence[Spot]) -> Iterator[Claim]:
    """Many accounts, one script: everywhere at the same time, positions shaken by a few metres."""
    is_lazy = dice.random() < 0.5  # Half of them do not even shake.
    for number, spot in enumerate(in_city(dice, known)[:ROUNDS]):
        at = stands(dice, spot)
        moment = BEGIN + timedelta(days=number, hours=12)
        for member in dice.sample(members, len(members)):
            moment += timedelta(seconds=dice.uniform(2, 15))
            report = forged(at, moment, dice, jitter_m=0 if is_lazy else 15)
            yield at_once("farm", member, report)


def slow_script(
    dice: random.Random, members: Sequence[int], known: Sequence[Spot]
) -> Iterator[Claim]:
    """One account that drives from place to place from seven to ten, every day, and errs nicely."""
    (member,) = members
    phone = Phone(dice)
    route = in_city(dice, known)
    for day in range(10):
        moment = BEGIN + timedelta(days=day, hours=7)
        spot = route[0]
        for following in route[1:]:
            moment += timedelta(
                hours=apart_m(spot, following) / 1_000 / 40, minutes=dice.uniform(8, 20)
            )
            if moment > BEGIN + timedelta(days=day, hours=22):
                break
            spot = following
            yield at_once("slow script", member, phone.says(stands(dice, spot), moment))
        dice.shuffle(route)


def stolen_token(
    dice: random.Random, members: Sequence[int], known: Sequence[Spot]
) -> Iterator[Claim]:
    """The owner checks in; with the token of that moment somebody does so elsewhere, four times."""
    (member,) = members
    phone = Phone(dice)
    here, *_ = in_city(dice, known)
    for week in range(WEEKS):
        moment = BEGIN + timedelta(weeks=week, days=dice.uniform(0, 5), hours=10)
        own = phone.says(stands(dice, here), moment)
        yield Claim(moment, member, "owner", own, f"{member}")
        there = [s for s in known if s.city != here.city and not s.is_park]
        city = dice.choice(there).city
        # Some of the time the app was open, and nobody had checked in for hours.
        moment += timedelta(minutes=1) if dice.random() < 0.8 else timedelta(hours=16)
        for spot in dice.sample([s for s in there if s.city == city], 4):
            moment += STOLEN_FOR / 5
            report = forged(stands(dice, spot), moment, dice, jitter_m=15)
            yield Claim(moment, member, "stolen token", report, f"{member} in week {week}")


type Attack = Callable[[random.Random, Sequence[int], Sequence[Spot]], Iterator[Claim]]

# name: (what it does, accounts in one attack, points each account, or theft, may get)
ATTACKS: dict[str, tuple[Attack, int, int]] = {
    "teleport": (teleport, 1, 100),
    "replay": (replay, 2, 150),
    "exact pin": (exact_pin, 1, 100),
    "farm": (farm, FARM, 150),
    "slow script": (slow_script, 1, 1_200),
    "stolen token": (stolen_token, 1, 100),
}
