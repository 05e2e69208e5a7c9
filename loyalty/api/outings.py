"""/outings/: what is on, signing up for it, and having been there."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text
from config.api.guessing import CodeView
from config.api.serializers import StrictSerializer, read
from config.nudging import nudge
from loyalty import outings


class OutingOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    place = serializers.CharField(allow_null=True)
    store = serializers.CharField(allow_null=True)
    interests = serializers.ListField(child=serializers.SlugField())
    seats_left = serializers.IntegerField(allow_null=True, help_text="Null: no limit")
    points = serializers.IntegerField(help_text="What coming gives the member")
    registration = serializers.ChoiceField(
        ["registered", "waiting", "cancelled", "attended"], allow_null=True
    )


class OutingsOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = OutingOut(many=True)


class RegistrationOut(serializers.Serializer[Any]):
    outing = serializers.CharField()
    state = serializers.ChoiceField(["registered", "waiting", "attended"])


class AttendanceIn(StrictSerializer):
    code = Text(max_length=40, help_text="As shown at the outing; it changes every minute")


class AttendanceOut(serializers.Serializer[Any]):
    outing = serializers.CharField()
    points = serializers.IntegerField()
    balance = serializers.IntegerField()


class Outings(APIView):
    @extend_schema(responses=OutingsOut)
    def get(self, request: Request) -> Response:
        found = outings.upcoming(member=callers.member_of(request), now=timezone.now())
        return Response({"next": None, "results": [_shown(one) for one in found]})


class Registrations(APIView):
    @extend_schema(request=None, responses={201: RegistrationOut})
    def post(self, request: Request, code: str) -> Response:
        member = callers.member_of(request)

        def register() -> tuple[int, dict[str, Any]]:
            row = outings.register(member=member, code=code, now=timezone.now())
            return 201, {"outing": code, "state": str(row.state)}

        return writes.answer_once(request, register)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, code: str) -> Response:
        member = callers.member_of(request)

        def withdraw() -> tuple[int, dict[str, Any]]:
            outings.withdraw(member=member, code=code)
            return 204, {}

        return writes.answer_once(request, withdraw)


class Attendance(CodeView):
    @extend_schema(request=AttendanceIn, responses={201: AttendanceOut, 200: AttendanceOut})
    def post(self, request: Request, code: str) -> Response:
        said = read(AttendanceIn, request)
        member = callers.member_of(request)

        def attend() -> tuple[int, dict[str, Any]]:
            came = outings.attend(member=member, code=code, proof=said["code"], now=timezone.now())
            nudge("interactions")
            return 201 if came.is_new else 200, {
                "outing": code,
                "points": came.registration.points,
                "balance": came.balance,
            }

        return writes.answer_once(request, attend)


def _shown(one: outings.Listed) -> dict[str, Any]:
    outing = one.outing
    return {
        "code": outing.code,
        "name": outing.name,
        "description": outing.description,
        "starts_at": outing.starts_at.isoformat(),
        "ends_at": outing.ends_at.isoformat(),
        "place": outing.place.code if outing.place else None,
        "store": outing.store.code if outing.store else None,
        "interests": one.interests,
        "seats_left": one.seats_left,
        "points": one.points,
        "registration": one.mine,
    }
