"""Judging a check-in: was the member really there, and does being there earn points today?

Pure geometry and arithmetic: facts come in, one `Verdict` goes out. A claim that is simply too far
away, or over a cap, is refused, with its distance. Weak signals (mock flag, speed, accuracy, clock,
patterns over many check-ins) can each be an honest person's, so they never refuse: the award is
held for somebody to see.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import shapely
from geopy.distance import geodesic
from shapely.geometry.base import BaseGeometry

from loyalty import boundaries

# WGS84's radii of curvature lie between these: along the meridian at the equator, at the poles.
_LEAST_RADIUS_M, _MOST_RADIUS_M = 6_335_439.3, 6_399_593.7
_MARGIN_M = 0.001
_WGS84 = geodesic()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the phone says: degrees (WGS84), metres, aware datetimes."""

    latitude: float
    longitude: float
    accuracy_m: float
    occurred_at: datetime
    received_at: datetime
    is_mocked: bool = False


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where being there counts: `radius_m` around the point, or inside `boundary`, which then wins.

    `boundary` is GeoJSON as `boundaries.clean_boundary` returns it. It is parsed and prepared once
    per Spot: keep the Spot while judging many claims.
    """

    latitude: float
    longitude: float
    radius_m: float | None = None
    boundary: dict[str, Any] | None = None

    @cached_property
    def shape(self) -> BaseGeometry | None:
        return None if self.boundary is None else boundaries.shape_of(self.boundary)


@dataclass(frozen=True, kw_only=True)
class Fix:
    """The last position Cairn has of this member."""

    latitude: float
    longitude: float
    accuracy_m: float
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class History:
    """What the member did before this claim, in days and years of the place's own zone."""

    last_fix: Fix | None = None
    repeats_exact_position: bool = False
    check_ins_today: int = 0
    awards_here_today: int = 0
    awards_here_this_year: int = 0
    awards_today: int = 0
    visits_today: int = 0  # Awarded or held
    visits_this_week: int = 0  # In the seven days that end today
    exact_pins: int = 0  # Earlier check-ins within `Limits.pin_m` of a place's own point
    others_at_position: int = 0  # Other members at this very position, to six decimals
    companions: int = 0  # Others who went wherever this member went, at the same times


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is more than these is refused (`max_`) or held for a person to see (`plausible_`)."""

    max_accuracy_m: float = 100
    min_accuracy_m: float = 3
    max_skew: timedelta = timedelta(minutes=2)
    max_speed_km_h: float = 250
    flight_km_h: float = 900
    flight_least_km: float = 400
    time_at_airports: timedelta = timedelta(hours=2)
    max_awards_here_per_day: int = 1
    max_awards_here_per_year: int = 12
    max_awards_per_day: int = 20
    max_check_ins_per_day: int = 100
    max_offline: timedelta = timedelta(days=7)
    pin_m: float = 0.5
    plausible_pins: int = 2
    plausible_others_at_position: int = 1
    plausible_companions: int = 7
    plausible_visits_per_day: int = 10
    plausible_visits_per_week: int = 24


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`reason` is one of `REASONS`."""

    status: Literal["awarded", "held", "no_award"]
    reason: str
    distance_m: float


def judge(*, claim: Claim, spot: Spot, history: History, limits: Limits) -> Verdict:
    """The verdict on one claim: plain facts refuse first, then the strongest weak signal holds.

    Raises ValueError when the claim's position is not on Earth.
    """
    distance = distance_m(latitude=claim.latitude, longitude=claim.longitude, spot=spot)
    if refusal := _refusal(claim, spot, history, limits, distance):
        return Verdict(status="no_award", reason=refusal, distance_m=distance)
    if doubt := _doubt(claim, history, limits) or _pattern(claim, spot, history, limits):
        return Verdict(status="held", reason=doubt, distance_m=distance)
    return Verdict(status="awarded", reason="ok", distance_m=distance)


def _refusal(
    claim: Claim, spot: Spot, history: History, limits: Limits, distance: float
) -> str | None:
    reach = 0.0 if spot.boundary is not None else spot.radius_m or 0.0
    if distance - min(_metres(claim.accuracy_m), limits.max_accuracy_m) > reach:
        return "too_far"
    if spent := exhausted(history=history, limits=limits):
        return spent
    if claim.received_at - claim.occurred_at > limits.max_offline:
        return "too_late"
    return None


def exhausted(*, history: History, limits: Limits) -> str | None:
    """Why being there again gives nothing, whoever is there and however well it is proven."""
    if history.awards_here_today >= limits.max_awards_here_per_day:
        return "already_today"
    if (
        history.awards_here_this_year >= limits.max_awards_here_per_year
        or history.awards_today >= limits.max_awards_per_day
        or history.check_ins_today >= limits.max_check_ins_per_day
    ):
        return "limit_reached"
    return None


def _doubt(claim: Claim, history: History, limits: Limits) -> str | None:
    if claim.is_mocked:
        return "mocked"
    if history.repeats_exact_position:
        return "position_repeated"
    if history.last_fix is not None and _too_fast(claim, history.last_fix, limits):
        return "too_fast"
    if claim.occurred_at - claim.received_at > limits.max_skew:
        return "in_the_future"
    if claim.accuracy_m < limits.min_accuracy_m:
        return "accuracy_implausible"
    if not claim.accuracy_m <= limits.max_accuracy_m:  # so written that NaN is poor, too
        return "accuracy_poor"
    if claim.received_at - claim.occurred_at > limits.max_skew:
        return "late"
    return None


