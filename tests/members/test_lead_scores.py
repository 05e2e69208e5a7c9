"""Lead scores: exact whatever came first, and people are told once for each time it is reached."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members import interactions, lead_scores
from members.models import (
    Interaction,
    InteractionKind,
    Member,
    MemberScore,
    Score,
    ScoreRule,
    UnansweredInteraction,
)
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db

_references = count()


def did(
    by: Member, kind: str, *, at: datetime = NOW, now: datetime | None = None, **said: Any
) -> int:
    """Something the member did, in the queue; the interaction's id."""
    fact = interactions.Fact(
        member_id=by.pk, kind=kind, occurred_at=at, reference=str(next(_references)), **said
    )
    return interactions.record([fact], now=now or at).ids[0]


def fold(*ids: int, now: datetime = NOW) -> int:
    """Count these, or all that wait, as the worker does that answers them."""
    waiting = UnansweredInteraction.objects.all()
    chosen = list(ids or waiting.values_list("pk", flat=True))
    moved = lead_scores.fold(interaction_ids=chosen, now=now)
    waiting.filter(pk__in=chosen).delete()
    return moved


def points(of: Member, *, at: datetime = NOW) -> dict[str, Any]:
    standings = lead_scores.scores_of(member=of, at=at)
    return {standing.score.slug: pytest.approx(standing.points) for standing in standings}


def reached() -> list[tuple[str | None, int, datetime]]:
    """(score, value, when) of each time that a threshold was reached."""
    rows = Interaction.objects.filter(kind__slug="score-reached").order_by("pk")
    return [(row.category, int(row.value or 0), row.occurred_at) for row in rows]


# --- Points -----------------------------------------------------------------------------------
def test_every_action_counts_each_time(alex: Member) -> None:
    factories.score(view=2, click=5)
    for kind in ("view", "view", "click", "search"):
        did(alex, kind)
    fold()
    assert points(alex) == {"leads": 9}


@pytest.mark.parametrize(("days", "left"), [(0, 10), (30, 5), (60, 2.5), (36_500, 0)])
def test_points_fade_by_half_each_half_life(alex: Member, days: int, left: float) -> None:
    factories.score(view=10)
    did(alex, "view")
    fold()
    assert points(alex, at=NOW + days * DAY) == {"leads": left}


def test_rules_with_a_category_count_beside_those_without(alex: Member) -> None:
    score = factories.score(view=1)
    kind = InteractionKind.objects.get(slug="view")
    ScoreRule.objects.create(score=score, kind=kind, category="prices", points=5)
    for category in ("prices", "tents", None):
        did(alex, "view", category=category)
    fold()
    assert points(alex) == {"leads": 8}


def test_points_can_be_taken(alex: Member) -> None:
    factories.score(view=5, search=-3)
    for kind in ("view", "search"):
        did(alex, kind)
    fold()
    assert points(alex) == {"leads": 2}


def test_scores_are_counted_apart_and_the_nearest_comes_first(alex: Member) -> None:
    factories.score("far", threshold=100, view=30)
    factories.score("near", threshold=10, view=8)
    did(alex, "view")
    assert fold() == 2
    assert list(points(alex)) == ["near", "far"]


def test_score_that_is_not_active_counts_nothing(alex: Member) -> None:
    factories.score(view=5)
    Score.objects.update(is_active=False)
    did(alex, "view")
    assert fold() == 0
    assert points(alex) == {}


def test_interaction_is_counted_when_it_leaves_the_queue_and_never_again(alex: Member) -> None:
    factories.score(view=5)
    pk = did(alex, "view")
    assert points(alex) == {}
    assert [fold(pk), fold(pk)] == [1, 0]
    assert points(alex) == {"leads": 5}


def test_any_number_of_interactions_costs_two_statements(
    django_assert_num_queries: Any,
) -> None:
    factories.score(view=5)
    ids = [did(member, "view") for member in factories.members(20)]
    with django_assert_num_queries(2):  # the lock, and all of them
        assert lead_scores.fold(interaction_ids=ids, now=NOW) == 20


histories = st.lists(
    st.tuples(
        st.sampled_from(["view", "click", "search"]),
        st.sampled_from(["tents", "prices", None]),
        st.floats(0, 1.9),
    ),
    max_size=15,
)


