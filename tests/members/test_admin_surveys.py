"""The marketer's door to surveys: write one with its questions, read what was answered."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from members import surveys
from members.models import Question, Store, Survey
from tests import factories
from tests.factories import NOW
from tests.staff import SignIn

pytestmark = pytest.mark.django_db


def typed(*questions: dict[str, Any], **said: Any) -> dict[str, Any]:
    """The form of a new survey, as a browser sends it."""
    sent: dict[str, Any] = {
        "title": "How was it?", "slug": "how", "kind": "satisfaction", "is_open": "on",
        "questions-TOTAL_FORMS": len(questions), "questions-INITIAL_FORMS": 0, **said,
    }  # fmt: skip
    for number, one in enumerate(questions):
        facts = {"position": number + 1, "text": "?", "is_required": "on", **one}
        sent |= {f"questions-{number}-{name}": value for name, value in facts.items()}
    return sent


ADD = "admin:members_survey_add"


def test_survey_is_written_with_its_questions(marketer: Client) -> None:
    form = typed(
        {"key": "score", "kind": "scale"},
        {"key": "best", "kind": "choice", "options": "Boots\r\nTents\r\n"},
    )
    assert marketer.post(reverse(ADD), form).status_code == 302
    rows = Question.objects.values_list("key", "kind", "options")
    assert list(rows) == [("score", "scale", []), ("best", "choice", ["Boots", "Tents"])]


@pytest.mark.parametrize(
    "question",
    [
        {"kind": "choice"},
        {"kind": "multiple", "options": "a\na"},
        {"kind": "interest", "options": "chess"},
        {"kind": "scale", "options": "a"},
    ],
)
def test_question_that_cannot_be_is_refused_in_the_form(
    question: dict[str, str], marketer: Client
) -> None:
    answer = marketer.post(reverse(ADD), typed({"key": "q", **question}))
    assert answer.status_code == 200
    assert not Survey.objects.exists()


def test_survey_that_closes_before_it_opens_is_refused(marketer: Client) -> None:
    times = {
        "opens_at_0": "2027-03-02", "opens_at_1": "10:00",
        "closes_at_0": "2027-03-01", "closes_at_1": "10:00",
    }  # fmt: skip
    assert marketer.post(reverse(ADD), typed(**times)).status_code == 200
    assert not Survey.objects.exists()


# --- Results -----------------------------------------------------------------------------------
@pytest.fixture
def answered() -> Survey:
    survey = factories.survey(
        "feedback", {"key": "score", "kind": "scale"}, {"key": "why", "kind": "text"}
    )
    for code, why in (("denver", "<b>Wet</b>"), ("boulder", "=SUM(1)")):
        member = factories.member(home_store=factories.store(code))
        said = {"score": 9, "why": why}
        surveys.submit(member=member, slug="feedback", answers=said, now=NOW)
    return survey


def page(name: str, of: Survey) -> str:
    return reverse(f"admin:members_survey_{name}", args=[of.pk])


def test_answers_are_counted_and_words_shown_escaped(answered: Survey, marketer: Client) -> None:
    said = marketer.get(page("results", answered)).content.decode()
    assert "9.0 of 10" in said
    assert "&lt;b&gt;Wet&lt;/b&gt;" in said
    assert "<b>Wet" not in said


def test_somebody_with_a_store_counts_its_members_only(answered: Survey, sign_in: SignIn) -> None:
    client = sign_in("Marketer", store=Store.objects.get(code="denver"))
    context = client.get(page("results", answered)).context
    assert (context["times"], context["tallies"][1].texts) == (1, ["<b>Wet</b>"])
    rows = b"".join(client.get(page("export", answered))).decode().splitlines()
    assert len(rows) == 2


def test_export_runs_no_formula(answered: Survey, marketer: Client) -> None:
    rows = b"".join(marketer.get(page("export", answered))).decode().splitlines()
    assert rows[0] == "member,submitted_at,score,why"
    assert rows[2].endswith(",9,'=SUM(1)")


@pytest.mark.parametrize("name", ["results", "export", "change"])
def test_clerk_does_not_see_surveys(name: str, answered: Survey, sign_in: SignIn) -> None:
    client = sign_in("Clerk", store=Store.objects.get(code="denver"))
    assert client.get(page(name, answered)).status_code == 403


def test_list_opens(answered: Survey, marketer: Client) -> None:
    answer = marketer.get(reverse("admin:members_survey_changelist"))
    assert answer.context["cl"].result_list[0].times == 2
    assert marketer.get(page("change", answered)).status_code == 200


def test_question_that_was_answered_stays_of_its_kind(answered: Survey, marketer: Client) -> None:
    score = answered.questions.get(key="score")
    form = typed(
        {"key": "score", "kind": "text", "id": score.pk, "survey": answered.pk},
        title="Feedback",
    )
    marketer.post(page("change", answered), {**form, "questions-INITIAL_FORMS": 1})
    score.refresh_from_db()
    assert score.kind == "scale"
