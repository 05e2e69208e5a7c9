"""Asking members and counting what they answer.

A survey is answered once per member, or again after so many days; of two at the same moment one is
refused (`survey_answered_once_per_round`). Each time is an interaction `survey` whose category is
the survey's slug and whose value is the first score given, so that campaigns can answer good and
bad ones; what is said of interests is a `survey-answer` that teaches them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from config.errors import Invalid, NotFound, Refusal
from members import interactions
from members.models import Answer, Interest, Member, Question, Submission, Survey

HIGHEST = 10
LONGEST = 2_000


class SurveyAnswered(Refusal):
    """This member has answered it, and it is not time to ask again."""

    code = "survey_answered"
    status = 409


@dataclass(frozen=True, slots=True)
class Asked:
    """A survey put to one member. `options` of each question: (what to send, what to show)."""

    survey: Survey
    questions: list[Question]
    options: dict[int, list[tuple[str, str]]]
    is_answered: bool


def open_to(*, member: Member, now: datetime) -> list[Survey]:
    """The surveys this member may answer now, in one query."""
    return [one for one in _open(now, member=member) if _may_answer(one, now=now)]


def ask(*, slug: str, member: Member, now: datetime) -> Asked:
    """An open survey with its questions, and whether this member is done with it."""
    survey = _open(now, member=member).filter(slug=slug).first()
    if survey is None:
        raise NotFound(f"There is no open survey '{slug}'.")
    questions = list(survey.questions.all())
    return Asked(survey, questions, _options(questions), not _may_answer(survey, now=now))


def _options(questions: Sequence[Question]) -> dict[int, list[tuple[str, str]]]:
    names: dict[str, str] = {}
    if any(question.kind == Question.Kind.INTEREST for question in questions):
        names = dict(Interest.objects.order_by("name").values_list("slug", "name"))
    offered: dict[int, list[tuple[str, str]]] = {}
    for question in questions:
        if question.kind == Question.Kind.INTEREST:
            asked = [slug for slug in question.options if slug in names] or list(names)
            offered[question.pk] = [(slug, names[slug]) for slug in asked]
        else:
            offered[question.pk] = [(option, option) for option in question.options]
    return offered


def submit(
    *, member: Member, slug: str, answers: Mapping[str, Any], now: datetime
) -> tuple[Submission, list[str]]:
    """Record what a member answered, {key: value}; the submission and the interests it taught.

    `Invalid` names the question; `SurveyAnswered` when it is not this member's turn.
    """
    asked = ask(slug=slug, member=member, now=now)
    if asked.is_answered:
        raise SurveyAnswered("You have answered this survey already.")
    given = _checked(asked, answers)
    before = Submission.objects.filter(survey=asked.survey, member=member).count()
    submission = Submission(survey=asked.survey, member=member, round=before + 1, submitted_at=now)
    taught = [
        slug
        for answer in given
        if answer.question.kind == Question.Kind.INTEREST
        for slug in answer.options
    ]
    try:
        with transaction.atomic():
            submission.save(force_insert=True)
            for answer in given:
                answer.submission = submission
            Answer.objects.bulk_create(given)
            interactions.record(_facts(submission, given, taught, now=now), now=now)
    except IntegrityError as error:
        raise SurveyAnswered("You have answered this survey already.") from error
    return submission, taught


def _facts(
    submission: Submission, given: Sequence[Answer], taught: Sequence[str], *, now: datetime
) -> list[interactions.Fact]:
    slug = submission.survey.slug
    score = next((answer.score for answer in given if answer.score is not None), None)
    facts = [
        interactions.Fact(
            member_id=submission.member_id,
            kind="survey",
            occurred_at=now,
            reference=f"{slug}:{submission.round}",
            category=slug,
            value=None if score is None else Decimal(score),
        )
    ]
    if taught:
        ids = Interest.objects.filter(slug__in=taught).values_list("pk", flat=True)
        facts.append(
            interactions.Fact(
                member_id=submission.member_id,
                kind="survey-answer",
                occurred_at=now,
                reference=f"{slug}:{submission.round}",
                interest_ids=tuple(ids),
                category=slug,
            )
        )
    return facts


def _open(now: datetime, *, member: Member) -> QuerySet[Survey]:
    """The surveys that are open, each with when this member last answered it."""
    mine = Submission.objects.filter(survey=OuterRef("pk"), member=member).order_by("-round")
    return Survey.objects.filter(
        Q(opens_at__isnull=True) | Q(opens_at__lte=now),
        Q(closes_at__isnull=True) | Q(closes_at__gt=now),
        is_open=True,
    ).annotate(last_at=Subquery(mine.values("submitted_at")[:1]))


def _may_answer(survey: Any, *, now: datetime) -> bool:
    if survey.last_at is None:
        return True
    days = survey.repeat_days
    return days is not None and now >= survey.last_at + timedelta(days=days)


# --- One answer --------------------------------------------------------------------------------
def _checked(asked: Asked, answers: Mapping[str, Any]) -> list[Answer]:
    """The answers as rows, in the order of the questions. `Invalid` names what cannot be."""
    for key in sorted(answers.keys() - {question.key for question in asked.questions}):
        raise Invalid("There is no such question.", pointer=f"/answers/{key}")
    given = []
    for question in asked.questions:
        where = f"/answers/{question.key}"
        if question.key not in answers:
            if question.is_required:
                raise Invalid("This question wants an answer.", pointer=where)
            continue
        options = [option for option, _ in asked.options[question.pk]]
        answer = _SAID[question.kind](answers[question.key], options)
        if answer is None:
            raise Invalid(_WANTED[question.kind], pointer=where)
        answer.question = question
        given.append(answer)
    if not given:
        raise Invalid("Answer at least one question.", pointer="/answers")
    return given


def _choice(said: Any, options: Sequence[str]) -> Answer | None:
    return Answer(options=[said]) if isinstance(said, str) and said in options else None


def _multiple(said: Any, options: Sequence[str]) -> Answer | None:
    if not isinstance(said, list) or not 0 < len(said) <= len(options):
        return None
    is_fine = all(isinstance(one, str) and one in options for one in said)
    return Answer(options=said) if is_fine and len(set(said)) == len(said) else None


def _scale(said: Any, options: Sequence[str]) -> Answer | None:
    is_whole = isinstance(said, int) and not isinstance(said, bool)
    return Answer(score=said) if is_whole and 0 <= said <= HIGHEST else None


def _text(said: Any, options: Sequence[str]) -> Answer | None:
    words = said.strip() if isinstance(said, str) else ""
    return Answer(text=words) if 0 < len(words) <= LONGEST else None


_SAID: dict[str, Callable[[Any, Sequence[str]], Answer | None]] = {
    Question.Kind.CHOICE: _choice,
    Question.Kind.MULTIPLE: _multiple,
    Question.Kind.INTEREST: _multiple,
    Question.Kind.SCALE: _scale,
    Question.Kind.TEXT: _text,
}
_WANTED: dict[str, str] = {
    Question.Kind.CHOICE: "This wants one of its options.",
    Question.Kind.MULTIPLE: "This wants a list of some of its options, each once.",
    Question.Kind.INTEREST: "This wants a list of some of its interests, each once.",
    Question.Kind.SCALE: f"This wants a whole number from 0 to {HIGHEST}.",
    Question.Kind.TEXT: f"This wants a text of at most {LONGEST:,} characters.",
}
