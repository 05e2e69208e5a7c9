import json
import math
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from loyalty.boundaries import bounds, clean_boundary
from loyalty.verification import Spot, distance_m

PARKS = Path(__file__).parents[3] / "shared/data/national_park_boundaries.geojson"
SQUARE = [[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]
HOLE = [[10.04, 50.04], [10.06, 50.04], [10.06, 50.06], [10.04, 50.06], [10.04, 50.04]]
BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
OVER_THE_DATE_LINE = [[179, -17], [-179, -17], [-179, -16], [179, -16], [179, -17]]


def polygon(*rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_clean_boundary_leaves_a_valid_polygon_alone() -> None:
    assert clean_boundary(geometry=polygon(SQUARE, HOLE)) == (polygon(SQUARE, HOLE), False)


def test_clean_boundary_drops_heights() -> None:
    heights = polygon([[*position, 812.0] for position in SQUARE])
    assert clean_boundary(geometry=heights) == (polygon(SQUARE), False)


def test_clean_boundary_repairs_a_crossing_ring_and_keeps_its_area() -> None:
    clean, repaired = clean_boundary(geometry=polygon(BOW_TIE))
    assert repaired
    assert (clean["type"], shape(clean).is_valid, shape(clean).area) == ("MultiPolygon", True, 0.5)


def test_clean_boundary_joins_overlapping_polygons() -> None:
    east = [[x + 0.05, y] for x, y in SQUARE]
    overlapping = {"type": "MultiPolygon", "coordinates": [[SQUARE], [east]]}
    clean, repaired = clean_boundary(geometry=overlapping)
    assert repaired
    assert clean["type"] == "Polygon"
    assert shape(clean).area == pytest.approx(0.015)


def test_clean_boundary_is_json_that_stays_clean() -> None:
    once, _ = clean_boundary(geometry=polygon(OVER_THE_DATE_LINE))
    assert clean_boundary(geometry=json.loads(json.dumps(once))) == (once, False)


@pytest.mark.parametrize(
    ("geometry", "sentence"),
    [
        (None, "not NoneType"),
        ({"type": "Point", "coordinates": [1, 2]}, "not Point"),
        ({"type": "Polygon"}, "lists of rings"),
        (polygon(), "lists of rings"),
        (polygon([]), "lists of rings"),
        ({"type": "Polygon", "coordinates": SQUARE}, "lists of rings"),
        (polygon(SQUARE[:-1]), "end where it began"),
        (polygon([[0, 0], [1, 1], [0, 0]]), "four positions"),
        (polygon([["0", 0], [1, 0], [1, 1], ["0", 0]]), "two numbers"),
        (polygon([[True, 0], [1, 0], [1, 1], [True, 0]]), "two numbers"),
        (polygon([[0], [1], [1], [0]]), "two numbers"),
        (polygon([[37.8, -122.4], [37.9, -122.4], [37.9, -122.3], [37.8, -122.4]]), "comes first"),
        (polygon([[math.nan, 0], [1, 0], [1, 1], [math.nan, 0]]), "not on Earth"),
        (polygon([[10**400, 0], [1, 0], [1, 1], [10**400, 0]]), "not on Earth"),
        (polygon([[0, 0], [1, 1], [2, 2], [0, 0]]), "encloses? no area"),
    ],
)
def test_clean_boundary_refuses_what_is_no_area(geometry: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        clean_boundary(geometry=geometry)


@settings(deadline=None)
@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    radius_m=st.floats(0, 50_000),
    bearing=st.floats(0, 360),
)
def test_bounds_never_miss_a_position_within_the_radius(
    latitude: float, longitude: float, radius_m: float, bearing: float
) -> None:
    south, west, north, east = bounds(
        latitude=latitude, longitude=longitude, radius_m=radius_m, boundary=None
    )
    rim = geodesic(meters=radius_m).destination((latitude, longitude), bearing)
    assert south - 1e-9 <= rim.latitude <= north + 1e-9
    assert west - 1e-9 <= rim.longitude <= east + 1e-9


def test_bounds_of_a_boundary_ignore_the_point() -> None:
    found = bounds(latitude=0, longitude=0, radius_m=None, boundary=polygon(SQUARE))
    assert found == (50.0, 10.0, 50.1, 10.1)


def test_bounds_across_the_date_line_go_all_round() -> None:
    fiji = bounds(latitude=-17, longitude=179.999, radius_m=500, boundary=None)
    assert (fiji[1], fiji[3]) == (-180.0, 180.0)


@pytest.fixture(scope="module")
def parks() -> list[dict[str, Any]]:
    if not PARKS.exists():
        pytest.skip("the shared data folder is absent")
    features: list[dict[str, Any]] = json.loads(PARKS.read_text())["features"]
    return features


def test_national_parks_need_one_repair(parks: list[dict[str, Any]]) -> None:
    repaired = [
        feature["properties"]["UNIT_NAME"]
        for feature in parks
        if clean_boundary(geometry=feature["geometry"])[1]
    ]
    assert (len(parks), repaired) == (63, ["Joshua Tree National Park"])


def test_national_parks_keep_their_area(parks: list[dict[str, Any]]) -> None:
    for feature in parks:
        clean, _ = clean_boundary(geometry=feature["geometry"])
        assert shape(clean).is_valid
        assert shape(clean).area == pytest.approx(shape(feature["geometry"]).area)


def test_national_parks_have_their_inside_at_no_distance(parks: list[dict[str, Any]]) -> None:
    for feature in parks:
        clean, _ = clean_boundary(geometry=feature["geometry"])
        spot = Spot(latitude=0, longitude=0, boundary=clean)
        inside = shape(clean).representative_point()
        assert distance_m(latitude=inside.y, longitude=inside.x, spot=spot) == 0
