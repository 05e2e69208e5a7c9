"""Products and places from files."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from loyalty.models import Place, Product
from tests.files import load, reasons, sample, write_csv, write_lines

SQUARE = [[[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]]]
BOW_TIE = [[[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


# --- Products ---------------------------------------------------------------------------------
def test_product_is_made_and_changed_by_sku(path: Path) -> None:
    header = "sku,name,category,interests,price,released_on"
    write_csv(path, header, "T1,Tent,tents,camping;hiking,199.90,2026-03-01", "R1,Rope,,,,")
    assert load("products", path).tally == "loaded 2, unchanged 0, rejected 0"
    assert load("products", path).tally == "loaded 0, unchanged 2, rejected 0"
    tent = Product.objects.get(sku="T1")
    assert (tent.price, tent.currency, interests_of(tent)) == (
        Decimal("199.90"), "USD", ["camping", "hiking"],
    )  # fmt: skip
    write_csv(path, header, "T1,Tent,,snow,,", "R1,Rope,ropes,,,")
    assert load("products", path).tally == "loaded 2, unchanged 0, rejected 0"
    tent.refresh_from_db()
    assert (tent.price, tent.category, interests_of(tent)) == (
        Decimal("199.90"), "tents", ["snow"],
    )  # fmt: skip


def interests_of(of: Product | Place) -> list[str]:
    return list(of.interests.order_by("slug").values_list("slug", flat=True))


def test_product_with_an_unknown_interest_is_refused(path: Path) -> None:
    write_csv(path, "sku,name,interests,price", "T1,Tent,golf,1", "R1,Rope,,x", "S1,Ski,snow,3")
    assert load("products", path).tally == "loaded 1, unchanged 0, rejected 2"
    assert reasons(path) == {
        2: "There is no interest 'golf'.",
        3: "price is not an amount like 12.50: 'x'.",
    }


# --- Places -----------------------------------------------------------------------------------
def collection(path: Path, *features: tuple[dict[str, Any], object]) -> Path:
    rows = [
        {"type": "Feature", "properties": properties, "geometry": geometry}
        for properties, geometry in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "name": "x", "features": rows}))
    return path


def polygon(rings: object) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": rings}


def test_place_is_made_and_changed_by_code(path: Path) -> None:
    header = "code,name,latitude,longitude,radius_m,interests,points"
    write_csv(path, header, "peak,Peak,40,-105,300,hiking,50")
    assert load("places", path).tally == "loaded 1, unchanged 0, rejected 0"
    assert load("places", path).tally == "loaded 0, unchanged 1, rejected 0"
    write_csv(path, header, "peak,The Peak,40.1,-105,,hiking;snow,")
    assert load("places", path).tally == "loaded 1, unchanged 0, rejected 0"
    peak = Place.objects.get()
    assert (peak.name, peak.latitude, peak.radius_m, peak.points) == ("The Peak", 40.1, 300, 50)
    assert peak.south < 40.1 < peak.north < 40.2
    assert interests_of(peak) == ["hiking", "snow"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,X,-105,40,300", "X: Latitude and longitude seem to be swapped."),
        ("x,X,181,40,300", "latitude lies between -180 and 180, unlike '181'."),
        ("x,X,NaN,40,300", "latitude is not a number: 'NaN'."),
        ("x,X,40,,300", "X: A place needs latitude and longitude, or a geometry."),
        ("x,X,40,-105,", "X: A place that is a point needs radius_m."),
        ("x,X,40,-105,-1", "radius_m lies between 1 and 100000, unlike '-1'."),
    ],
)
def test_place_that_is_nowhere_is_refused(path: Path, row: str, reason: str) -> None:
    header = "code,name,latitude,longitude,radius_m"
    write_csv(path, header, "a,A,1,2,300", row, "b,B,1,2,300")
    assert load("places", path).tally == "loaded 2, unchanged 0, rejected 1"
    assert reasons(path) == {3: reason}


def test_polygons_are_loaded_repaired_or_refused_by_name(path: Path) -> None:
    collection(
        path,
        ({"UNIT": "sq", "name": "Square", "COLOUR": "red"}, polygon(SQUARE)),
        ({"UNIT": "tie", "name": "Tie"}, polygon(BOW_TIE)),
        ({"UNIT": "line", "name": "Line"}, polygon([[[0, 0], [1, 1], [0, 0], [0, 0]]])),
        (
            {"UNIT": "swap", "name": "Swap"},
            polygon([[[40, -105], [41, -105], [41, -104], [40, -105]]]),
        ),
        ({"UNIT": "dot", "name": "Dot", "radius_m": 200}, {"type": "Point", "coordinates": [2, 1]}),
        ({"UNIT": "none", "name": "None"}, None),
        ({"name": "Nameless"}, polygon(SQUARE)),
    )
    said = load("places", path, "--map", "code=UNIT")
    assert said.lines[0] == "Line 1: Tie: the boundary crossed itself and was repaired."
    assert said.tally == "loaded 3, unchanged 0, rejected 4"
    square = Place.objects.get(code="sq")
    assert square.boundary == polygon(SQUARE)
    assert 0 < square.latitude < 2
    assert 0 < square.longitude < 2
    assert (square.radius_m, square.north, square.east) == (None, 2, 2)
    assert Place.objects.get(code="dot").latitude == 1
    assert load("places", path, "--map", "code=UNIT").tally == "loaded 0, unchanged 3, rejected 4"


def test_place_that_was_a_polygon_can_become_a_point(path: Path) -> None:
    load("places", collection(path, ({"code": "a", "name": "A"}, polygon(SQUARE))))
    write_csv(path, "code,name,latitude,longitude,radius_m", "a,A,1,1,50")
    assert load("places", path).tally == "loaded 1, unchanged 0, rejected 0"
    place = Place.objects.get()
    assert (place.boundary, place.radius_m) == (None, 50)


def test_one_code_twice_is_noticed_even_on_one_line(path: Path) -> None:
    square, tie = polygon(SQUARE), polygon(BOW_TIE)
    rows = [({"code": "a", "name": name}, shape) for name in "AB" for shape in (square, square)]
    assert load("places", collection(path, *rows, ({"code": "b", "name": "B"}, tie))).tally == (
        "loaded 2, unchanged 1, rejected 2"
    )


def test_half_a_geojson_changes_nothing(path: Path) -> None:
    collection(path, ({"code": "a", "name": "A"}, polygon(SQUARE)))
    path.write_text(path.read_text()[:-20])
    with pytest.raises(CommandError, match="This is not JSON, line 1: "):
        load("places", path)
    assert not Place.objects.exists()


def test_features_one_a_line_are_read_too(path: Path) -> None:
    feature = {"type": "Feature", "properties": {"code": "a", "name": "A", "x": 1}}
    write_lines(path, [feature | {"geometry": polygon(SQUARE)}])
    assert load("places", path).tally == "loaded 1, unchanged 0, rejected 0"


def test_sample_parks_load_and_one_is_repaired() -> None:
    path = sample("national_park_boundaries.geojson")
    words = ("--map", "code=UNIT_CODE", "--map", "name=UNIT_NAME")
    said = load("places", path, *words)
    assert said.lines == [
        "Line 16214: Joshua Tree National Park: the boundary crossed itself and was repaired.",
        "loaded 63, unchanged 0, rejected 0",
    ]
    assert load("places", path, *words).tally == "loaded 0, unchanged 63, rejected 0"


def test_sample_climbing_areas_load() -> None:
    path = sample("climbing_sectors.csv")
    assert load("places", path).tally == "loaded 14031, unchanged 0, rejected 0"
    assert interests_of(Place.objects.get(code="ob-106947227")) == ["climbing"]
