"""Challenges: what counts, completing once, and being paid at once."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from geopy.distance import distance

from loyalty import (
    auditing,
    challenge_facts,
    challenge_standings,
    challenges,
    checkins,
    outings,
    returns,
)
from loyalty.models import (
    Award,
    ChallengeCompletion,
    CheckIn,
    EarnRule,
    Place,
    Purchase,
)
from members.models import Interaction, Member, UnansweredInteraction
from tests import factories
from tests.factories import NOW, PEAK, line

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_steps = count(1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> list[Place]:
    """Three huts, twenty kilometres apart."""
    return [factories.place(f"hut{n}", **away(20_000 * n)) for n in range(3)]


def away(metres: float) -> dict[str, Any]:
    found = distance(meters=metres).destination((PEAK["latitude"], PEAK["longitude"]), 90)
    return {"latitude": found.latitude, "longitude": found.longitude}


def go(by: Member, to: Place, *, days: float = 0, **said: Any) -> checkins.Judged:
    """Check in at a place, so many days from NOW; each time a step further on."""
    at = NOW + days * DAY
    here = {"latitude": to.latitude + 0.00001 * (next(_steps) % 60), "longitude": to.longitude}
    report = checkins.Report(**{**here, "accuracy_m": 10.0, "occurred_at": at, **said})
    return checkins.check_in(member=by, report=report, now=at)


def attend(by: Member, code: str, *, days: int, **said: Any) -> None:
    row = factories.outing(code, starts_at=NOW + days * DAY, **said)
    proof = outings.code_of(outing=row, at=row.starts_at)
    outings.attend(member=by, code=code, proof=proof, now=row.starts_at)


def done(of: Member, *, days: float = 0) -> int:
    """How far the member is with the one challenge there is."""
    (one,) = challenge_standings.listed(member=of, now=NOW + days * DAY)
    return one.progress.done


def completed(of: Member) -> list[tuple[str, int]]:
    rows = ChallengeCompletion.objects.filter(member=of).order_by("pk")
    return list(rows.values_list("challenge__slug", "points"))


# --- Completing -------------------------------------------------------------------------------
def test_check_in_that_completes_it_pays_at_once(alex: Member, places: list[Place]) -> None:
    factories.challenge(points=300)
    assert go(alex, places[0]).balance == 50
    assert go(alex, places[1], days=1).balance == 400
    assert factories.account(alex).balance == 400
    assert auditing.audit().findings == ()


def test_without_points_of_its_own_it_gives_what_the_rule_gives(
    alex: Member, places: list[Place]
) -> None:
    factories.challenge(target=1)
    go(alex, places[0])
    assert completed(alex) == [("summer", 100)]


def test_rule_of_its_slug_pays_it_too(alex: Member, places: list[Place]) -> None:
    factories.rule("bonus", fact="challenge", per="fact", points=7, subjects=["summer"])
    factories.rule("other", fact="challenge", per="fact", points=9, subjects=["winter"])
    factories.challenge(target=1)
    go(alex, places[0])
    assert completed(alex) == [("summer", 107)]
    assert set(Award.objects.filter(fact="challenge").values_list("rule__slug", flat=True)) == {
        "bonus", "challenges",
    }  # fmt: skip


def test_challenge_without_points_is_completed_all_the_same(
    alex: Member, places: list[Place]
) -> None:
    factories.challenge(target=1, points=0)
    assert go(alex, places[0]).balance == 50
    assert completed(alex) == [("summer", 0)]


def test_completing_is_paid_once(alex: Member, places: list[Place]) -> None:
    factories.challenge(points=300)
    for day in range(4):
        go(alex, places[day % 3], days=day)
    assert completed(alex) == [("summer", 300)]
    assert challenges.advance(member_ids=[alex.pk], at=NOW).completions == ()


def test_completing_is_an_interaction_that_campaigns_may_answer(
    alex: Member, places: list[Place]
) -> None:
    for place in places:
        place.interests.set([factories.interest("hiking"), factories.interest("snow")])
    factories.challenge(target=1, interests=["hiking"])
    go(alex, places[0])
    fact = Interaction.objects.get(kind__slug="challenge")
    assert (fact.member, fact.category, fact.occurred_at) == (alex, "summer", NOW)
    assert fact.interests == [factories.interest("hiking").pk]
    assert UnansweredInteraction.objects.filter(interaction=fact).exists()


def test_points_of_a_challenge_can_lift_the_tier(alex: Member, places: list[Place]) -> None:
    gold = factories.tier("gold", 300)
    factories.challenge(target=1, points=300)
    go(alex, places[0])
    assert factories.account(alex).tier == gold


def test_moment_of_completion_is_that_of_the_fact_which_decided(
    alex: Member, places: list[Place]
) -> None:
    factories.challenge(target=1)
    go(alex, places[0], days=-3)
    row = ChallengeCompletion.objects.get()
    assert (row.completed_at, row.recorded_at) == (NOW - 3 * DAY, NOW - 3 * DAY)


def test_another_members_facts_do_not_count(alex: Member, places: list[Place]) -> None:
    factories.challenge()
    go(factories.member(), places[0])
    go(alex, places[1])
    assert done(alex) == 1
    assert not ChallengeCompletion.objects.exists()


@pytest.mark.parametrize(("days", "counts"), [(-31, 0), (-30, 1), (29.9, 1), (30, 0)])
def test_only_what_happens_between_start_and_end_counts(
    alex: Member, places: list[Place], days: float, counts: int
) -> None:
    factories.challenge(target=1)
    go(alex, places[0], days=days)
    assert ChallengeCompletion.objects.count() == counts


def test_challenge_that_is_not_open_neither_counts_nor_shows(
    alex: Member, places: list[Place]
) -> None:
    factories.challenge(target=1, is_open=False)
    go(alex, places[0])
    assert completed(alex) == []
    assert challenge_standings.listed(member=alex, now=NOW) == []


# --- Check-ins --------------------------------------------------------------------------------
def test_place_counts_once_a_day_however_often(alex: Member, places: list[Place]) -> None:
    Place.objects.update(points=0)
    factories.challenge(target=3)
    for hour in range(3):
        go(alex, places[0], days=hour / 24)
    assert done(alex) == 1
    go(alex, places[0], days=1)
    assert done(alex, days=1) == 2


def test_visit_without_points_to_be_had_counts_and_a_refused_one_does_not(
    alex: Member, places: list[Place]
) -> None:
    factories.challenge(target=5)
    Place.objects.filter(code="hut0").update(points=0)
    EarnRule.objects.filter(slug="check-ins").update(member_cap=50)
    go(alex, places[0], days=-5)
    go(alex, places[1], days=-4)
    go(alex, places[2], days=-3)
    go(alex, places[2], days=-2, longitude=0.0)
    go(alex, places[2], days=-1, is_mocked=True)
    verdicts = CheckIn.objects.order_by("occurred_at").values_list("reason", flat=True)
    assert list(verdicts) == ["no_points_here", "ok", "limit_reached", "nowhere", "mocked"]
    assert done(alex) == 3


def test_simulated_visit_beyond_a_limit_does_not_count(alex: Member, places: list[Place]) -> None:
    factories.challenge(target=5)
    go(alex, places[0])
    CheckIn.objects.update(status="no_award", reason="limit_reached", is_mocked=True)
    assert done(alex) == 0


def test_held_check_in_counts_when_it_is_accepted(alex: Member, places: list[Place]) -> None:
    factories.challenge(target=1, points=300)
    row = go(alex, places[0], is_mocked=True).check_in
    assert (done(alex), completed(alex)) == (0, [])
    checkins.review(check_in=row, is_genuine=True, now=NOW + DAY)
    assert completed(alex) == [("summer", 300)]
    assert ChallengeCompletion.objects.get().completed_at == NOW


@pytest.mark.parametrize(("points", "cap"), [(0, 900), (50, 0)])
def test_accepted_check_in_counts_though_there_are_no_points_to_get(
    alex: Member, places: list[Place], points: int, cap: int
) -> None:
    factories.challenge(target=2)
    Place.objects.update(points=points)
    EarnRule.objects.filter(slug="check-ins").update(member_cap=cap)
    row = go(alex, places[0], is_mocked=True).check_in
    row = checkins.review(check_in=row, is_genuine=True, now=NOW)
    assert (row.status, row.reason, row.points) == ("no_award", "reviewed", 0)
    assert done(alex) == member_visits(alex) == 1
    assert "no points to get" in checkins.explain(row)


def member_visits(of: Member) -> int:
    return of.check_ins.counted().count()


def test_review_after_the_end_counts_for_a_month(alex: Member, places: list[Place]) -> None:
    ends_at = NOW + HOUR
    factories.challenge(target=1, ends_at=ends_at)
    rows = [go(alex, place, is_mocked=True).check_in for place in places[:2]]
    checkins.review(check_in=rows[0], is_genuine=True, now=ends_at + challenge_facts.LATE)
    assert completed(alex) == []
    checkins.review(check_in=rows[1], is_genuine=True, now=ends_at + challenge_facts.LATE - HOUR)
    assert completed(alex) == [("summer", 100)]


def test_different_places_are_counted_over_repeats(alex: Member, places: list[Place]) -> None:
    factories.challenge(how="distinct", unit="place", target=3)
    for day, place in enumerate([places[1], places[0], places[1]]):
        go(alex, place, days=day - 2)
    (one,) = challenge_standings.listed(member=alex, now=NOW)
    assert (one.progress.done, one.progress.items) == (2, ("hut1", "hut0"))


def test_only_places_of_the_collection_count(alex: Member, places: list[Place]) -> None:
    huts = factories.collection("huts", *places[:2])
    factories.challenge(how="distinct", unit="place", collection=huts)
    go(alex, places[2], days=-2)
    go(alex, places[0], days=-1)
    assert done(alex) == 1
    go(alex, places[1])
    assert completed(alex) == [("summer", 100)]


def test_only_places_of_the_interest_count(alex: Member, places: list[Place]) -> None:
    places[0].interests.set([factories.interest("snow")])
    factories.challenge(interests=["snow", "climbing"])
    go(alex, places[0], days=-1)
    go(alex, places[1])
    assert done(alex) == 1


def test_days_in_a_row_are_the_members_own() -> None:
    place = factories.place()
    tokyo = factories.member(time_zone="Asia/Tokyo")
    factories.challenge(how="streak", unit="day")
    midnight = NOW.replace(hour=15)
    for minutes in (-1, 1):
        at = midnight + timedelta(minutes=minutes)
        go(tokyo, place, days=(at - NOW) / DAY)
    assert completed(tokyo) == [("summer", 100)]


# --- Outings, purchases, interactions ---------------------------------------------------------
def test_outings_count_for_who_came(alex: Member) -> None:
    factories.challenge(counts="outing", target=2, points=10)
    attend(alex, "a", days=0)
    factories.outing("b", starts_at=NOW + DAY)
    outings.register(member=alex, code="b", now=NOW)
    assert done(alex) == 1
    attend(alex, "c", days=2)
    assert completed(alex) == [("summer", 10)]
    assert factories.account(alex).balance == 100 + 100 + 10


def test_outings_are_asked_for_their_place_store_and_interests(
    alex: Member, places: list[Place]
) -> None:
    denver = factories.store()
    factories.challenge(
        counts="outing", target=5, stores=["denver"], interests=["snow"],
        collection=factories.collection("huts", places[0]),
    )  # fmt: skip
    attend(alex, "a", days=0, place=places[0], store=denver, interests=["snow"])
    attend(alex, "b", days=1, place=places[1], store=denver, interests=["snow"])
    attend(alex, "c", days=2, place=places[0], interests=["snow"])
    attend(alex, "d", days=3, place=places[0], store=denver)
    (one,) = challenge_standings.listed(member=alex, now=NOW + 3 * DAY)
    assert one.progress.items == ("a",)


def test_outing_noted_on_the_day_after_counts_for_its_own_day(alex: Member) -> None:
    row = factories.outing()
    factories.challenge(counts="outing", target=1, ends_at=row.ends_at + HOUR)
    outings.tick(member=alex, outing=row, now=row.ends_at + 20 * HOUR)
    assert ChallengeCompletion.objects.get().completed_at == row.ends_at


def test_purchase_that_completes_it_pays_in_the_answer(alex: Member) -> None:
    factories.challenge(counts="purchase", target=2, points=30)
    assert factories.buy(alex, "20").balance == 20
    receipt = factories.buy(alex, "5")
    assert (receipt.points, receipt.balance) == (5, 55)


def test_different_categories_within_one_purchase_count(alex: Member) -> None:
    factories.challenge(counts="purchase", how="distinct", unit="category", target=2)
    factories.buy(alex, line("5", category="tents"), line("5", category="tents"), "5")
    assert done(alex) == 1
    factories.buy(alex, line("5", category="boots"), line("5", category="tents"))
    assert completed(alex) == [("summer", 100)]


def test_purchases_are_asked_for_store_category_and_interest(alex: Member) -> None:
    denver = factories.store()
    factories.product("tent", category="tents", interests=["camping"])
    factories.challenge(
        counts="purchase", target=5, stores=["denver"], categories=["tents", "camping"],
        interests=["camping"],
    )  # fmt: skip
    factories.buy(alex, line("5", sku="tent"), store=denver, channel="store")
    factories.buy(alex, line("5", category="camping"), store=denver, channel="store")
    factories.buy(alex, line("5", category="tents"), store=denver, channel="store")
    factories.buy(alex, line("5", sku="tent"))
    assert done(alex) == 2


def give_back(reference: str, sku: str = "tent") -> None:
    returns.record(
        purchase=Purchase.objects.get(reference=reference), reference=f"back-{reference}",
        lines=[returns.ReturnedLine(sku, 1)], occurred_at=NOW, now=NOW,
    )  # fmt: skip


def test_what_came_back_before_counts_no_more(alex: Member) -> None:
    factories.challenge(counts="purchase", target=2)
    factories.buy(alex, line("5", sku="tent"), reference="a")
    give_back("a")
    assert done(alex) == 0
    factories.buy(alex, "5")
    assert completed(alex) == []


def test_what_comes_back_after_completion_changes_nothing(alex: Member) -> None:
    factories.challenge(counts="purchase", target=1, points=30)
    factories.buy(alex, line("5", sku="tent"), reference="a")
    give_back("a")
    assert completed(alex) == [("summer", 30)]
    assert (done(alex), factories.account(alex).balance) == (1, 30)
    factories.buy(alex, "5")
    assert completed(alex) == [("summer", 30)]
