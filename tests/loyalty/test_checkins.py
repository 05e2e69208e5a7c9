"""Checking in: what the promises say of it, end to end below the doors."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from geopy.distance import distance

from config.errors import Invalid, NotFound, Refusal
from loyalty import auditing, checkins, offers
from loyalty.checkins import Judged, Report
from loyalty.models import CapCounter, CheckIn, EarnRule, Place
from members.models import Interaction, Member, UnansweredInteraction
from tests import factories
from tests.factories import NOW, PEAK

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def peak() -> Place:
    return factories.place(interests=["hiking", "climbing"])


def away(metres: float, *, bearing: float = 90) -> dict[str, Any]:
    """A position so far from the summit."""
    found = distance(meters=metres).destination((PEAK["latitude"], PEAK["longitude"]), bearing)
    return {"latitude": found.latitude, "longitude": found.longitude}


def check_in(by: Member, *, now: datetime | None = None, **said: Any) -> Judged:
    at = said.get("occurred_at", NOW)
    report = Report(**{**PEAK, "accuracy_m": 10.0, "occurred_at": at, **said})
    return checkins.check_in(member=by, report=report, now=now or at)


def verdict(of: Judged) -> tuple[str, str, int]:
    return of.check_in.status, of.check_in.reason, of.points


# --- Awarded ----------------------------------------------------------------------------------
def test_being_there_gives_fifty_points_at_once(alex: Member, peak: Place) -> None:
    judged = check_in(alex)
    assert verdict(judged) == ("awarded", "ok", 50)
    assert (judged.balance, factories.account(alex).balance) == (50, 50)
    assert judged.explanation == "Welcome to Peak! Your points are in your account."


def test_points_of_check_ins_expire_after_two_years(alex: Member, peak: Place) -> None:
    check_in(alex)
    assert factories.account(alex).lots.get().expires_at == NOW.replace(year=2029)


def test_check_in_teaches_the_places_interests_and_waits_for_an_answer(
    alex: Member, peak: Place
) -> None:
    check_in(alex)
    fact = Interaction.objects.get()
    assert (fact.kind.slug, fact.place) == ("check-in", "peak")
    assert set(fact.interests) == {factories.interest(s).pk for s in ("hiking", "climbing")}
    assert UnansweredInteraction.objects.filter(interaction=fact).exists()


@pytest.mark.parametrize(("own", "given"), [(None, 50), (200, 200)])
def test_places_own_offer_replaces_the_rules(alex: Member, own: int | None, given: int) -> None:
    factories.place(points=own)
    assert check_in(alex).points == given


def test_place_without_points_is_recorded_without(alex: Member) -> None:
    factories.place(points=0)
    judged = check_in(alex)
    assert verdict(judged) == ("no_award", "no_points_here", 0)
    assert judged.explanation == "You are at Peak, which gives no points at present."


def test_most_generous_of_several_rules_gives(alex: Member, peak: Place) -> None:
    factories.rule("snow", fact="check_in", per="fact", points=500, interests=["snow"])
    factories.rule("climbers", fact="check_in", per="fact", points=80, interests=["climbing"])
    assert check_in(alex).points == 80


def test_rule_for_a_tier_speaks_to_that_tier(alex: Member, peak: Place) -> None:
    factories.tier("gold", 100)
    factories.rule("golden", fact="check_in", per="fact", points=90, tiers=["gold"])
    factories.buy(alex, "100")
    assert check_in(alex).points == 90
    assert check_in(factories.member()).points == 50


def test_offers_are_what_a_check_in_would_give(alex: Member) -> None:
    places = [factories.place("a", points=7, interests=["snow"]), factories.place("b", points=0)]
    worth = offers.at_places(member=alex, places=places, now=NOW)
    assert [worth[place.pk] for place in places] == [
        offers.Offer(7, ["snow"]), offers.Offer(0, []),
    ]  # fmt: skip


# --- Plainly not ------------------------------------------------------------------------------
def test_three_kilometres_away_is_told_with_the_distance(alex: Member, peak: Place) -> None:
    judged = check_in(alex, **away(3_000))
    assert verdict(judged) == ("no_award", "too_far", 0)
    assert judged.distance_m == pytest.approx(3_000, abs=1)
    assert "3.0 km from Peak" in judged.explanation


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "status"),
    [(159, 10, "awarded"), (161, 10, "no_award"), (249, 100, "awarded"), (251, 5_000, "no_award")],
)
def test_accuracy_is_credited_up_to_a_hundred_metres(
    alex: Member, peak: Place, metres: float, accuracy_m: float, status: str
) -> None:
    assert check_in(alex, **away(metres), accuracy_m=accuracy_m).check_in.status == status


def test_nowhere_near_any_place_is_recorded_and_told(alex: Member, peak: Place) -> None:
    judged = check_in(alex, latitude=0.0, longitude=0.0)
    assert verdict(judged) == ("no_award", "nowhere", 0)
    assert judged.place is None
    assert judged.explanation == "There is no place to check in at within 100 km."


@pytest.mark.parametrize("code", ["nowhere", "closed"])
def test_unknown_or_closed_place_by_name_is_refused(alex: Member, code: str) -> None:
    factories.place("closed", is_open=False)
    with pytest.raises(NotFound), transaction.atomic():
        check_in(alex, place=code)


@pytest.mark.parametrize("at", [NOW.replace(year=1969), NOW + 2 * DAY, NOW.replace(year=9999)])
def test_time_that_no_clock_shows_is_refused(alex: Member, peak: Place, at: datetime) -> None:
    with pytest.raises(Invalid), transaction.atomic():
        check_in(alex, occurred_at=at, now=NOW)
    assert not CheckIn.objects.exists()


def test_second_check_in_of_a_day_gives_nothing_more(alex: Member, peak: Place) -> None:
    check_in(alex)
    again = check_in(alex, occurred_at=NOW + timedelta(hours=1), **away(20))
    assert verdict(again) == ("no_award", "already_today", 0)
    assert again.balance == 50


def test_days_are_the_members_own(peak: Place) -> None:
    tokyo = factories.member(time_zone="Asia/Tokyo")
    before_midnight = NOW.replace(hour=14, minute=59)
    check_in(tokyo, occurred_at=before_midnight)
    after = check_in(tokyo, occurred_at=before_midnight + timedelta(minutes=1), **away(20))
    assert verdict(after) == ("awarded", "ok", 50)


def test_twelve_awards_a_year_at_one_place(alex: Member, peak: Place) -> None:
    days = [NOW + 7 * n * DAY for n in range(13)]
    judged = [check_in(alex, occurred_at=day, **away(n)) for n, day in enumerate(days)]
    assert [one.points for one in judged] == [50] * 12 + [0]
    assert judged[-1].check_in.reason == "limit_reached"
    assert check_in(alex, occurred_at=NOW.replace(year=2028), **away(30)).points == 50


def test_rules_cap_is_counted_with_the_award(alex: Member, peak: Place) -> None:
    EarnRule.objects.filter(slug="check-ins").update(member_cap=70)
    days = [NOW + n * DAY for n in range(3)]
    judged = [check_in(alex, occurred_at=day, **away(n)) for n, day in enumerate(days)]
    assert [one.points for one in judged] == [50, 20, 0]
    assert verdict(judged[-1]) == ("no_award", "limit_reached", 0)
    assert CapCounter.objects.get().used == 70
    assert auditing.audit().findings == ()


def test_used_nonce_is_refused(alex: Member, peak: Place) -> None:
    check_in(alex, nonce="n")
    with pytest.raises(checkins.NonceUsed), transaction.atomic():
        check_in(alex, nonce="n", occurred_at=NOW + DAY, **away(20))
    assert check_in(factories.member(), nonce="n").points == 50


# --- Held -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"is_mocked": True}, "mocked"),
        ({"accuracy_m": 2.9}, "accuracy_implausible"),
        ({"accuracy_m": 100.1}, "accuracy_poor"),
        ({"now": NOW + timedelta(minutes=3)}, "late"),
        ({"now": NOW - timedelta(minutes=3)}, "in_the_future"),
    ],
)
def test_weak_signal_holds_and_never_refuses(
    alex: Member, peak: Place, said: dict[str, Any], reason: str
) -> None:
    judged = check_in(alex, **said)
    assert verdict(judged) == ("held", reason, 0)
    assert "points pending" in judged.explanation


def test_same_position_to_six_decimals_is_held(alex: Member, peak: Place) -> None:
    check_in(alex)
    assert check_in(alex, occurred_at=NOW + DAY).check_in.reason == "position_repeated"
    assert check_in(factories.member()).check_in.reason == "ok"


@pytest.mark.parametrize(("hours", "status"), [(1.9, "held"), (2.1, "awarded")])
def test_faster_than_250_km_an_hour_is_held(
    alex: Member, peak: Place, hours: float, status: str
) -> None:
    factories.place("far", **away(500_000))
    check_in(alex)
    later = check_in(alex, occurred_at=NOW + timedelta(hours=hours), **away(500_000))
    assert later.check_in.status == status


def test_offline_check_in_a_week_late_is_too_late(alex: Member, peak: Place) -> None:
    assert verdict(check_in(alex, now=NOW + 7 * DAY)) == ("held", "late", 0)
    late = check_in(factories.member(), now=NOW + 7 * DAY + timedelta(seconds=1))
    assert verdict(late) == ("no_award", "too_late", 0)


# --- Held for a pattern -----------------------------------------------------------------------
def test_third_place_pinned_exactly_is_held(alex: Member, peak: Place) -> None:
    reasons = []
    for number in range(4):
        factories.place(f"stop{number}", **away(300 * number))
        at = NOW + number * timedelta(minutes=30)
        reasons.append(check_in(alex, occurred_at=at, **away(300 * number)).check_in.reason)
    assert reasons == ["ok", "ok", "on_the_pin", "on_the_pin"]


def test_pin_of_a_park_is_its_middle(alex: Member) -> None:
    square = [[-105.7, 40.2], [-105.5, 40.2], [-105.5, 40.3], [-105.7, 40.3], [-105.7, 40.2]]
    boundary = {"type": "Polygon", "coordinates": [square]}
    factories.place("park", latitude=40.25, longitude=-105.6, radius_m=None, boundary=boundary)
    said = [
        check_in(alex, occurred_at=NOW + n * DAY, latitude=40.25 + n / 1e6, longitude=-105.6)
        for n in range(3)
    ]
    assert [judged.check_in.reason for judged in said] == ["ok", "ok", "on_the_pin"]


def test_position_of_two_other_members_is_held(peak: Place) -> None:
    people = factories.members(4)
    reasons = [check_in(one, **away(30)).check_in.reason for one in people]
    assert reasons == ["ok", "ok", "position_shared", "position_shared"]


def test_position_shared_long_ago_is_forgotten(peak: Place) -> None:
    for one in factories.members(2):
        check_in(one, **away(30))
    later = NOW + 31 * DAY
    checkins.forget_positions(now=later)
    assert check_in(factories.member(), occurred_at=later, **away(30)).check_in.reason == "ok"


def walk(people: list[Member], *, stops: int, minutes_apart: float = 1) -> list[str]:
    """Together from stop to stop, an hour each; what is said of each at the last one."""
    for number in range(stops):
        factories.place(f"stop{number}", **away(1_000 * number))
        said = [
            check_in(
                one,
                occurred_at=NOW + timedelta(hours=number, minutes=minutes_apart * place),
                place=f"stop{number}",
                **away(1_000 * number + 3 * place + 1, bearing=90 + place / 100),
            ).check_in.reason
            for place, one in enumerate(people)
        ]
    return said


def test_nine_who_share_three_stops_are_held_at_the_fourth() -> None:
    assert walk(factories.members(9), stops=4) == ["in_lockstep"] * 9


def test_large_family_may_go_everywhere_together() -> None:
    assert walk(factories.members(8), stops=4) == ["ok"] * 8


def test_coach_that_stops_three_times_is_not_held() -> None:
    assert walk(factories.members(9), stops=3) == ["ok"] * 9


def test_those_who_come_much_later_are_no_companions() -> None:
    assert walk(factories.members(9), stops=4, minutes_apart=4) == ["ok"] * 9


def test_eleventh_place_of_a_day_is_held(alex: Member) -> None:
    for number in range(11):
        factories.place(f"stop{number}", **away(1_000 * number))
    said = [
        check_in(
            alex,
            occurred_at=NOW - timedelta(hours=6) + number * timedelta(minutes=30),
            place=f"stop{number}",
            **away(1_000 * number + 10),
        ).check_in.reason
        for number in range(11)
    ]
    assert said == ["ok"] * 10 + ["tireless"]


# --- Review -----------------------------------------------------------------------------------
def held(by: Member, **said: Any) -> CheckIn:
    return check_in(by, is_mocked=True, **said).check_in


def review(row: CheckIn, *, is_genuine: bool = True) -> tuple[str, str, int]:
    row = checkins.review(check_in=row, is_genuine=is_genuine, now=NOW + DAY)
    return row.status, row.reason, row.points


def test_genuine_check_in_is_paid_after_review(alex: Member, peak: Place) -> None:
    assert review(held(alex)) == ("awarded", "reviewed", 50)
    assert factories.account(alex).balance == 50
    assert Interaction.objects.filter(kind__slug="check-in").count() == 1


def test_refused_check_in_stays_without_points(alex: Member, peak: Place) -> None:
    assert review(held(alex), is_genuine=False) == ("no_award", "not_accepted", 0)
    assert factories.account(alex).balance == 0


def test_review_decides_once(alex: Member, peak: Place) -> None:
    row = held(alex)
    review(row)
    with pytest.raises(Refusal), transaction.atomic():
        review(row)
    assert factories.account(alex).balance == 50


def test_two_held_check_ins_of_one_visit_are_paid_once(alex: Member, peak: Place) -> None:
    first, second = held(alex), held(alex, **away(20))
    assert review(first) == ("awarded", "reviewed", 50)
    assert review(second) == ("no_award", "already_today", 0)


# --- Which place ------------------------------------------------------------------------------
def test_smallest_place_one_stands_in_is_meant(alex: Member, peak: Place) -> None:
    factories.place("park", radius_m=20_000.0)
    assert check_in(alex).place == peak


def test_named_place_is_meant_wherever_one_stands(alex: Member, peak: Place) -> None:
    park = factories.place("park", radius_m=20_000.0)
    assert check_in(alex, place="park").place == park


# --- Forgetting -------------------------------------------------------------------------------
def test_positions_are_forgotten_after_thirty_days_and_verdicts_kept(
    alex: Member, peak: Place
) -> None:
    row = check_in(alex).check_in
    assert checkins.forget_positions(now=NOW + 30 * DAY) == 0
    assert checkins.forget_positions(now=NOW + 30 * DAY + timedelta(seconds=1)) == 1
    row.refresh_from_db()
    assert (row.latitude, row.longitude) == (None, None)
    assert (row.place, row.status, row.points) == (peak, "awarded", 50)


def test_forgotten_position_may_be_reported_again(alex: Member, peak: Place) -> None:
    check_in(alex)
    later = NOW + 31 * DAY
    checkins.forget_positions(now=later)
    assert check_in(alex, occurred_at=later).check_in.status == "awarded"
