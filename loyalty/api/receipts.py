"""/receipts/claims/: a member claims what they bought as a guest."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import callers, writes
from config.api.fields import Text
from config.api.guessing import CodeView
from config.api.serializers import StrictSerializer, read
from config.nudging import nudge
from loyalty import claims
from loyalty.api.baskets import AwardOut


class ClaimIn(StrictSerializer):
    code = Text(max_length=40, help_text="As printed on the receipt")


class ClaimOut(serializers.Serializer[Any]):
    reference = serializers.CharField()
    awards = AwardOut(many=True)
    points = serializers.IntegerField(help_text="Less what came back before the claim")
    balance = serializers.IntegerField()


class Claims(CodeView):
    @extend_schema(request=ClaimIn, responses={201: ClaimOut})
    def post(self, request: Request) -> Response:
        code = read(ClaimIn, request)["code"]
        member = callers.member_of(request)

        def claim() -> tuple[int, dict[str, Any]]:
            reference, receipt = claims.claim(member=member, code=code, now=timezone.now())
            nudge("interactions")
            return 201, {
                "reference": reference,
                "awards": [asdict(award) for award in receipt.awards],
                "points": receipt.points,
                "balance": receipt.balance,
            }

        return writes.answer_once(request, claim)
