"""Times, different ones and rows: what is counted depends on the facts, not on their order."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.counting import Fact, Goal, Progress, progress

NOW = datetime(2027, 3, 1, 18, tzinfo=UTC)  # A Monday
DENVER = "America/Denver"

moments = st.datetimes(datetime(2027, 2, 1), datetime(2027, 3, 20), timezones=st.just(UTC))
facts = st.lists(st.builds(Fact, moments, st.sampled_from(["", "hut", "peak", "lake"])))
zones = st.sampled_from([DENVER, "Asia/Tokyo", "Pacific/Kiritimati", "UTC"])
goals = st.one_of(
    st.builds(Goal, how=st.just("times"), target=st.integers(1, 6)),
    st.builds(
        Goal,
        how=st.just("distinct"),
        target=st.integers(1, 6),
        unit=st.sampled_from(["place", "category", "day", "week"]),
    ),
    st.builds(
        Goal,
        how=st.just("streak"),
        target=st.integers(1, 6),
        unit=st.sampled_from(["day", "week"]),
        forgiven=st.integers(0, 3),
    ),
)
streaks = goals.filter(lambda goal: goal.how == "streak")


def count(goal: Goal, given: Sequence[Fact], *, zone: str = "UTC", now: datetime = NOW) -> Progress:
    return progress(goal=goal, facts=given, zone=zone, now=now)


def on(*days: int, thing: str = "", hour: int = 12) -> list[Fact]:
    """Facts so many days from NOW."""
    return [Fact(NOW.replace(hour=hour) + timedelta(days=day), thing) for day in days]


def row(target: int, **said: Any) -> Goal:
    return Goal(how="streak", target=target, **{"unit": "day", **said})


# --- Whatever is counted ----------------------------------------------------------------------
@given(goals, facts, zones, st.randoms())
def test_order_never_matters(goal: Goal, said: list[Fact], zone: str, chance: Any) -> None:
    shuffled = list(said)
    chance.shuffle(shuffled)
    assert count(goal, shuffled, zone=zone) == count(goal, said, zone=zone)


@given(goals.filter(lambda goal: goal.how != "times"), facts, zones)
def test_what_is_said_twice_never_helps(goal: Goal, said: list[Fact], zone: str) -> None:
    assert count(goal, said + said, zone=zone) == count(goal, said, zone=zone)


@given(goals, facts, zones)
def test_target_is_reached_by_the_fact_that_says_so_and_stays(
    goal: Goal, said: list[Fact], zone: str
) -> None:
    found = count(goal, said, zone=zone)
    assert 0 <= found.done <= goal.target
    if found.reached_at is None:
        return
    assert found.done == goal.target
    known = [fact for fact in said if fact.at <= found.reached_at]
    assert count(goal, known, zone=zone).reached_at == found.reached_at
    earlier = [fact for fact in said if fact.at < found.reached_at]
    assert count(goal, earlier, zone=zone).reached_at is None


@given(goals, facts, facts, zones)
def test_more_facts_never_undo_it(
    goal: Goal, said: list[Fact], more: list[Fact], zone: str
) -> None:
    if count(goal, said, zone=zone).reached_at is not None:
        assert count(goal, said + more, zone=zone).reached_at is not None


# --- In a row ---------------------------------------------------------------------------------
def unit_number(fact: Fact, goal: Goal, zone: str) -> int:
    """Days, or weeks from Monday to Sunday, numbered without a gap."""
    day = fact.at.astimezone(ZoneInfo(zone)).date()
    return (day - date(2024, 1, 1)).days // (7 if goal.unit == "week" else 1)


@given(streaks, facts, zones)
def test_row_is_reached_exactly_where_one_can_be_laid(
    goal: Goal, said: list[Fact], zone: str
) -> None:
    """Any so many units whose span is not longer than they are with what is forgiven."""
    units = sorted({unit_number(fact, goal, zone) for fact in said})
    can_be_laid = any(
        chosen[-1] - chosen[0] + 1 <= goal.target + goal.forgiven
        and chosen[-1] - chosen[0] + 1 - len([u for u in units if chosen[0] <= u <= chosen[-1]])
        <= goal.forgiven
        for chosen in combinations(units[:14], goal.target)
    )
    if len(units) <= 14:
        assert (count(goal, said, zone=zone).reached_at is not None) == can_be_laid


@given(streaks, facts, zones)
def test_what_is_forgiven_never_exceeds_the_allowance(
    goal: Goal, said: list[Fact], zone: str
) -> None:
    days = [date.fromisoformat(item) for item in count(goal, said, zone=zone).items]
    if days:
        units = (days[-1] - days[0]).days // (7 if goal.unit == "week" else 1) + 1
        assert 0 <= units - len(days) <= goal.forgiven


def test_days_in_a_row_are_counted_until_one_is_missing() -> None:
    assert count(row(4), on(-3, -2, -1, 0)).reached_at == NOW.replace(hour=12)
    assert count(row(4), on(-4, -3, -1, 0)).done == 2
    assert count(row(4), on(-4, -3, -1, 0)).items == ("2027-02-28", "2027-03-01")


def test_today_is_not_missing_yet_and_yesterday_is() -> None:
    assert count(row(4), on(-3, -2, -1)).done == 3
    assert count(row(4), on(-4, -3, -2)).done == 0


def test_forgiven_day_is_bridged_and_not_counted() -> None:
    goal = row(4, forgiven=1)
    assert count(goal, on(-3, -1, 0)).done == 3
    assert count(goal, on(-4, -3, -1, 0)).reached_at == NOW.replace(hour=12)
    assert count(goal, on(-5, -3, -1, 0)).done == 3
    assert count(goal, on(-4, -3, -2)).done == 3
    assert count(goal, on(-5, -4, -3)).done == 0


@pytest.mark.parametrize(("zone", "done"), [("UTC", 2), (DENVER, 1), ("Asia/Tokyo", 1)])
def test_days_are_the_members_own(zone: str, done: int) -> None:
    said = [Fact(NOW.replace(hour=hour, day=day)) for day, hour in ((1, 20), (2, 4))]
    assert count(row(9), said, zone=zone, now=NOW + timedelta(days=1)).done == done


def test_day_of_a_clock_change_is_one_day() -> None:
    local = [datetime(2027, 3, day, 23, 30, tzinfo=ZoneInfo(DENVER)) for day in (13, 14, 15)]
    found = count(row(3), [Fact(at) for at in local], zone=DENVER)
    assert found.items == ("2027-03-13", "2027-03-14", "2027-03-15")


def test_weeks_begin_on_monday() -> None:
    goal = row(2, unit="week")
    assert count(goal, on(-1, 0)).items == ("2027-02-22", "2027-03-01")
    assert count(goal, on(-7, -1)).done == 1


# --- Times and different ones -----------------------------------------------------------------
def test_times_counts_every_fact_and_names_each_thing_once() -> None:
    goal = Goal(how="times", target=3)
    said = [*on(-2, -1, thing="hut"), *on(0, 1, thing="peak")]
    assert count(goal, said) == Progress(3, ("hut", "peak"), NOW.replace(hour=12))


def test_different_places_are_counted_in_the_order_of_going_there() -> None:
    goal = Goal(how="distinct", target=3, unit="place")
    said = [*on(-1, thing="peak"), *on(-3, 0, thing="hut"), *on(0)]
    assert count(goal, said) == Progress(2, ("hut", "peak"), None)