@given(histories, st.floats(0, 400), st.randoms(use_true_random=False), st.data())
@settings(max_examples=25)
def test_score_is_the_sum_over_its_events_in_any_order_and_any_batches(
    history: Sequence[tuple[str, str | None, float]],
    later: float,
    random: Any,
    data: st.DataObject,
) -> None:
    given_for: dict[str, Any] = {"view": 2, "click": 7, "search": -3}
    with factories.undone():
        people = factories.members(2)
        score = factories.score(days=1.5, **given_for)
        kind = InteractionKind.objects.get(slug="view")
        ScoreRule.objects.create(score=score, kind=kind, category="prices", points=11)
        at = NOW + later * DAY
        expected = dict.fromkeys((person.pk for person in people), 0.0)
        waiting = []
        for n, (name, category, days) in enumerate(history):
            moment = NOW - days * DAY
            gave = given_for[name] + 11 * (name == "view" and category == "prices")
            expected[people[n % 2].pk] += gave * 0.5 ** ((at - moment) / DAY / 1.5)
            waiting.append(did(people[n % 2], name, at=moment, now=NOW, category=category))
        random.shuffle(waiting)
        while waiting:
            batch = data.draw(st.integers(1, len(waiting)))
            fold(*waiting[:batch])
            waiting = waiting[batch:]
        for _ in range(2):  # As it was folded, and counted anew.
            rows = MemberScore.objects.weighed(at=at)
            found = {row.member_id: float(row.weighed) for row in rows}  # type: ignore[attr-defined]
            for pk, total in expected.items():
                assert found.get(pk, 0.0) == pytest.approx(total, abs=1e-9, rel=1e-9)
            for person in people:
                for standing in lead_scores.scores_of(member=person, at=at):
                    behind = sum(point.left for point in standing.newest)
                    if standing.facts <= lead_scores.SHOWN:
                        assert behind == pytest.approx(standing.points, abs=1e-9)
            lead_scores.rebuild()


# --- What is behind it ------------------------------------------------------------------------
def test_every_point_has_its_event(alex: Member) -> None:
    factories.score(view=10, click=5)
    did(alex, "view", category="prices", at=NOW - 30 * DAY)
    did(alex, "click")
    fold()
    (standing,) = lead_scores.scores_of(member=alex, at=NOW)
    click, view = standing.newest
    assert (view.kind, view.name, view.category) == ("view", "Viewed", "prices")
    assert (view.occurred_at, view.points, round(view.left, 9)) == (NOW - 30 * DAY, 10, 5)
    assert (click.kind, click.points, click.left) == ("click", 5, 5)
    assert (standing.whole, standing.facts, standing.is_reached) == (10, 2, False)


def test_events_of_others_and_the_oldest_are_not_listed(alex: Member) -> None:
    factories.score(view=1)
    for number in range(lead_scores.SHOWN + 3):
        did(alex, "view", at=NOW - number * DAY / 24)
        did(factories.member(), "view")
    fold()
    (standing,) = lead_scores.scores_of(member=alex, at=NOW)
    assert standing.facts == lead_scores.SHOWN + 3
    times = [point.occurred_at for point in standing.newest]
    assert times == [NOW - number * DAY / 24 for number in range(lead_scores.SHOWN)]


# --- Reaching the threshold -------------------------------------------------------------------
def test_coming_up_to_the_threshold_is_an_interaction_to_answer(alex: Member) -> None:
    factories.score("warm", threshold=10, view=6)
    did(alex, "view")
    fold()
    assert reached() == []
    did(alex, "view")
    fold()
    assert reached() == [("warm", 12, NOW)]
    assert MemberScore.objects.get().reached_at == NOW
    assert UnansweredInteraction.objects.get().interaction.kind.slug == "score-reached"


def test_threshold_is_reached_once_however_much_follows(alex: Member) -> None:
    factories.score(threshold=10, view=6)
    for minute in range(5):
        did(alex, "view", at=NOW + timedelta(minutes=minute))
        fold(now=NOW + timedelta(minutes=minute))
    assert reached() == [("leads", 12, NOW + timedelta(minutes=1))]


