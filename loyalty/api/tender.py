"""/points/: points that a till sets aside for a payment, for minutes or for a day offline."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text, Whole
from config.api.serializers import StrictSerializer, read
from config.errors import Invalid
from loyalty import tender
from loyalty.models import Hold
from members.models import Member

MOST_POINTS = 2**31 - 1


class HoldIn(StrictSerializer):
    member = Text(max_length=254, help_text="Number or e-mail")
    points = Whole(min_value=1, max_value=MOST_POINTS)
    minutes = Whole(min_value=1, max_value=30, required=False, help_text="10 unless said")


class AllowanceIn(StrictSerializer):
    member = Text(max_length=254, help_text="Number or e-mail")
    points = Whole(min_value=1, max_value=MOST_POINTS)
    hours = Whole(min_value=1, max_value=72, required=False, help_text="24 unless said")


class HoldOut(serializers.Serializer[Any]):
    hold = serializers.UUIDField(help_text="Name it as `points_hold` in the purchase")
    points = serializers.IntegerField()
    value = serializers.CharField(help_text="The money they pay")
    currency = serializers.CharField()
    state = serializers.ChoiceField(Hold.State.choices)
    valid_until = serializers.DateTimeField()


class AllowanceOut(HoldOut):
    allowance = serializers.CharField(help_text="Signed (JWT, EdDSA): may stand for `points_hold`")


class Holds(APIView):
    permission_classes = (callers.has_scope("vouchers"),)

    @extend_schema(request=HoldIn, responses={201: HoldOut})
    def post(self, request: Request) -> Response:
        said = read(HoldIn, request)
        till = callers.key_of(request).prefix

        def hold() -> tuple[int, dict[str, Any]]:
            held = tender.hold(
                member=_named(said["member"]),
                points=said["points"],
                till=till,
                minutes=said.get("minutes", 10),
                now=timezone.now(),
            )
            return 201, _shown(held)

        return writes.answer_once(request, hold)


class HoldRelease(APIView):
    permission_classes = (callers.has_scope("vouchers"),)

    @extend_schema(request=None, responses=HoldOut)
    def post(self, request: Request, hold: str) -> Response:
        till = callers.key_of(request).prefix

        def release() -> tuple[int, dict[str, Any]]:
            return 200, _shown(tender.release(hold_id=hold, till=till, now=timezone.now()))

        return writes.answer_once(request, release)


class Allowances(APIView):
    permission_classes = (callers.has_scope("vouchers"),)

    @extend_schema(request=AllowanceIn, responses={201: AllowanceOut})
    def post(self, request: Request) -> Response:
        said = read(AllowanceIn, request)
        till = callers.key_of(request).prefix

        def allow() -> tuple[int, dict[str, Any]]:
            held = tender.allow(
                member=_named(said["member"]),
                points=said["points"],
                till=till,
                hours=said.get("hours", 24),
                now=timezone.now(),
            )
            return 201, {**_shown(held), "allowance": tender.signed(held)}

        return writes.answer_once(request, allow)


class AllowanceKey(APIView):
    """The public key with which a till checks an allowance while it is offline."""

    permission_classes = (callers.has_scope("vouchers"),)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"keys": [tender.public_key()]})


def _named(name: str) -> Member:
    member = Member.objects.present().named(name).first()
    if member is None:
        raise Invalid("There is no such member.", pointer="/member")
    return member


def _shown(held: Hold) -> dict[str, Any]:
    return {
        "hold": str(held.pk),
        "points": held.points,
        "value": str(held.value),
        "currency": held.currency,
        "state": str(held.state),
        "valid_until": held.valid_until.isoformat(),
    }
