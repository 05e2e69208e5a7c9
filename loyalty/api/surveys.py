"""/surveys/: what we would like to know, and saying it."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.serializers import StrictSerializer, read
from config.nudging import nudge
from loyalty import questionnaires
from members import surveys
from members.models import Question
from members.models import Survey as SurveyRow


class SurveyOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(SurveyRow.Kind.choices)
    closes_at = serializers.DateTimeField(allow_null=True)
    points = serializers.IntegerField(help_text="What answering gives the member")


class SurveysOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = SurveyOut(many=True)


class OptionOut(serializers.Serializer[Any]):
    value = serializers.CharField()
    name = serializers.CharField()


class QuestionOut(serializers.Serializer[Any]):
    key = serializers.SlugField()
    text = serializers.CharField()
    kind = serializers.ChoiceField(Question.Kind.choices)
    options = OptionOut(many=True)
    is_required = serializers.BooleanField()


class SurveyAskedOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    title = serializers.CharField()
    introduction = serializers.CharField()
    is_answered = serializers.BooleanField(help_text="Done, until it is time to ask again")
    questions = QuestionOut(many=True)


class AnswersIn(StrictSerializer):
    answers = serializers.DictField(
        allow_empty=False,
        help_text="By the question's key: one of the options, a list of some of them, a number"
        " from 0 to 10, or a text.",
    )


class AnsweredOut(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    balance = serializers.IntegerField()


class Surveys(APIView):
    @extend_schema(operation_id="surveys_list", responses=SurveysOut)
    def get(self, request: Request) -> Response:
        found = questionnaires.offered(member=callers.member_of(request), now=timezone.now())
        shown = [
            {
                "slug": one.survey.slug,
                "title": one.survey.title,
                "kind": one.survey.kind,
                "closes_at": one.survey.closes_at,
                "points": one.points,
            }
            for one in found
        ]
        return Response({"next": None, "results": SurveyOut(shown, many=True).data})


class Survey(APIView):
    @extend_schema(responses=SurveyAskedOut)
    def get(self, request: Request, slug: str) -> Response:
        member = callers.member_of(request)
        return Response(_shown(surveys.ask(slug=slug, member=member, now=timezone.now())))

    @extend_schema(request=AnswersIn, responses={201: AnsweredOut})
    def post(self, request: Request, slug: str) -> Response:
        said = read(AnswersIn, request)["answers"]
        member = callers.member_of(request)

        def answer() -> tuple[int, dict[str, Any]]:
            done = questionnaires.answer(member=member, slug=slug, answers=said, now=timezone.now())
            nudge("interactions")
            return 201, {"points": done.points, "balance": done.balance}

        return writes.answer_once(request, answer)


def _shown(asked: surveys.Asked) -> dict[str, Any]:
    return {
        "slug": asked.survey.slug,
        "title": asked.survey.title,
        "introduction": asked.survey.introduction,
        "is_answered": asked.is_answered,
        "questions": [
            {
                "key": question.key,
                "text": question.text,
                "kind": question.kind,
                "options": [{"value": v, "name": name} for v, name in asked.options[question.pk]],
                "is_required": question.is_required,
            }
            for question in asked.questions
        ],
    }
