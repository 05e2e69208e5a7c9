"""The outlines of places: taken from GeoJSON, repaired, boxed in, ready to judge with.

Pure geometry in degrees (WGS84). What cannot be an area is refused with a sentence; what can be
repaired is, and said to be. Areas across the antimeridian are cut there when kept and continued
past 180 degrees when computed with.
"""

import math
from collections.abc import Iterator
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

MAX_POSITIONS = 200_000  # in one boundary; the largest US national park needs 1,895


def shape_of(boundary: dict[str, Any]) -> BaseGeometry:
    """The area of a boundary as `clean_boundary` returns it, prepared for many questions."""
    shape = _unwrapped(shapely.geometry.shape(boundary))
    shapely.prepare(shape)
    return shape


def bounds(
    *, latitude: float, longitude: float, radius_m: float | None, boundary: dict[str, Any] | None
) -> tuple[float, float, float, float]:
    """`(min_lat, min_lon, max_lat, max_lon)`: a prefilter that never misses a claim inside.

    Accuracy is not in it: widen the query by the metres you credit. Around a pole and across the
    antimeridian the longitudes are -180 and 180.
    """
    if boundary is not None:
        west, south, east, north = shape_of(boundary).bounds
    else:
        # WGS84: no degree of latitude is shorter than 110,574 m, none of longitude than
        # 111,319 m times the cosine.
        high = (radius_m or 0.0) / 110_574
        south, north = latitude - high, latitude + high
        shrink = math.cos(math.radians(min(max(abs(south), abs(north)), 90.0)))
        wide = 360.0 if shrink < 1e-6 else (radius_m or 0.0) / (111_319 * shrink)
        west, east = longitude - wide, longitude + wide
    if west < -180 or east > 180:
        west, east = -180.0, 180.0
    return float(max(south, -90)), float(west), float(min(north, 90)), float(east)


def clean_boundary(*, geometry: object) -> tuple[dict[str, Any], bool]:
    """A GeoJSON Polygon or MultiPolygon fit to judge with, and whether it had to be repaired.

    Crossing rings and overlaps are repaired (GEOS make_valid, "structure"), what is no area is
    dropped, heights too, and an area across the antimeridian is cut there (RFC 7946, 3.1.9).
    Raises ValueError, with a sentence for whoever sent it, on anything else.
    """
    kind = geometry.get("type") if isinstance(geometry, dict) else type(geometry).__name__
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"A boundary is a GeoJSON Polygon or MultiPolygon, not {kind!s:.40}.")
    nested = geometry.get("coordinates")
    given = list(_polygons(nested if kind == "MultiPolygon" else [nested]))
    drawn = MultiPolygon([Polygon(rings[0], rings[1:]) for rings in given])
    whole = _unwrapped(drawn)
    if whole.is_valid and whole.area > 0 and whole.equals_exact(drawn, 0):
        return {"type": kind, "coordinates": given[0] if kind == "Polygon" else given}, False
    whole = shapely.make_valid(whole, method="structure", keep_collapsed=False)
    far = shapely.transform(whole & box(180, -90, 540, 90), lambda xy: xy - (360.0, 0.0))
    parts = shapely.get_parts(shapely.get_parts([whole & box(-180, -90, 180, 90), far]))
    areas = [part for part in parts if isinstance(part, Polygon) and part.area > 0]
    if not areas:
        raise ValueError("Nothing is left of this boundary: its rings enclose no area.")
    clean = [
        [[list(position) for position in ring.coords] for ring in (area.exterior, *area.interiors)]
        for area in areas
    ]
    kind = "Polygon" if len(clean) == 1 else "MultiPolygon"
    return {"type": kind, "coordinates": clean[0] if kind == "Polygon" else clean}, True


def _unwrapped(shape: BaseGeometry) -> BaseGeometry:
    """The same area, with a part that seems wider than half the globe continued past 180°."""
    return MultiPolygon(
        [
            shapely.transform(part, lambda xy: xy + (xy < 0) * (360.0, 0.0))
            if part.bounds[2] - part.bounds[0] > 180
            else part
            for part in shapely.get_parts(shape)
        ]
    )


def _polygons(nested: object) -> Iterator[list[list[list[float]]]]:
    """Each polygon as its rings of `[longitude, latitude]`, every position checked."""
    count = 0
    for rings in _listed(nested):
        polygon = [[_position(position) for position in _listed(ring)] for ring in _listed(rings)]
        count += sum(map(len, polygon))
        if count > MAX_POSITIONS:
            raise ValueError(f"This boundary has more than {MAX_POSITIONS:,} positions.")
        if any(len(ring) < 4 or ring[0] != ring[-1] for ring in polygon):
            raise ValueError("A ring needs four positions or more, and must end where it began.")
        yield polygon


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("The coordinates of a boundary are lists of rings of positions.")
    return list(value)


def _position(value: object) -> list[float]:
    numbers = _listed(value)[:2]
    if len(numbers) < 2 or not all(type(number) in (int, float) for number in numbers):
        raise ValueError("A position is two numbers: a longitude, then a latitude.")
    if not (abs(numbers[0]) <= 180 and abs(numbers[1]) <= 90):
        raise ValueError(f"{numbers} is not on Earth; longitude comes first, then latitude.")
    return [float(number) for number in numbers]