def _pattern(claim: Claim, spot: Spot, history: History, limits: Limits) -> str | None:
    """What no single check-in shows: a list of places copied, a script, many accounts as one."""
    if history.others_at_position > limits.plausible_others_at_position:
        return "position_shared"
    if history.exact_pins >= limits.plausible_pins and _is_pin(claim, spot, limits.pin_m):
        return "on_the_pin"
    if history.companions > limits.plausible_companions:
        return "in_lockstep"
    if (
        history.visits_today >= limits.plausible_visits_per_day
        or history.visits_this_week >= limits.plausible_visits_per_week
    ):
        return "tireless"
    return None


def _is_pin(claim: Claim, spot: Spot, pin_m: float) -> bool:
    pin = (spot.latitude, spot.longitude)
    return geodesic_m((claim.latitude, claim.longitude), pin) < pin_m


def _too_fast(claim: Claim, last: Fix, limits: Limits) -> bool:
    apart = geodesic_m((last.latitude, last.longitude), (claim.latitude, claim.longitude))
    moved = apart - _metres(claim.accuracy_m) - _metres(last.accuracy_m)
    # An offline check-in may arrive after a younger one (abs), or at its instant (no division).
    elapsed = abs((claim.occurred_at - last.occurred_at).total_seconds())
    if moved <= limits.max_speed_km_h / 3.6 * elapsed:
        return False
    # A plane is faster, but nobody is at a place two minutes before it leaves.
    in_the_air = elapsed - limits.time_at_airports.total_seconds()
    flew = (
        moved >= limits.flight_least_km * 1_000 and moved <= limits.flight_km_h / 3.6 * in_the_air
    )
    return not flew


def _metres(accuracy_m: float) -> float:
    return accuracy_m if math.isfinite(accuracy_m) and accuracy_m > 0 else 0.0


def distance_m(*, latitude: float, longitude: float, spot: Spot) -> float:
    """Metres to the spot's point, or to its boundary: 0 inside, but not inside a hole.

    The nearest point of a boundary is sought with longitudes shrunk by cos(latitude), so that a
    degree is as long both ways near the claim; the distance to it is geodesic (Karney 2013, as in
    geopy). Raises ValueError when the position is not on Earth.
    """
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{latitude}, {longitude} is not a position on Earth.")
    if spot.shape is None:
        return geodesic_m((latitude, longitude), (spot.latitude, spot.longitude))
    # What lies just across the antimeridian is written in a neighbouring turn of the globe.
    turns = [longitude + turn for turn in (-360, 0, 360)]
    if any(shapely.intersects_xy(spot.shape, turn, latitude) for turn in turns):
        return 0.0
    shrink = max(math.cos(math.radians(latitude)), 1e-6)
    flat = shapely.transform(spot.shape, lambda xy: xy * (shrink, 1.0))
    here = [shapely.Point(turn * shrink, latitude) for turn in turns]
    there = min((shapely.shortest_line(point, flat) for point in here), key=shapely.length)
    x, y = there.coords[-1]
    return geodesic_m((latitude, longitude), (y, x / shrink))


def geodesic_m(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Metres between two positions (latitude, longitude) on WGS84, as Karney (2013)."""
    return float(_WGS84.measure(here, there) * 1_000)


def between_m(here: tuple[float, float], there: tuple[float, float]) -> tuple[float, float]:
    """What `geodesic_m` is at least and at most, within one per cent and cheaply.

    The angle on a sphere, times the least and the greatest radius of the ellipsoid.
    """
    south, north = math.radians(here[0]), math.radians(there[0])
    up = math.sin((north - south) / 2)
    across = math.sin(math.radians(there[1] - here[1]) / 2)
    chord = up * up + math.cos(south) * math.cos(north) * across * across
    angle = 2 * math.asin(math.sqrt(min(chord, 1.0)))
    return angle * _LEAST_RADIUS_M - _MARGIN_M, angle * _MOST_RADIUS_M + _MARGIN_M


_HELD = ", so somebody takes a look first: points pending."
_SENTENCES = {
    "ok": "Welcome to {place}! Your points are in your account.",
    "too_far": "You seem to be {away} from {place}; come a little closer and check in again.",
    "already_today": "You have already checked in at {place} today; see you another day.",
    "limit_reached": "You have earned all that check-ins can give for now; keep going out.",
    "too_late": "Your check-in at {place} reached us over {days} days later, too late to count.",
    "mocked": "Your phone sent a simulated position" + _HELD,
    "position_repeated": "Your position is exactly the one of an earlier check-in" + _HELD,
    "too_fast": "You got to {place} faster than we can follow" + _HELD,
    "in_the_future": "Your phone's clock seems to run ahead" + _HELD,
    "accuracy_implausible": "Your position is almost too exact" + _HELD,
    "accuracy_poor": "Your phone could not tell exactly where you are" + _HELD,
    "position_shared": "Others have checked in from exactly your position" + _HELD,
    "on_the_pin": "Your position is exactly the one on the map" + _HELD,
    "in_lockstep": "Several members check in wherever you do" + _HELD,
    "tireless": "You have been to very many places lately" + _HELD,
    "late": "You checked in at {place} while offline" + _HELD,
}
REASONS: tuple[str, ...] = tuple(_SENTENCES)


def explain(
    *, reason: str, distance_m: float = 0, place: str = "this place", limits: Limits | None = None
) -> str:
    """One kind English sentence for the member. Raises KeyError unless reason is in `REASONS`."""
    away = f"{distance_m / 1000:,.1f} km" if distance_m >= 950 else f"{distance_m:.0f} m"
    days = (limits or Limits()).max_offline.days
    return _SENTENCES[reason].format(place=place, away=away, days=days)
