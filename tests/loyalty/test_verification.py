import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LinearRing

from loyalty.boundaries import clean_boundary
from loyalty.verification import (
    REASONS,
    Claim,
    Fix,
    History,
    Limits,
    Spot,
    Verdict,
    between_m,
    distance_m,
    explain,
    geodesic_m,
    judge,
)

PARKS = Path(__file__).parents[3] / "shared/data/national_park_boundaries.geojson"
NOW = datetime(2027, 7, 1, 18, tzinfo=UTC)
SUMMIT = Spot(latitude=37.8372, longitude=-122.4903, radius_m=300)
SQUARE = [[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]
HOLE = [[10.04, 50.04], [10.06, 50.04], [10.06, 50.06], [10.04, 50.06], [10.04, 50.04]]
BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
OVER_THE_DATE_LINE = [[179, -17], [-179, -17], [-179, -16], [179, -16], [179, -17]]


def polygon(*rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def park(*rings: list[Any]) -> Spot:
    return Spot(latitude=0, longitude=0, boundary=polygon(*rings))


def claim(**changes: Any) -> Claim:
    at_the_top = Claim(
        latitude=37.8372, longitude=-122.4903, accuracy_m=10, occurred_at=NOW, received_at=NOW
    )
    return replace(at_the_top, **changes)


def verdict(*, spot: Spot = SUMMIT, history: History | None = None, **changes: Any) -> Verdict:
    return judge(claim=claim(**changes), spot=spot, history=history or History(), limits=Limits())


def outcome(**facts: Any) -> tuple[str, str]:
    judged = verdict(**facts)
    return judged.status, judged.reason


def test_check_in_on_the_summit_is_awarded() -> None:
    assert verdict() == Verdict(status="awarded", reason="ok", distance_m=0.0)


def test_check_in_far_away_is_refused_with_its_distance() -> None:
    judged = verdict(latitude=37.8472)
    assert (judged.status, judged.reason) == ("no_award", "too_far")
    assert judged.distance_m == pytest.approx(1110, abs=1)


def test_check_in_outside_by_less_than_its_accuracy_is_awarded() -> None:
    assert outcome(latitude=37.8402, accuracy_m=40) == ("awarded", "ok")  # 333 m


def test_check_in_with_huge_accuracy_gets_a_hundred_metres_of_credit() -> None:
    assert outcome(latitude=37.8472, accuracy_m=5000) == ("no_award", "too_far")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accuracy_m": 101}, "accuracy_poor"),
        ({"accuracy_m": math.inf}, "accuracy_poor"),
        ({"accuracy_m": math.nan}, "accuracy_poor"),
        ({"accuracy_m": 2.9}, "accuracy_implausible"),
        ({"accuracy_m": -5}, "accuracy_implausible"),
        ({"is_mocked": True}, "mocked"),
        ({"occurred_at": NOW - timedelta(minutes=2, seconds=1)}, "late"),
        ({"occurred_at": NOW - timedelta(days=7)}, "late"),
        ({"occurred_at": NOW + timedelta(minutes=2, seconds=1)}, "in_the_future"),
        ({"history": History(repeats_exact_position=True)}, "position_repeated"),
    ],
)
def test_weak_signal_holds_the_award(changes: dict[str, Any], reason: str) -> None:
    assert outcome(**changes) == ("held", reason)


@pytest.mark.parametrize("accuracy_m", [3, 100])
def test_accuracy_at_its_limits_is_awarded(accuracy_m: float) -> None:
    assert outcome(accuracy_m=accuracy_m) == ("awarded", "ok")


@pytest.mark.parametrize("skew", [timedelta(minutes=2), timedelta(minutes=-2)])
def test_clock_within_its_skew_is_awarded(skew: timedelta) -> None:
    assert outcome(occurred_at=NOW + skew) == ("awarded", "ok")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (History(awards_here_today=1), "already_today"),
        (History(awards_here_this_year=12), "limit_reached"),
        (History(awards_today=20), "limit_reached"),
        (History(check_ins_today=100), "limit_reached"),
    ],
)
def test_cap_reached_refuses(history: History, reason: str) -> None:
    assert outcome(history=history) == ("no_award", reason)


