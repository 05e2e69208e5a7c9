"""Finding places: which ones a position could be at, and which are near."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import boundaries, places, verification
from loyalty.models import Place
from tests import factories

pytestmark = pytest.mark.django_db


def square(south: float, west: float, side: float) -> list[list[float]]:
    north, east = south + side, west + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def area(code: str, *rings: list[list[float]]) -> Place:
    """A place with this boundary, first ring the outline, the others holes."""
    geometry, _ = boundaries.clean_boundary(
        geometry={"type": "Polygon", "coordinates": list(rings)}
    )
    longitude, latitude = rings[0][0]
    return factories.place(
        code, boundary=geometry, radius_m=None, latitude=latitude, longitude=longitude
    )


def at(latitude: float, longitude: float, accuracy_m: float = 10) -> list[str]:
    found = places.at(latitude=latitude, longitude=longitude, accuracy_m=accuracy_m)
    return [near.place.code for near in found]


def nearby(latitude: float, longitude: float, radius_m: float, limit: int = 50) -> list[str]:
    found = places.nearby(latitude=latitude, longitude=longitude, radius_m=radius_m, limit=limit)
    return [near.place.code for near in found]


def test_smallest_place_comes_first() -> None:
    factories.place("park", latitude=40, longitude=-105, radius_m=30_000)
    factories.place("peak", latitude=40.001, longitude=-105, radius_m=200)
    area("valley", square(39.95, -105.05, 0.1))
    assert at(40, -105) == ["peak", "valley", "park"]


def test_smallest_place_is_found_among_a_hundred_larger_ones() -> None:
    for n in range(100):
        factories.place(f"p{n}", latitude=40, longitude=-105, radius_m=2_000 + n)
    factories.place("peak", latitude=40, longitude=-105, radius_m=100)
    assert at(40, -105)[:2] == ["peak", "p0"]


def test_polygon_holds_what_is_inside_and_not_what_is_in_its_hole() -> None:
    area("ring", square(40, -105, 0.3), square(40.1, -104.9, 0.1))
    assert at(40.05, -104.95) == ["ring"]
    assert at(40.15, -104.85) == []


def test_edge_of_a_hole_is_within_the_error_of_the_position() -> None:
    area("ring", square(40, -105, 0.3), square(40.1, -104.9, 0.1))
    just_inside_the_hole = 40.1 + 50 / 111_000
    assert at(just_inside_the_hole, -104.85, accuracy_m=100) == ["ring"]
    assert at(just_inside_the_hole, -104.85, accuracy_m=10) == []


@pytest.mark.parametrize("longitude", [179.9999, -179.9999, 180.0, -180.0])
def test_place_at_the_antimeridian_is_found_from_both_sides(longitude: float) -> None:
    factories.place("taveuni", latitude=-16.8, longitude=180.0, radius_m=500)
    assert at(-16.8, longitude) == ["taveuni"]
    assert nearby(-16.8, longitude, 1_000) == ["taveuni"]


@pytest.mark.parametrize("longitude", [179.95, -179.95])
def test_polygon_across_the_antimeridian_holds_both_its_sides(longitude: float) -> None:
    area("fiji", [[179.9, -17], [-179.9, -17], [-179.9, -16], [179.9, -16], [179.9, -17]])
    assert at(-16.5, longitude) == ["fiji"]
    assert at(-16.5, 0) == []


def test_place_near_the_pole_is_found_across_it() -> None:
    factories.place("pole", latitude=89.999, longitude=0, radius_m=1_000)
    assert at(89.999, 180) == ["pole"]


def test_closed_place_is_nowhere() -> None:
    factories.place("shut", latitude=40, longitude=-105, is_open=False)
    assert (at(40, -105), nearby(40, -105, 1_000)) == ([], [])


def test_near_places_come_nearest_first_within_the_distance() -> None:
    for code, latitude in (("c", 40.05), ("a", 40.0), ("b", 40.01), ("far", 41)):
        factories.place(code, latitude=latitude, longitude=-105, radius_m=100)
    assert nearby(40, -105, 10_000) == ["a", "b", "c"]
    assert nearby(40, -105, 10_000, limit=2) == ["a", "b"]


def test_place_one_stands_in_is_at_no_distance() -> None:
    factories.place("park", latitude=40.1, longitude=-105, radius_m=30_000)
    (near,) = places.nearby(latitude=40, longitude=-105, radius_m=10, limit=5)
    assert near.distance_m == 0


@pytest.mark.parametrize(("latitude", "code"), [(40.5, "peak"), (41.2, None)])
def test_nearest_place_is_sought_within_a_hundred_kilometres(
    latitude: float, code: str | None
) -> None:
    factories.place("peak", latitude=40, longitude=-105)
    near = places.nearest(latitude=latitude, longitude=-105)
    assert (near.place.code if near else None) == code


@given(
    spots=st.lists(
        st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.floats(10, 50_000)),
        min_size=1, max_size=5,
    ),
    here=st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    nudge=st.floats(-0.3, 0.3),
    accuracy=st.floats(0, 100),
)  # fmt: skip
@settings(max_examples=40)
def test_index_finds_exactly_what_measuring_every_place_finds(
    spots: list[tuple[float, float, float]],
    here: tuple[float, float],
    nudge: float,
    accuracy: float,
) -> None:
    with factories.undone():
        latitude, longitude = here
        # Half of the time next to a place, or hardly any position would be at one.
        if nudge > 0:
            latitude = max(-90.0, min(90.0, spots[0][0] + nudge - 0.15))
            longitude = spots[0][1]
        rows: list[Any] = [
            factories.place(f"p{n}", latitude=lat, longitude=lon, radius_m=radius)
            for n, (lat, lon, radius) in enumerate(spots)
        ]
        measured = {
            row.code
            for row in rows
            if verification.distance_m(
                latitude=latitude,
                longitude=longitude,
                spot=places.Seen(row, latitude, longitude).spot,
            )
            - accuracy
            <= row.radius_m
        }
        assert set(at(latitude, longitude, accuracy)) == measured
