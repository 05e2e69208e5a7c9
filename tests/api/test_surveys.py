"""/surveys/: what waits for the member, its questions, and the points for saying it."""

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from members.models import Member, Submission, Survey
from tests import factories

SURVEYS = "/api/v1/surveys/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alex() -> Member:
    cache.clear()
    return factories.member()


def answer(by: APIClient, **answers: Any) -> Any:
    return by.post(f"{SURVEYS}feedback/", {"answers": answers})


def test_list_shows_what_waits_and_what_it_gives(alex: Member, phone: APIClient) -> None:
    factories.survey()
    factories.survey("closed", is_open=False)
    factories.rule(fact="survey", subjects=["feedback"], points=20)
    assert phone.get(SURVEYS).json() == {
        "next": None,
        "results": [
            {
                "slug": "feedback", "title": "Feedback", "kind": "other", "closes_at": None,
                "points": 20,
            }
        ],
    }  # fmt: skip
    answer(phone, score=9)
    assert phone.get(SURVEYS).json()["results"] == []


def test_list_costs_the_same_for_many(phone: APIClient, django_assert_num_queries: Any) -> None:
    for many in (1, 9):
        for number in range(many):
            factories.survey(f"s{many}-{number}")
        with django_assert_num_queries(4):
            phone.get(SURVEYS)


def test_questions_come_with_their_options(phone: APIClient) -> None:
    choice = {"key": "best", "kind": "choice", "options": ["Boots", "Tents"]}
    factories.survey("feedback", choice)
    said = phone.get(f"{SURVEYS}feedback/").json()
    assert said == {
        "slug": "feedback", "title": "Feedback", "introduction": "", "is_answered": False,
        "questions": [
            {
                "key": "best", "text": "Best?", "kind": "choice", "is_required": True,
                "options": [
                    {"value": "Boots", "name": "Boots"}, {"value": "Tents", "name": "Tents"},
                ],
            }
        ],
    }  # fmt: skip


def test_answers_earn_once(phone: APIClient) -> None:
    factories.survey()
    factories.rule(fact="survey", subjects=["feedback"], points=20)
    done = answer(phone, score=9)
    assert (done.status_code, done.json()) == (201, {"points": 20, "balance": 20})
    again = answer(phone, score=9)
    assert (again.status_code, again.json()["code"]) == (409, "survey_answered")
    assert phone.get(f"{SURVEYS}feedback/").json()["is_answered"]


def test_survey_that_no_rule_names_earns_nothing(phone: APIClient) -> None:
    factories.survey()
    factories.rule(fact="survey", subjects=["other"], points=20)
    assert answer(phone, score=9).json() == {"points": 0, "balance": 0}


def test_rule_may_ask_for_an_interest_that_was_ticked(phone: APIClient) -> None:
    factories.survey(repeat_days=1)
    factories.rule(fact="survey", interests=["snow"], points=20)
    assert answer(phone, score=9, loves=["snow"]).json()["points"] == 20


@pytest.mark.parametrize("slug", ["nothing", "closed", "x" * 300])
def test_survey_that_is_not_open_is_not_found(phone: APIClient, slug: str) -> None:
    factories.survey("closed", is_open=False)
    assert phone.get(f"{SURVEYS}{slug}/").status_code == 404
    assert phone.post(f"{SURVEYS}{slug}/", {"answers": {"score": 1}}).status_code == 404
    assert not Submission.objects.exists()


def test_starting_rule_for_surveys_is_a_draft(phone: APIClient) -> None:
    factories.survey()
    assert answer(phone, score=9).json()["points"] == 0
    assert Survey.objects.count() == 1