def test_cap_reached_wins_over_a_weak_signal() -> None:
    refused = outcome(history=History(awards_here_today=1), is_mocked=True)
    assert refused == ("no_award", "already_today")


def test_offline_check_in_older_than_a_week_is_refused() -> None:
    assert outcome(occurred_at=NOW - timedelta(days=7, seconds=1)) == ("no_award", "too_late")


def last_fix(*, degrees_south: float, minutes_ago: float, accuracy_m: float = 10) -> History:
    fix = Fix(
        latitude=37.8372 - degrees_south,
        longitude=-122.4903,
        accuracy_m=accuracy_m,
        occurred_at=NOW - timedelta(minutes=minutes_ago),
    )
    return History(last_fix=fix)


def test_member_arriving_by_train_is_awarded() -> None:
    train = last_fix(degrees_south=1, minutes_ago=27)  # 111 km at 247 km/h
    assert outcome(history=train) == ("awarded", "ok")


def test_member_arriving_faster_than_a_train_is_held() -> None:
    rocket = last_fix(degrees_south=1, minutes_ago=26)  # 256 km/h
    assert outcome(history=rocket) == ("held", "too_fast")


def test_speed_counts_only_what_both_accuracies_leave() -> None:
    vague = last_fix(degrees_south=0.001, minutes_ago=0, accuracy_m=105)  # 111 m apart
    assert outcome(history=vague) == ("awarded", "ok")


@pytest.mark.parametrize(
    ("minutes", "outcome_of_it"),
    [(194, ("awarded", "ok")), (190, ("held", "too_fast"))],  # 1,110 km: 2 h and 1 h 14 at 900 km/h
)
def test_plane_takes_two_hours_on_the_ground(
    minutes: float, outcome_of_it: tuple[str, str]
) -> None:
    assert outcome(history=last_fix(degrees_south=10, minutes_ago=minutes)) == outcome_of_it


def test_nobody_flies_less_than_400_km() -> None:
    hop = last_fix(degrees_south=3.5, minutes_ago=90)  # 388 km at 259 km/h
    assert outcome(history=hop) == ("held", "too_fast")


@pytest.mark.parametrize(
    ("usual", "doubtful", "reason"),
    [
        (History(exact_pins=1), History(exact_pins=2), "on_the_pin"),
        (History(others_at_position=1), History(others_at_position=2), "position_shared"),
        (History(companions=7), History(companions=8), "in_lockstep"),
        (History(visits_today=9), History(visits_today=10), "tireless"),
        (History(visits_this_week=23), History(visits_this_week=24), "tireless"),
    ],
)
def test_pattern_over_many_check_ins_holds_the_award(
    usual: History, doubtful: History, reason: str
) -> None:
    assert outcome(history=usual) == ("awarded", "ok")
    assert outcome(history=doubtful) == ("held", reason)


def test_somebody_a_metre_from_the_pin_is_not_on_it() -> None:
    often = History(exact_pins=20)
    assert outcome(history=often, latitude=37.837209) == ("awarded", "ok")


def test_two_places_at_one_instant_are_held() -> None:
    assert outcome(history=last_fix(degrees_south=0.01, minutes_ago=0)) == ("held", "too_fast")


def test_offline_check_in_older_than_the_last_fix_is_measured_backwards() -> None:
    later = last_fix(degrees_south=1, minutes_ago=-60)
    assert outcome(history=later) == ("awarded", "ok")


def test_distance_inside_a_polygon_is_zero() -> None:
    assert distance_m(latitude=50.02, longitude=10.05, spot=park(SQUARE)) == 0


def test_distance_on_the_boundary_is_zero() -> None:
    assert distance_m(latitude=50.0, longitude=10.05, spot=park(SQUARE)) == 0


