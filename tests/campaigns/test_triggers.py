"""Answering what members do: once, in time, and by one worker each."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns import launching, triggers
from campaigns.models import Campaign, Delivery, Journey
from members import interactions, surveys
from members.models import Interaction, Member, MemberScore, UnansweredInteraction
from tests import factories
from tests.campaigns import scenes
from tests.campaigns.scenes import DUE
from tests.factories import NOW
from tests.processes import at_once

pytestmark = pytest.mark.django_db


def waiting(code: str = "greeting", **entry: Any) -> Campaign:
    """A live campaign that answers views, in the inbox."""
    said = {"kind": "interaction", "interaction": "view", **entry}
    return scenes.live(code, channels=("inbox",), entry=said)


def answer(now: datetime = NOW) -> int:
    answered = triggers.answer(now=now)
    assert UnansweredInteraction.objects.count() == 0
    return answered


@pytest.mark.parametrize(
    ("wanted", "enters"),
    [
        ({}, True),
        ({"sku": "T1"}, True),
        ({"sku": "T2"}, False),
        ({"category": "tents", "interest": "hiking"}, True),
        ({"category": "tents", "interest": "snow"}, False),
        ({"place": "peak"}, True),
        ({"place": "lake"}, False),
        ({"interaction": "click"}, False),
    ],
)
def test_interaction_enters_where_every_filter_matches(
    wanted: dict[str, str], enters: bool
) -> None:
    factories.place("peak")
    factories.place("lake")
    waiting(**wanted)
    scenes.did(
        factories.member(), "view", "hiking", "camping", sku="T1", category="tents", place="peak"
    )
    assert answer() == 1
    assert Journey.objects.count() == enters


@pytest.mark.parametrize(
    ("wanted", "scores"),
    [
        ({"value_at_least": 9}, [9, 10]),
        ({"value_at_most": 6}, [0, 6]),
        ({"value_at_least": 7, "value_at_most": 8}, [7]),
    ],
)
def test_good_and_bad_scores_of_a_survey_are_answered_each_by_its_own(
    wanted: dict[str, Any], scores: list[int]
) -> None:
    factories.survey(repeat_days=1)
    said = {score: factories.member() for score in (0, 6, 7, 9, 10)}
    waiting(interaction="survey", category="feedback", **wanted)
    for score, member in said.items():
        surveys.submit(member=member, slug="feedback", answers={"score": score}, now=NOW)
    scenes.did(factories.member(), "survey", category="feedback")
    answer()
    entered = set(Journey.objects.values_list("member", flat=True))
    assert entered == {said[score].pk for score in scores}


def test_interaction_is_answered_after_its_delay() -> None:
    member = factories.member()
    waiting(delay_minutes=90)
    scenes.did(member, "view")
    answer(now=NOW + timedelta(minutes=5))
    assert scenes.delivery(member).due_at == NOW + timedelta(minutes=90)


def test_interaction_is_answered_by_every_campaign_once() -> None:
    member = factories.member()
    campaigns = [waiting("a"), waiting("b")]
    pk = scenes.did(member, "view")
    answer()
    UnansweredInteraction.objects.create(interaction_id=pk)  # As if the worker had died.
    answer()
    assert sorted(Journey.objects.values_list("campaign_id", flat=True)) == [
        campaign.pk for campaign in campaigns
    ]


def test_each_interaction_is_an_occurrence_of_its_own() -> None:
    member = factories.member()
    waiting()
    pks = [scenes.did(member, "view", reference=f"v{n}") for n in range(3)]
    answer()
    occurrences = Journey.objects.values_list("occurrence", "interaction_id").order_by("pk")
    assert list(occurrences) == [(f"i{pk}", pk) for pk in pks]


def test_interaction_repeated_by_its_source_is_answered_once() -> None:
    member = factories.member()
    waiting()
    scenes.did(member, "view", reference="v1")
    with pytest.raises(IndexError):  # Nothing new.
        scenes.did(member, "view", reference="v1")
    answer()
    assert Journey.objects.count() == 1


def test_interaction_before_the_launch_is_not_answered() -> None:
    scenes.did(factories.member(), "view", at=NOW - timedelta(seconds=1))
    waiting()
    assert answer() == 1
    assert Journey.objects.count() == 0


def test_interaction_of_long_ago_waits_for_no_answer() -> None:
    member = factories.member()
    waiting()
    Campaign.objects.update(launched_at=NOW - timedelta(days=9))
    old = interactions.Fact(
        member_id=member.pk, kind="view", reference="old", occurred_at=NOW - timedelta(days=3)
    )
    interactions.record([old], now=NOW)
    assert answer() == 0


@pytest.mark.parametrize("state", ["paused", "finished"])
def test_campaign_that_is_not_live_does_not_answer(state: str) -> None:
    waiting()
    Campaign.objects.update(state=state)
    scenes.did(factories.member(), "view")
    answer()
    assert Journey.objects.count() == 0


def test_member_outside_the_audience_is_not_answered() -> None:
    inside, outside = factories.member(labels=("vip",)), factories.member()
    campaign = waiting()
    campaign.audience.definition = {"condition": "labelled", "label": "vip"}
    campaign.audience.save()
    for member in (inside, outside):
        scenes.did(member, "view")
    answer()
    assert scenes.fates(campaign).keys() == {inside.pk}


def test_answer_takes_a_batch_and_says_how_many() -> None:
    member = factories.member()
    for number in range(5):
        scenes.did(member, "view", reference=f"v{number}")
    assert [triggers.answer(now=NOW, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_answer_expires_like_any_message() -> None:
    member = factories.member()
    campaign = waiting()
    launching.pause(code="greeting", now=NOW)
    launching.resume(code="greeting", now=NOW)
    scenes.did(member, "view")
    answer()
    scenes.turn(NOW + timedelta(hours=25))
    assert scenes.fate(member, campaign) == ("expired", "late")


def test_check_in_with_two_answers_gives_both_its_place() -> None:
    member = factories.member()
    factories.place("peak", name="Longs Peak")
    variant = {"interest": None, "subject": "{{ place.name }}", "body": "Well walked."}
    for code in ("greeting", "tip"):
        entry = {"kind": "interaction", "interaction": "check-in"}
        scenes.live(code, channels=("inbox",), entry=entry, variants=[variant])
    scenes.did(member, "check-in", place="peak")
    scenes.turn(NOW)
    assert [message.subject for message in member.inbox.all()] == ["Longs Peak", "Longs Peak"]


def test_score_reached_is_answered_within_the_minute_and_by_its_own_campaign() -> None:
    warm, cold = factories.members(2)
    factories.score("warm", threshold=20, profile_complete=2, download=2, outing=10, click=5)
    factories.score("other", threshold=1, search=1)
    call = waiting("call", interaction="score-reached", category="warm", value_at_least=20)
    for kind in ("profile-complete", "download", "outing", "click", "click"):
        scenes.did(warm, kind, reference=kind + str(Interaction.objects.count()))
    for kind in ("profile-complete", "download", "click", "search"):
        scenes.did(cold, kind)
    scenes.turn(NOW + timedelta(seconds=30))
    assert list(Journey.objects.values_list("campaign", "member")) == [(call.pk, warm.pk)]
    assert scenes.delivery(warm).state == "sent"


def test_member_who_falls_silent_is_answered_once_and_not_before() -> None:
    member = factories.member()
    rescue = waiting("rescue", interaction="stage-changed", category="retain")
    factories.buy(member, 10)
    for days in (1, 179, 181, 182, 240):
        scenes.turn(NOW + timedelta(days=days))
        assert Journey.objects.count() == (days > 180)
    assert scenes.delivery(member, rescue).state == "sent"


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_two_workers_reach_a_threshold_once_and_lose_no_point() -> None:
    members = factories.members(5)
    factories.score(threshold=6, view=1)
    for number in range(12):
        for member in members:
            scenes.did(member, "view", reference=f"v{number}")

    def work(_: int) -> None:
        while triggers.answer(now=NOW, limit=7):
            pass

    at_once(work, callers=3)

    reached = Interaction.objects.filter(kind__slug="score-reached")
    assert sorted(reached.values_list("member", flat=True)) == [m.pk for m in members]
    assert set(MemberScore.objects.values_list("mass", "facts")) == {(12.0, 12)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_two_workers_share_the_queue_and_no_interaction() -> None:
    members = scenes.readers(60)
    waiting()
    for member in members:
        scenes.did(member, "view")

    def work(_: int) -> list[int]:
        answered = []
        while taken := triggers.answer(now=DUE, limit=7):
            answered.append(taken)
        return answered

    shares = at_once(work, callers=2)

    assert sum(map(sum, shares)) == 60
    assert UnansweredInteraction.objects.count() == 0
    assert Interaction.objects.count() == Journey.objects.count() == Delivery.objects.count() == 60
    assert set(Delivery.objects.values_list("member", flat=True)) == {m.pk for m in members}
    assert Member.objects.count() == 60
