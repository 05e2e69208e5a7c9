"""Surveys: who may answer when, what an answer is, what it teaches, and how it is counted."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from config.errors import Invalid, NotFound
from members import interests, survey_results, surveys
from members.models import Answer, Interaction, Member, Submission, Survey
from tests import factories
from tests.factories import NOW

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def submit(by: Member, slug: str = "feedback", *, now: Any = NOW, **answers: Any) -> Submission:
    said = answers or {"score": 9}
    return surveys.submit(member=by, slug=slug, answers=said, now=now)[0]


def waiting(of: Member, *, now: Any = NOW) -> list[str]:
    return [one.slug for one in surveys.open_to(member=of, now=now)]


# --- Who and when ------------------------------------------------------------------------------
def test_survey_is_answered_once(alex: Member) -> None:
    factories.survey()
    assert waiting(alex) == ["feedback"]
    submit(alex)
    assert waiting(alex) == []
    with pytest.raises(surveys.SurveyAnswered):
        submit(alex, now=NOW + 999 * DAY)
    assert submit(factories.member()).round == 1


def test_survey_may_be_answered_again_after_its_days(alex: Member) -> None:
    factories.survey(repeat_days=30)
    submit(alex)
    with pytest.raises(surveys.SurveyAnswered):
        submit(alex, now=NOW + 30 * DAY - timedelta(seconds=1))
    assert submit(alex, now=NOW + 30 * DAY).round == 2


@pytest.mark.parametrize(
    "said",
    [{"is_open": False}, {"opens_at": NOW + DAY}, {"closes_at": NOW}],
)
def test_closed_survey_is_not_found(alex: Member, said: dict[str, Any]) -> None:
    factories.survey(**said)
    assert waiting(alex) == []
    with pytest.raises(NotFound):
        submit(alex)


def test_open_surveys_cost_one_query(alex: Member, django_assert_num_queries: Any) -> None:
    for number in range(10):
        factories.survey(f"s{number}")
    with django_assert_num_queries(1):
        assert len(waiting(alex)) == 10


# --- What an answer is -------------------------------------------------------------------------
@pytest.fixture
def asked(alex: Member) -> Survey:
    return factories.survey(
        "asked",
        {"key": "one", "kind": "choice", "options": ["a", "b"], "is_required": False},
        {"key": "some", "kind": "multiple", "options": ["a", "b"], "is_required": False},
        {"key": "number", "kind": "scale", "is_required": False},
        {"key": "words", "kind": "text", "is_required": False},
        {"key": "loves", "kind": "interest", "options": ["hiking", "snow"], "is_required": False},
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("one", "c"), ("one", ["a"]), ("one", None), ("some", "a"), ("some", []),
        ("some", ["a", "a"]), ("some", ["a", "c"]), ("some", [{}]), ("number", 11),
        ("number", -1), ("number", True), ("number", Decimal("1.5")), ("number", "7"),
        ("words", " "), ("words", "x" * 2_001), ("words", 5), ("loves", ["climbing"]),
        ("loves", ["hiking", None]), ("unknown", 1),
    ],
)  # fmt: skip
def test_answer_that_cannot_be_is_refused_by_name(
    key: str, said: Any, alex: Member, asked: Survey
) -> None:
    with pytest.raises(Invalid) as refused:
        submit(alex, "asked", **{key: said})
    assert refused.value.pointer == f"/answers/{key}"
    assert not Submission.objects.exists()


def test_what_is_required_must_be_answered(alex: Member) -> None:
    factories.survey()
    with pytest.raises(Invalid) as refused:
        submit(alex, loves=["hiking"])
    assert refused.value.pointer == "/answers/score"


def test_nothing_at_all_is_no_answer(alex: Member, asked: Survey) -> None:
    with pytest.raises(Invalid):
        surveys.submit(member=alex, slug="asked", answers={}, now=NOW)


def test_every_kind_of_answer_is_kept(alex: Member, asked: Survey) -> None:
    submit(alex, "asked", one="b", some=["b", "a"], number=0, words=" Hm. ", loves=["snow"])
    rows = Answer.objects.order_by("question__position").values_list("options", "score", "text")
    assert list(rows) == [
        (["b"], None, ""), (["b", "a"], None, ""), ([], 0, ""), ([], None, "Hm."),
        (["snow"], None, ""),
    ]  # fmt: skip


def test_interests_without_options_offers_all_of_them(alex: Member) -> None:
    factories.survey()
    asked = surveys.ask(slug="feedback", member=alex, now=NOW)
    offered = [value for value, _ in asked.options[asked.questions[1].pk]]
    assert offered == ["camping", "climbing", "hiking", "snow", "trail-running"]


# --- What it tells -----------------------------------------------------------------------------
def test_each_time_is_an_interaction_with_the_score_in_it(alex: Member) -> None:
    factories.survey(repeat_days=1)
    submit(alex, score=3)
    submit(alex, score=10, now=NOW + DAY)
    rows = Interaction.objects.filter(kind__slug="survey").order_by("occurred_at")
    said = [(row.category, row.value) for row in rows]
    assert said == [("feedback", Decimal(3)), ("feedback", Decimal(10))]


def test_interests_that_are_ticked_are_learnt(alex: Member) -> None:
    factories.survey()
    submit(alex, score=9, loves=["snow"])
    (score,) = interests.profile(member=alex, at=NOW)
    assert (score.interest.slug, [e.kind for e in score.evidence]) == ("snow", ["survey-answer"])


# --- Counting ----------------------------------------------------------------------------------
def test_answers_are_counted_by_option_and_scale(asked: Survey) -> None:
    said: list[dict[str, Any]] = [
        {"some": ["a", "b"], "number": 10}, {"some": ["a"], "number": 9},
        {"number": 7}, {"number": 6, "words": "Too wet."},
    ]  # fmt: skip
    for answers in said:
        submit(factories.member(), "asked", **answers)
    tallies = survey_results.tally(survey=asked, submissions=Submission.objects.all())
    found = {one.question.key: one for one in tallies}
    assert found["one"].answers == 0
    assert found["some"].options == [("a", 2, 100), ("b", 1, 50)]
    number = found["number"]
    assert (number.answers, number.mean, number.net_promoters) == (4, 8.0, 25)
    assert found["words"].texts == ["Too wet."]


def test_only_the_submissions_given_are_counted(alex: Member, asked: Survey) -> None:
    submit(alex, "asked", number=1)
    submit(factories.member(), "asked", number=9)
    mine = Submission.objects.filter(member=alex)
    tallies = survey_results.tally(survey=asked, submissions=mine)
    assert [(one.answers, one.mean) for one in tallies if one.question.key == "number"] == [(1, 1)]


def test_file_has_a_row_for_each_time(alex: Member, asked: Survey) -> None:
    submit(alex, "asked", some=["b", "a"], words="Fine")
    header, rows = survey_results.table(survey=asked, submissions=Submission.objects.all())
    assert header == ["member", "submitted_at", "one", "some", "number", "words", "loves"]
    assert list(rows) == [[alex.number, NOW, None, "b; a", None, "Fine", None]]
