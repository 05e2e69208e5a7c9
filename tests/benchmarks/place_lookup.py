"""Which place is meant, among 100,000 points and polygons, against an empty round trip.

Positions near places, as phones send them, through `loyalty.places.at`: the smallest place stood
in, by geodesic distance. Beside it `SELECT 1` over the same connection. Every lookup has to find
the place that the position was made from.
"""

import math
import random

from django.db import connection

from loyalty import places
from loyalty.models import Place
from tests.benchmarks import races, sameness, scratch, walkers
from tests.benchmarks.reports import Asked, Report

SEED = 11
BATCH = 5_000
RADIUS_M = 100.0
PARK_SHARE = 0.1  # have a boundary


def run(asked: Asked) -> Report:
    count = asked.sized(100_000, quick=2_000)
    lookups = 100 if asked.is_quick else 1_000
    dice = random.Random(SEED)
    report = Report(sizes={"places": count, "lookups": lookups})
    with scratch.database("places") as database:
        scratch.use(database)
        known = _build(dice, count)
        connection.close()
        scratch.settle(database)
        scratch.use(database)
        asked_for = [_position(dice, *dice.choice(known)) for _ in range(lookups)]
        found: list[int] = []

        def look_up() -> None:
            found.clear()
            for code, latitude, longitude in asked_for:
                here = places.at(latitude=latitude, longitude=longitude, accuracy_m=20)
                found.append(any(near.place.code == code for near in here))

        def ask_nothing() -> None:
            with connection.cursor() as cursor:
                for _ in asked_for:
                    cursor.execute("SELECT 1")
                    cursor.fetchone()

        connection.ensure_connection()
        report.races.append(
            races.race(
                "one position",
                unit="lookups",
                sides=[
                    races.Side(
                        name="loyalty.places.at",
                        run=lambda: races.timed(look_up),
                        units=lookups,
                        outcome=lambda: {"answers": sameness.Digest(sum(found), "")},
                    ),
                    races.Side(
                        name="an empty round trip",
                        run=lambda: races.timed(ask_nothing),
                        units=lookups,
                        outcome=lambda: {"answers": sameness.Digest(lookups, "")},
                        target=0.7,
                    ),
                ],
                rounds=asked.rounds_of(5),
                at_least={"answers": lookups},
            )
        )
        report.facts["plan"] = _plan(*asked_for[0][1:])
        connection.close()
    return report


def _build(dice: random.Random, count: int) -> list[tuple[str, float, float]]:
    """Places all over a country, one in ten with a boundary."""
    made = []
    known = []
    for number in range(count):
        code = f"p{number}"
        latitude, longitude = dice.uniform(30, 48), dice.uniform(-120, -75)
        place = Place(code=code, name=code, latitude=latitude, longitude=longitude)
        if dice.random() < PARK_SHARE:
            corners = [
                walkers.moved((latitude, longitude), RADIUS_M * 3, n * math.pi / 6)
                for n in range(12)
            ]
            ring = [[east, north] for north, east in [*corners, corners[0]]]
            place.boundary = {"type": "Polygon", "coordinates": [ring]}
        else:
            place.radius_m = RADIUS_M
        made.append(places.frame(place))
        known.append((code, latitude, longitude))
        if len(made) == BATCH or number == count - 1:
            Place.objects.bulk_create(made)
            made.clear()
    return known


def _position(
    dice: random.Random, code: str, latitude: float, longitude: float
) -> tuple[str, float, float]:
    at = walkers.moved((latitude, longitude), dice.uniform(0, 80), dice.uniform(0, 2 * math.pi))
    return code, *at


def _plan(latitude: float, longitude: float) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS) SELECT id FROM loyalty_place WHERE is_open"
            " AND box(point(west, south), point(east, north)) && box(point(%s, %s), point(%s, %s))",
            [longitude - 0.001, latitude - 0.001, longitude + 0.001, latitude + 0.001],
        )
        return [row[0] for row in cursor.fetchall()]
