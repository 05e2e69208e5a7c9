"""Counting what was answered: by option, the mean of a scale, and the net promoter score.

The score is the share of 9s and 10s less the share of 0 to 6, in points from -100 to 100
(Reichheld, The One Number You Need to Grow, Harvard Business Review, December 2003).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Avg, Count, F, Func, Q, QuerySet

from members.models import Answer, Question, Submission, Survey

PROMOTERS, DETRACTORS = 9, 6
TEXTS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One question's answers; `options` are (option, how many, share 0 to 100), as asked."""

    question: Question
    answers: int
    options: list[tuple[str, int, int]] = field(default_factory=list)
    mean: float | None = None
    net_promoters: int | None = None
    texts: list[str] = field(default_factory=list)


def tally(*, survey: Survey, submissions: QuerySet[Submission]) -> list[Tally]:
    """Count the answers of these submissions, question by question."""
    answers = Answer.objects.filter(submission__in=submissions, question__survey=survey)
    asked = list(survey.questions.all())
    totals = {
        row["question"]: row
        for row in answers.order_by()
        .values("question")
        .annotate(
            count=Count("pk"),
            mean=Avg("score"),
            promoters=Count("pk", filter=Q(score__gte=PROMOTERS)),
            detractors=Count("pk", filter=Q(score__lte=DETRACTORS)),
        )
    }
    ticked: dict[int, dict[str, int]] = {}
    chosen = answers.order_by().annotate(one=Func(F("options"), function="unnest"))
    for pk, option, count in chosen.values_list("question", "one").annotate(n=Count("pk")):
        ticked.setdefault(pk, {})[option] = count
    return [
        _tally(question, totals.get(question.pk), ticked.get(question.pk, {}), answers)
        for question in asked
    ]


def table(
    *, survey: Survey, submissions: QuerySet[Submission]
) -> tuple[list[str], Iterator[list[object]]]:
    """The header and the rows of a file: one row for each time somebody answered."""
    asked = list(survey.questions.all())
    rows = submissions.select_related("member").prefetch_related("answers").order_by("pk")
    header = ["member", "submitted_at", *(question.key for question in asked)]
    return header, (_row(one, asked) for one in rows.iterator(chunk_size=2_000))


def _tally(
    question: Question,
    total: Mapping[str, Any] | None,
    ticked: dict[str, int],
    answers: QuerySet[Answer],
) -> Tally:
    if total is None:
        return Tally(question=question, answers=0)
    count = total["count"]
    names = [*question.options, *sorted(ticked.keys() - set(question.options))]
    is_scale, is_text = question.kind == Question.Kind.SCALE, question.kind == Question.Kind.TEXT
    texts = answers.filter(question=question).order_by("-pk").values_list("text", flat=True)
    return Tally(
        question=question,
        answers=count,
        options=[
            (name, ticked.get(name, 0), round(100 * ticked.get(name, 0) / count)) for name in names
        ],
        mean=round(float(total["mean"]), 1) if is_scale else None,
        net_promoters=round(100 * (total["promoters"] - total["detractors"]) / count)
        if is_scale
        else None,
        texts=list(texts[:TEXTS_SHOWN]) if is_text else [],
    )


def _row(submission: Submission, asked: list[Question]) -> list[object]:
    said = {answer.question_id: answer for answer in submission.answers.all()}
    return [
        submission.member.number,
        submission.submitted_at,
        *(_cell(said.get(question.pk)) for question in asked),
    ]


def _cell(answer: Answer | None) -> object:
    if answer is None:
        return None
    return answer.score if answer.score is not None else answer.text or "; ".join(answer.options)
