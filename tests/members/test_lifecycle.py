"""The stages of a member's life with us, by what the members themselves are used to do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members import interactions, lifecycle
from members.lifecycle import History
from members.models import Interaction, Member, UnansweredInteraction
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db

_references = count()


def did(by: Member, kind: str, *, days_ago: float, told_days_ago: float | None = None) -> None:
    fact = interactions.Fact(
        member_id=by.pk, kind=kind, occurred_at=NOW - days_ago * DAY,
        reference=str(next(_references)),
    )  # fmt: skip
    interactions.record([fact], now=NOW - (told_days_ago or days_ago) * DAY)


def bought(by: Member, *days_ago: float) -> Member:
    for each in days_ago:
        did(by, "purchase", days_ago=each)
    return by


def review(now: datetime = NOW) -> int:
    return lifecycle.review(now=now)


def stage(of: Member) -> str:
    of.refresh_from_db()
    return of.stage


def changes(of: Member) -> list[str | None]:
    rows = Interaction.objects.filter(member=of, kind__slug="stage-changed").order_by("pk")
    return list(rows.values_list("category", flat=True))


# --- The judgement ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("days", "span", "allowed"),
    [
        (1, 0, 180),
        (2, 0.5, 60),
        (2, 26, 60),
        (2, 40, 92.1),
        (5, 160, 92.1),
        (2, 79, 180),
        (3, 1_000, 180),
    ],
)
def test_silence_is_measured_by_the_members_own_rhythm(
    days: int, span: float, allowed: float
) -> None:
    found = lifecycle.patience(days=days, span=span * DAY)
    assert found / DAY == pytest.approx(allowed, abs=0.05)


@pytest.mark.parametrize(
    ("purchases", "seen", "expected"),
    [
        ([], None, "attract"),
        ([], 1, "attract"),
        ([1], None, "grow"),
        ([180], None, "grow"),
        ([180.1], None, "retain"),
        ([200], 59, "grow"),
        ([200], 60.1, "retain"),
        ([130, 90], None, "grow"),  # Every 40 days: 92 may be silent.
        ([133, 93], None, "retain"),
        ([71, 61], None, "retain"),
        ([61, 61, 61], None, "grow"),  # One day, one purchase.
    ],
)
def test_stage_follows_from_purchases_and_signs_of_life(
    purchases: list[float], seen: float | None, expected: str, alex: Member
) -> None:
    bought(alex, *purchases)
    if seen is not None:
        did(alex, "view", days_ago=seen)
    review()
    assert stage(alex) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("open", "grow"), ("click", "grow"), ("store-visit", "grow"), ("check-in", "grow"),
        ("birthday", "retain"), ("points-expiring", "retain"),
    ],
)  # fmt: skip
def test_what_they_do_is_a_sign_of_life_and_what_time_does_is_none(
    kind: str, expected: str, alex: Member
) -> None:
    bought(alex, 200)
    did(alex, kind, days_ago=10)
    review()
    assert stage(alex) == expected


def test_only_a_purchase_leads_back(alex: Member) -> None:
    bought(alex, 200)
    review()
    did(alex, "open", days_ago=0)
    assert (review(), stage(alex)) == (0, "retain")
    bought(alex, 0)
    assert (review(), stage(alex)) == (1, "grow")


histories = st.lists(st.integers(0, 400), max_size=6)


@given(
    st.lists(
        st.tuples(histories, st.none() | st.integers(0, 400), st.sampled_from(Member.Stage.values)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=25)
def test_statement_judges_as_the_function_does(
    crowd: Sequence[tuple[list[int], int | None, str]],
) -> None:
    with factories.undone():
        expected = {}
        for days, seen, before in crowd:
            member = bought(factories.member(), *days)
            if seen is not None:
                did(member, "view", days_ago=seen)
            Member.objects.filter(pk=member.pk).update(stage=before)
            moments = [NOW - n * DAY for n in days]
            shown = moments if seen is None else [*moments, NOW - seen * DAY]
            history = History(
                days=len({moment.date() for moment in moments}),
                first_at=min(moments, default=None),
                last_at=max(moments, default=None),
                seen_at=max(shown, default=None),
            )
            expected[member.pk] = lifecycle.judge(history, stage=before, at=NOW)
        review()
        found = Member.objects.filter(pk__in=expected).values_list("pk", "stage")
        assert dict(found) == expected


# --- The review -------------------------------------------------------------------------------
def test_change_is_an_interaction_once_for_campaigns_to_answer(alex: Member) -> None:
    bought(alex, 0)
    assert [review(), review(NOW + DAY), review(NOW + 179 * DAY)] == [1, 0, 0]
    assert [review(NOW + 181 * DAY), review(NOW + 182 * DAY)] == [1, 0]
    assert changes(alex) == ["grow", "retain"]
    answerable = UnansweredInteraction.objects.filter(interaction__kind__slug="stage-changed")
    assert list(answerable.values_list("interaction__category", flat=True)) == ["grow", "retain"]


def test_member_can_be_lost_and_won_more_than_once(alex: Member) -> None:
    moments = [datetime(2027, month, 1, tzinfo=UTC) for month in (1, 8)]
    for moment in moments:
        fact = interactions.Fact(
            member_id=alex.pk, kind="purchase", occurred_at=moment, reference=str(moment)
        )
        interactions.record([fact], now=moment)
        review(moment)
        review(moment + 200 * DAY)
    assert changes(alex) == ["grow", "retain", "grow", "retain"]


def test_silence_known_from_a_file_alone_is_no_news(alex: Member) -> None:
    did(alex, "purchase", days_ago=900, told_days_ago=0.5)
    assert (review(), stage(alex), changes(alex)) == (1, "retain", ["retain"])
    assert UnansweredInteraction.objects.count() == 0
    row = Interaction.objects.get(kind__slug="stage-changed")
    assert row.occurred_at == NOW - 720 * DAY


def test_silence_that_began_here_is_news_however_late_the_clock(alex: Member) -> None:
    bought(alex, 900)
    UnansweredInteraction.objects.all().delete()
    review()
    assert UnansweredInteraction.objects.get().interaction.occurred_at == NOW


def test_who_has_left_is_not_looked_at() -> None:
    gone, merged, kept = [bought(member, 1) for member in factories.members(3)]
    Member.objects.filter(pk=gone.pk).update(erased_at=NOW)
    Member.objects.filter(pk=merged.pk).update(merged_into=kept)
    assert review() == 1
    assert [stage(one) for one in (gone, merged, kept)] == ["attract", "attract", "grow"]


def test_every_member_is_looked_at_whatever_the_batch(alex: Member) -> None:
    crowd = [alex, *factories.members(6)]
    for member in crowd:
        bought(member, 1)
    assert lifecycle.review(now=NOW, batch=2) == 7
    assert {stage(member) for member in crowd} == {"grow"}


def test_batch_costs_two_statements_whatever_its_size(django_assert_num_queries: Any) -> None:
    for member in factories.members(20):
        bought(member, 1)
    with django_assert_num_queries(
        2 + 2 + 1 + 2
    ):  # one batch, its facts, the empty one; savepoints
        lifecycle.review(now=NOW)
