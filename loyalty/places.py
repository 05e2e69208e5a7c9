"""Finding places: which ones could a position be at, and which are near.

One GiST index over the boxes around places (`place_by_box`) answers both; distances are geodesic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from loyalty import boundaries, verification
from loyalty.models import Place
from members import prepared

METRES_PER_DEGREE = 110_574.0  # The shortest degree of latitude on WGS 84.
NEAREST_WITHIN_M = 100_000.0
_BOX = "box(point(west, south), point(east, north))"  # As the index place_by_box has it


@dataclass(frozen=True, slots=True)
class Near:
    place: Place
    distance_m: float


@dataclass(frozen=True)
class Seen:
    """A place as seen from a position: what is worked out, is worked out once and when asked."""

    place: Place
    latitude: float
    longitude: float

    @cached_property
    def spot(self) -> verification.Spot:
        """The place's geometry as verification needs it."""
        return verification.Spot(
            latitude=self.place.latitude,
            longitude=self.place.longitude,
            radius_m=self.place.radius_m,
            boundary=self.place.boundary,
        )

    @cached_property
    def distance_m(self) -> float:
        """To the place's point, or to its boundary: 0 inside."""
        return verification.distance_m(
            latitude=self.latitude, longitude=self.longitude, spot=self.spot
        )

    def could_be(self, *, accuracy_m: float) -> bool:
        """Whether the position may be at the place; only on the brink is it measured exactly."""
        reach = _reach(self.place)
        if self.place.boundary is None:
            least, most = verification.between_m(
                (self.latitude, self.longitude), (self.place.latitude, self.place.longitude)
            )
            if most < reach + accuracy_m or least > reach + accuracy_m:
                return most < reach + accuracy_m
        return self.distance_m - accuracy_m <= reach


def interests_of(place: Place) -> dict[str, int]:
    """What being there teaches: {slug: id}."""
    return dict(prepared.execute(_TAUGHT, [place.pk]))


_TAUGHT = """
SELECT i.slug, i.id FROM members_interest i
  JOIN loyalty_place_interests p ON p.interest_id = i.id WHERE p.place_id = %s
"""


def frame(place: Place) -> Place:
    """Set the box around the place from its geometry; call before writing one."""
    place.south, place.west, place.north, place.east = boundaries.bounds(
        latitude=place.latitude,
        longitude=place.longitude,
        radius_m=place.radius_m,
        boundary=place.boundary,
    )
    return place


def around(
    *, latitude: float, longitude: float, metres: float, limit: int, smallest_first: bool = False
) -> list[Place]:
    """Open places whose box comes within so many metres of a position: the nearest boxes first,
    or the smallest, so that what is left out beyond the limit is what matters least."""
    high = metres / METRES_PER_DEGREE
    wide = min(high / max(math.cos(math.radians(latitude)), 0.01), 180.0)
    boxes = _boxes(latitude - high, longitude - wide, latitude + high, longitude + wide)
    order = f"area({_BOX})" if smallest_first else f"{_BOX} <-> point(%s::float8, %s::float8)"
    return prepared.read(
        Place,
        f"WHERE is_open AND ({' OR '.join([f'{_BOX} && %s::box'] * len(boxes))})"
        f" ORDER BY {order}, id LIMIT %s",
        [*boxes, *([] if smallest_first else [longitude, latitude]), limit],
    )


def at(*, latitude: float, longitude: float, accuracy_m: float) -> list[Seen]:
    """The places a position may be at, given its error: the smallest first."""
    found = [
        Seen(place, latitude, longitude)
        for place in around(
            latitude=latitude,
            longitude=longitude,
            metres=accuracy_m + 1,
            limit=50,
            smallest_first=True,
        )
    ]
    inside = [seen for seen in found if seen.could_be(accuracy_m=accuracy_m)]
    if len(inside) > 1:
        inside.sort(key=lambda seen: (_extent(seen.place), seen.distance_m, seen.place.pk))
    return inside


def nearest(*, latitude: float, longitude: float) -> Near | None:
    """The nearest open place within 100 km: to say how far away somebody is."""
    for metres in (2_000.0, 20_000.0, NEAREST_WITHIN_M):
        near = nearby(latitude=latitude, longitude=longitude, radius_m=metres, limit=20)
        if near:
            return near[0]
    return None


def nearby(*, latitude: float, longitude: float, radius_m: float, limit: int) -> list[Near]:
    """Open places within a distance, nearest first. A place one stands in is at 0 metres."""
    found = [
        Near(place, max(Seen(place, latitude, longitude).distance_m - _reach(place), 0.0))
        for place in around(
            latitude=latitude, longitude=longitude, metres=radius_m, limit=limit * 2
        )
    ]
    within = [near for near in found if near.distance_m <= radius_m]
    return sorted(within, key=lambda near: (near.distance_m, near.place.pk))[:limit]


def _reach(place: Place) -> float:
    return 0.0 if place.boundary is not None else place.radius_m or 0.0


def _extent(place: Place) -> float:
    """The area of the box in square degrees: a summit before the park it stands in."""
    return (place.north - place.south) * (place.east - place.west)


def _boxes(south: float, west: float, north: float, east: float) -> Sequence[str]:
    """The box as PostgreSQL writes it; two where it crosses the antimeridian."""
    south, north = max(south, -90.0), min(north, 90.0)
    if west < -180:
        return [_box(south, -180, north, east), _box(south, west + 360, north, 180)]
    if east > 180:
        return [_box(south, west, north, 180), _box(south, -180, north, east - 360)]
    return [_box(south, west, north, east)]


def _box(south: float, west: float, north: float, east: float) -> str:
    return f"(({west!r},{south!r}),({east!r},{north!r}))"
