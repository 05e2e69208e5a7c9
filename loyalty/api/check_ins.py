"""/check-ins/: having been there, one by one or after a day offline, and appealing."""

import json
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Flag, Moment, Number, Text
from config.api.problems import response_to
from config.api.serializers import StrictSerializer, read
from config.errors import Refusal
from config.nudging import nudge
from loyalty import appeals, checkins
from loyalty.models import CheckIn


class CheckInIn(StrictSerializer):
    latitude = Number(min_value=-90, max_value=90)
    longitude = Number(min_value=-180, max_value=180)
    accuracy_m = Number(min_value=0, max_value=100_000)
    occurred_at = Moment()
    place = Text(max_length=64, required=False)
    mocked = Flag(default=False)
    nonce = Text(max_length=64, required=False)


class CheckInOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(["awarded", "held", "no_award"])
    reason = serializers.CharField(help_text="A stable word")
    explanation = serializers.CharField(help_text="The reason in a sentence")
    place = serializers.CharField(allow_null=True)
    place_name = serializers.CharField(allow_null=True)
    distance_m = serializers.FloatField(allow_null=True)
    points = serializers.IntegerField()
    balance = serializers.IntegerField()


class BulkIn(StrictSerializer):
    check_ins = CheckInIn(many=True)


class ProblemOut(serializers.Serializer[Any]):
    """As `application/problem+json` has it."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class AnswerOut(serializers.Serializer[Any]):
    """What POST /check-ins/ answers to this one: 201 and the check-in, or the problem."""

    status = serializers.IntegerField()
    check_in = CheckInOut(allow_null=True)
    problem = ProblemOut(allow_null=True)


class BulkOut(serializers.Serializer[Any]):
    results = AnswerOut(many=True, help_text="In the order in which they were sent")


class OwnAppealOut(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    is_upheld = serializers.BooleanField(allow_null=True)


class OwnCheckInOut(serializers.ModelSerializer[CheckIn]):
    id = serializers.IntegerField(source="pk")
    status = serializers.ChoiceField(["awarded", "held", "no_award"])
    explanation = serializers.SerializerMethodField(help_text="The reason in a sentence")
    place = serializers.CharField(source="place.code", allow_null=True, default=None)
    place_name = serializers.CharField(source="place.name", allow_null=True, default=None)
    may_appeal = serializers.SerializerMethodField()
    appeal = serializers.SerializerMethodField()

    class Meta:
        model = CheckIn
        fields = (
            "id", "occurred_at", "status", "reason", "explanation", "place", "place_name",
            "distance_m", "points", "may_appeal", "appeal",
        )  # fmt: skip

    def get_explanation(self, row: CheckIn) -> str:
        return checkins.explain(row)

    def get_may_appeal(self, row: CheckIn) -> bool:
        return not row.appeals.all() and appeals.is_appealable(row, now=timezone.now())

    @extend_schema_field(OwnAppealOut(allow_null=True))
    def get_appeal(self, row: CheckIn) -> Any:
        made = list(row.appeals.all())
        return OwnAppealOut(made[0]).data if made else None


class AppealIn(StrictSerializer):
    text = Text(max_length=appeals.LONGEST)


class AppealOut(serializers.Serializer[Any]):
    check_in = serializers.IntegerField()
    made_at = serializers.DateTimeField()


class CheckIns(generics.ListAPIView[CheckIn]):
    """Own check-ins, newest first."""

    serializer_class = OwnCheckInOut
    ordering = "-occurred_at"
    queryset = CheckIn.objects.none()

    def get_queryset(self) -> Any:
        return appeals.of_member(callers.member_of(self.request))

    @extend_schema(request=CheckInIn, responses={201: CheckInOut})
    def post(self, request: Request) -> Response:
        report = _report(read(CheckInIn, request))
        member = callers.member_of(request)

        def check_in() -> tuple[int, dict[str, Any]]:
            judged = checkins.check_in(member=member, report=report, now=timezone.now())
            nudge("interactions")
            return 201, _shown(judged)

        return writes.answer_once(request, check_in)


class BulkCheckIns(APIView):
    @extend_schema(request=BulkIn, responses=BulkOut)
    def post(self, request: Request) -> Response:
        reports = [_report(said) for said in read(BulkIn, request)["check_ins"]]
        member = callers.member_of(request)

        def check_in() -> tuple[int, dict[str, Any]]:
            found = checkins.check_in_many(member=member, reports=reports, now=timezone.now())
            nudge("interactions")
            return 200, {"results": [_answer(one) for one in found]}

        return writes.answer_once(request, check_in)


class Appeals(APIView):
    @extend_schema(request=AppealIn, responses={201: AppealOut})
    def post(self, request: Request, check_in_id: int) -> Response:
        text = read(AppealIn, request)["text"]
        member = callers.member_of(request)

        def appeal() -> tuple[int, dict[str, Any]]:
            row = appeals.appeal(
                member=member, check_in_id=check_in_id, text=text, now=timezone.now()
            )
            return 201, {"check_in": check_in_id, "made_at": row.made_at.isoformat()}

        return writes.answer_once(request, appeal)


def _report(said: dict[str, Any]) -> checkins.Report:
    return checkins.Report(
        latitude=said["latitude"],
        longitude=said["longitude"],
        accuracy_m=said["accuracy_m"],
        occurred_at=said["occurred_at"],
        place=said.get("place", ""),
        is_mocked=said["mocked"],
        nonce=said.get("nonce", ""),
    )


def _answer(one: checkins.Judged | Refusal) -> dict[str, Any]:
    if not isinstance(one, Refusal):
        return {"status": 201, "check_in": _shown(one), "problem": None}
    told = json.loads(response_to(one).content)
    return {"status": told["status"], "check_in": None, "problem": told}


def _shown(judged: checkins.Judged) -> dict[str, Any]:
    return {
        "id": judged.check_in.pk,
        "status": str(judged.check_in.status),
        "reason": judged.check_in.reason,
        "explanation": judged.explanation,
        "place": judged.place.code if judged.place else None,
        "place_name": judged.place.name if judged.place else None,
        "distance_m": None if judged.distance_m is None else round(judged.distance_m, 1),
        "points": judged.points,
        "balance": judged.balance,
    }
