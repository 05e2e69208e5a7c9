"""/me/points/entries/{id}/why/: what an entry is about, and what each rule said."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers
from loyalty import explaining
from loyalty.models import EarnRule


class AboutOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(EarnRule.Fact.choices)
    name = serializers.CharField(help_text="The store, place or outing")
    reference = serializers.CharField(help_text="The receipt's number, or the code of the place")
    happened_at = serializers.DateTimeField()


class SaidOut(serializers.Serializer[Any]):
    rule = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    points = serializers.IntegerField(help_text="What it gave; 0 where it gave nothing")
    because = serializers.CharField(help_text="Why, in a sentence")


class TouchedOut(serializers.Serializer[Any]):
    points = serializers.IntegerField(help_text="Taken from there; negative where put back")
    origin = serializers.CharField(help_text="What had given these points")
    earned_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class EntryWhyOut(serializers.Serializer[Any]):
    sentence = serializers.CharField()
    about = AboutOut(allow_null=True)
    rules = SaidOut(many=True, help_text="Every rule in force then, of an entry that was earned")
    lots = TouchedOut(many=True, help_text="Which points were taken or put back")
    undoes = serializers.IntegerField(
        source="undoes.pk", allow_null=True, help_text="The entry that this one reverses"
    )


class WhyThis(APIView):
    @extend_schema(responses=EntryWhyOut)
    def get(self, request: Request, entry_id: int) -> Response:
        member = callers.member_of(request)
        return Response(EntryWhyOut(explaining.of_member(member=member, entry_id=entry_id)).data)
