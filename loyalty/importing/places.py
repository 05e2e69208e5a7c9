"""Places, by code: points with a radius, or polygons from GeoJSON.

A polygon whose rings cross is repaired, and that is said; one that encloses nothing is refused by
name. Its position is a point that surely lies inside.
"""

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any

from loyalty import boundaries
from loyalty.importing import linking
from loyalty.models import Place
from members.importing import columns as c
from members.importing import references, upserting
from members.importing.kinds import Item, Kind, Outcome, rejected


class Places(Kind):
    slug = "places"
    has_documents = True
    rows_per_chunk = 1_000  # A boundary may have thousands of positions.
    columns = (
        c.Column("code", c.text(64), is_required=True),
        c.Column("name", c.text(200), is_required=True),
        c.Column("latitude", c.number(-180, 180)),
        c.Column("longitude", c.number(-180, 180)),
        c.Column("radius_m", c.number(1, 100_000)),
        c.Column("interests", c.slugs(40)),
        c.Column("points", c.whole(0, 1_000_000)),
    )

    def key(self, values: c.Values) -> Hashable:
        return str(values["code"])

    def load(self, items: Sequence[Item], *, now: datetime) -> list[Outcome]:
        interests = references.interests()
        stored = Place.objects.in_bulk([i.values["code"] for i in items], field_name="code")
        outcomes: dict[int, Outcome] = {}
        notes: dict[int, str] = {}
        wanted: dict[int, upserting.Wanted[Place]] = {}
        for place, item in enumerate(items):
            before = stored.get(item.values["code"])
            try:
                if problem := linking.unknown_interest(item.values["interests"], interests):
                    raise ValueError(problem)
                extent, notes[place] = _extent(item, before)
            except ValueError as error:
                outcomes[place] = rejected(f"{item.values['name']}: {error}")
                continue
            values = upserting.said(item.values)
            values.pop("interests", None)
            wanted[place] = upserting.Wanted(values | extent, before)
        written = linking.upsert(Place, wanted, items=items, interests=interests, unique="code")
        for place, outcome in written.items():
            outcomes[place] = Outcome(outcome.state, notes[place])
        return [outcomes[place] for place in range(len(items))]


def _extent(item: Item, stored: Place | None) -> tuple[dict[str, Any], str]:
    """Position, radius or boundary, and the box around them; a word about a repair, or ''.

    ValueError says why this is nowhere.
    """
    feature = item.document
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    values = item.values
    note = ""
    boundary = None
    if geometry is None:
        latitude, longitude = values["latitude"], values["longitude"]
    elif isinstance(geometry, dict) and geometry.get("type") == "Point":
        longitude, latitude = _point(geometry.get("coordinates"))
    else:
        boundary, is_repaired = boundaries.clean_boundary(geometry=geometry)
        note = f"{values['name']}: the boundary crossed itself and was repaired." * is_repaired
        latitude, longitude = _inside(boundary)
    if latitude is None or longitude is None:
        raise ValueError("A place needs latitude and longitude, or a geometry.")
    c.check_position(latitude=latitude, longitude=longitude)
    radius_m = None if boundary is not None else values["radius_m"]
    if boundary is None and radius_m is None:
        radius_m = stored.radius_m if stored is not None else None
        if radius_m is None:
            raise ValueError("A place that is a point needs radius_m.")
    return _framed(latitude, longitude, radius_m, boundary), note


def _framed(
    latitude: float, longitude: float, radius_m: float | None, boundary: dict[str, Any] | None
) -> dict[str, Any]:
    south, west, north, east = boundaries.bounds(
        latitude=latitude, longitude=longitude, radius_m=radius_m, boundary=boundary
    )
    return {
        "latitude": latitude,
        "longitude": longitude,
        "radius_m": radius_m,
        "boundary": boundary,
        "south": south,
        "west": west,
        "north": north,
        "east": east,
    }


def _point(position: object) -> tuple[float, float]:
    """(longitude, latitude) of a GeoJSON position."""
    match position:
        case [int() | float() as longitude, int() | float() as latitude, *_] if not isinstance(
            longitude, bool
        ) and not isinstance(latitude, bool):
            if abs(longitude) > 180:
                raise ValueError(f"A longitude lies between -180 and 180, unlike {longitude}.")
            return float(longitude), float(latitude)
    raise ValueError("A point is two numbers: a longitude, then a latitude.")


def _inside(boundary: dict[str, Any]) -> tuple[float, float]:
    """(latitude, longitude) of a point inside."""
    point = boundaries.shape_of(boundary).representative_point()
    # A shape across the antimeridian is continued beyond 180 degrees.
    return float(point.y), float(point.x - 360 if point.x > 180 else point.x)