def test_threshold_is_reached_again_only_after_the_score_was_below(alex: Member) -> None:
    factories.score(threshold=10, view=12)
    moments = [NOW, NOW + 2 * DAY, NOW + 60 * DAY]
    for moment in moments:
        did(alex, "view", at=moment)
        fold(now=moment)
    # After two days 11.5 of the 12 were left; after sixty, 5.9 of the 23.5.
    assert [when for _, _, when in reached()] == [NOW, NOW + 60 * DAY]


def test_taken_points_let_it_be_reached_again(alex: Member) -> None:
    factories.score(threshold=10, view=10, search=-10)
    for minute, kind in enumerate(("view", "search", "view")):
        did(alex, kind, at=NOW + timedelta(minutes=minute))
        fold(now=NOW + timedelta(minutes=minute))
    assert [value for _, value, _ in reached()] == [10, 10]


def test_points_are_rounded_before_they_are_compared(alex: Member) -> None:
    factories.score(threshold=10, view=5)
    did(alex, "view", at=NOW - DAY)  # 4.89 are left: 9.89 altogether.
    did(alex, "view")
    fold()
    assert reached() == [("leads", 10, NOW)]


def test_each_score_is_reached_by_itself(alex: Member) -> None:
    factories.score("low", threshold=5, view=5)
    factories.score("high", threshold=8, view=4)
    did(alex, "view")
    fold()
    did(alex, "view", at=NOW + DAY)
    fold(now=NOW + DAY)
    assert [(slug, when) for slug, _, when in reached()] == [("low", NOW), ("high", NOW + DAY)]


# --- Counted anew, and late -------------------------------------------------------------------
def test_rebuild_counts_by_todays_rules_and_tells_nobody(alex: Member) -> None:
    score = factories.score(threshold=10, view=2)
    did(alex, "view")
    fold()
    ScoreRule.objects.update(points=50)
    assert lead_scores.rebuild(score=score) == 1
    assert (points(alex), reached()) == ({"leads": 50}, [])
    did(alex, "view")
    fold()
    assert (points(alex), reached()) == ({"leads": 100}, [])


def test_rebuild_leaves_what_waits_in_the_queue_to_be_counted_once(alex: Member) -> None:
    factories.score(view=2)
    did(alex, "view")
    lead_scores.rebuild()
    assert points(alex) == {}
    fold()
    assert points(alex) == {"leads": 2}


def test_rebuild_drops_what_no_rule_gives_any_more_and_keeps_when_it_was_reached() -> None:
    cold, warm = factories.members(2)
    factories.score(threshold=5, view=5, click=5)
    did(cold, "click")
    did(warm, "view")
    fold()
    ScoreRule.objects.filter(kind__slug="click").delete()
    assert lead_scores.rebuild() == 1
    assert [points(cold), points(warm)] == [{}, {"leads": 5}]
    assert MemberScore.objects.get().reached_at == NOW


def test_rebuild_of_one_member_leaves_the_others(alex: Member) -> None:
    kim = factories.member()
    factories.score(view=5)
    for one in (alex, kim):
        did(one, "view")
    fold()
    MemberScore.objects.update(mass=7)
    lead_scores.rebuild(member_ids=[alex.pk])
    assert [points(alex), points(kim)] == [{"leads": 5}, {"leads": 7}]


def test_rebuild_that_changes_nothing_says_so(alex: Member) -> None:
    factories.score(view=5)
    did(alex, "view")
    fold()
    assert lead_scores.rebuild() == 0


def test_what_is_told_late_is_counted_by_the_sweep_and_tells_nobody(alex: Member) -> None:
    factories.score(threshold=5, view=10)
    did(alex, "view", at=NOW - 30 * DAY, now=NOW)
    assert UnansweredInteraction.objects.count() == 0
    assert [lead_scores.catch_up(now=NOW + n * DAY) for n in range(3)] == [1, 0, 0]
    assert (points(alex), reached()) == ({"leads": 5}, [])


def test_sweep_finds_what_a_long_transaction_told_before_the_last_one(alex: Member) -> None:
    factories.score(view=10)
    lead_scores.catch_up(now=NOW)
    did(alex, "view", at=NOW - 30 * DAY, now=NOW - timedelta(minutes=50))
    assert lead_scores.catch_up(now=NOW + DAY) == 1
