"""/interactions/ and /recommendations/: what members do, and what to show them next."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Moment, Money, Text
from config.api.serializers import StrictSerializer, read
from config.errors import Invalid
from config.nudging import nudge
from loyalty import behaviour, recommendations
from members import interests
from members.interactions import MOST_PER_CALL
from members.models import Member


class InteractionIn(StrictSerializer):
    member = Text(max_length=254, required=False, help_text="For integrators: number or e-mail")
    kind = Text(max_length=32)
    occurred_at = Moment()
    reference = Text(max_length=64, help_text="Your own name for it: sent twice, counted once")
    sku = Text(max_length=64, required=False)
    category = Text(max_length=64, required=False)
    interest = Text(max_length=40, required=False)
    place = Text(max_length=64, required=False)
    campaign = Text(max_length=64, required=False)
    value = Money(required=False)


class InteractionsIn(StrictSerializer):
    interactions = serializers.ListField(
        child=InteractionIn(), allow_empty=False, max_length=MOST_PER_CALL
    )


class RecordedOut(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    repeated = serializers.IntegerField()
    points = serializers.IntegerField(help_text="What the new ones gave, all members together")


class SuggestionOut(serializers.Serializer[Any]):
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    currency = serializers.CharField()
    reason = serializers.CharField()


class RecommendationsOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = SuggestionOut(many=True)


class Interactions(APIView):
    permission_classes = (callers.IsMember | callers.has_scope("interactions"),)

    @extend_schema(request=InteractionsIn, responses={202: RecordedOut})
    def post(self, request: Request) -> Response:
        said = read(InteractionsIn, request)["interactions"]
        reports = _reports(request, said)

        def report() -> tuple[int, dict[str, Any]]:
            recorded = behaviour.report(reports, now=timezone.now())
            nudge("interactions")
            return 202, {
                "recorded": recorded.recorded,
                "repeated": recorded.repeated,
                "points": sum(recorded.points.values()),
            }

        return writes.answer_once(request, report)


class Recommendations(APIView):
    @extend_schema(responses=RecommendationsOut)
    def get(self, request: Request) -> Response:
        member, now = callers.member_of(request), timezone.now()
        loved = [score.interest.pk for score in interests.profile(member=member, at=now)][:3]
        found = recommendations.for_member(member_id=member.pk, interests=loved, at=now)
        return Response({"next": None, "results": SuggestionOut(found, many=True).data})


def _reports(request: Request, said: list[dict[str, Any]]) -> list[behaviour.Report]:
    """Each report with its member: the caller, or, of an integrator, the one it names."""
    if isinstance(request.auth, Member):
        for number, item in enumerate(said):
            if "member" in item:
                raise Invalid(
                    "A member reports of themself only.", pointer=f"/interactions/{number}/member"
                )
        return [behaviour.Report(member_id=request.auth.pk, **item) for item in said]
    named = {item["member"]: None for item in said if item.get("member")}
    known = Member.objects.present().ids_of(list(named))
    reports = []
    for number, item in enumerate(said):
        member_id = known.get(item.get("member", ""))
        if member_id is None:
            raise Invalid("There is no such member.", pointer=f"/interactions/{number}/member")
        rest = {key: value for key, value in item.items() if key != "member"}
        reports.append(behaviour.Report(member_id=member_id, **rest))
    return reports