def test_distance_inside_a_hole_is_to_the_edge_of_the_hole() -> None:
    # 0.01 degrees of longitude are shorter here than 0.01 degrees of latitude.
    across = geodesic((50.05, 10.05), (50.05, 10.06)).m
    found = distance_m(latitude=50.05, longitude=10.05, spot=park(SQUARE, HOLE))
    assert found == pytest.approx(across, rel=1e-3)


ON_EARTH = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(here=ON_EARTH, there=ON_EARTH)
def test_cheap_bounds_hold_the_exact_distance(
    here: tuple[float, float], there: tuple[float, float]
) -> None:
    least, most = between_m(here, there)
    assert least <= geodesic_m(here, there) <= most
    assert most - least <= 0.0102 * most + 0.01


@given(here=ON_EARTH, north_m=st.floats(-300, 300), east_m=st.floats(-300, 300))
def test_cheap_bounds_hold_where_check_ins_are(
    here: tuple[float, float], north_m: float, east_m: float
) -> None:
    shrink = max(math.cos(math.radians(here[0])), 0.01)
    north = max(min(here[0] + north_m / 111_000, 90.0), -90.0)
    there = (north, here[1] + east_m / 111_000 / shrink)
    least, most = between_m(here, there)
    assert least <= geodesic_m(here, there) <= most


def test_claim_inside_a_polygon_is_awarded_whatever_its_point() -> None:
    assert outcome(spot=park(SQUARE), latitude=50.02, longitude=10.05) == ("awarded", "ok")


@settings(max_examples=20, deadline=None)
@given(latitude=st.floats(49.95, 50.15), longitude=st.floats(9.9, 10.2))
def test_distance_is_the_shortest_to_any_point_of_the_boundary(
    latitude: float, longitude: float
) -> None:
    spot = park(SQUARE)
    found = distance_m(latitude=latitude, longitude=longitude, spot=spot)
    line = LinearRing(SQUARE)

    def away(share: float) -> float:
        at = line.interpolate(share % 1, normalized=True)
        return float(geodesic((latitude, longitude), (at.y, at.x)).m)

    around = min((step / 200 for step in range(200)), key=away)
    nearest = min(away(around + step / 20_000) for step in range(-100, 101))
    assert found == 0 or found == pytest.approx(nearest, rel=0.005, abs=2)


@pytest.mark.parametrize("cleaned", [False, True])
@pytest.mark.parametrize(("longitude", "expected"), [(179.5, 0), (-179.5, 0), (-180, 0)])
def test_distance_across_the_date_line_is_zero_inside(
    longitude: float, expected: float, cleaned: bool
) -> None:
    boundary = polygon(OVER_THE_DATE_LINE)
    boundary = clean_boundary(geometry=boundary)[0] if cleaned else boundary
    spot = Spot(latitude=0, longitude=0, boundary=boundary)
    assert distance_m(latitude=-16.5, longitude=longitude, spot=spot) == expected


def test_distance_to_a_place_just_across_the_date_line_is_short() -> None:
    fiji = park([[179.9, -17], [180, -17], [180, -16], [179.9, -16], [179.9, -17]])
    found = distance_m(latitude=-16.5, longitude=-179.99, spot=fiji)
    assert found == pytest.approx(1068, abs=2)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(91, 0), (0, 181), (math.nan, 0), (0, math.nan), (math.inf, 0)]
)
def test_position_not_on_earth_is_an_error(latitude: float, longitude: float) -> None:
    with pytest.raises(ValueError, match="not a position on Earth"):
        distance_m(latitude=latitude, longitude=longitude, spot=SUMMIT)


def test_explain_says_how_far_away() -> None:
    assert explain(reason="too_far", distance_m=1234, place="Slacker Hill") == (
        "You seem to be 1.2 km from Slacker Hill; come a little closer and check in again."
    )


@pytest.mark.parametrize("reason", REASONS)
def test_explain_has_a_sentence_for_every_reason(reason: str) -> None:
    text = explain(reason=reason, place="{Half} Dome")
    assert text.endswith(".")
    assert "{place}" not in text


def test_explain_of_an_unknown_reason_is_an_error() -> None:
    with pytest.raises(KeyError):
        explain(reason="because")
