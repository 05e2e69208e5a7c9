"""/me/referral/: the code a member passes on, and what came of it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers
from loyalty import referrals


class ReferralOut(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For `referred_by`, when a friend is enrolled")
    came = serializers.IntegerField(help_text="How many joined with it")
    counted = serializers.IntegerField(help_text="How many of them kept a purchase")
    points = serializers.IntegerField(help_text="What that has given so far")


class MyReferral(APIView):
    @extend_schema(responses=ReferralOut)
    def get(self, request: Request) -> Response:
        return Response(ReferralOut(referrals.standing(member=callers.member_of(request))).data)
