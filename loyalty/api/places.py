"""/places/ and /check-ins/: where to go, and having been there."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Flag, Moment, Number, Text
from config.api.serializers import StrictSerializer, read, read_query
from config.nudging import nudge
from loyalty import checkins, places

MOST_PLACES = 100


class NearMe(StrictSerializer):
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    radius_km = serializers.FloatField(min_value=0.01, max_value=200, default=25)


class PlaceOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    latitude = serializers.FloatField()
    longitude = serializers.FloatField()
    distance_m = serializers.FloatField()
    interests = serializers.ListField(child=serializers.SlugField())
    points = serializers.IntegerField(help_text="What a check-in gives the member today")


class PlacesOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = PlaceOut(many=True)


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


class Places(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("latitude", float, required=True),
            OpenApiParameter("longitude", float, required=True),
            OpenApiParameter("radius_km", float, description="At most 200; 25 unless told"),
        ],
        responses=PlacesOut,
    )
    def get(self, request: Request) -> Response:
        said = read_query(NearMe, request)
        near = places.nearby(
            latitude=said["latitude"],
            longitude=said["longitude"],
            radius_m=said["radius_km"] * 1_000,
            limit=MOST_PLACES,
        )
        offers = checkins.offers(
            member=callers.member_of(request),
            places=[found.place for found in near],
            now=timezone.now(),
        )
        return Response(
            {
                "next": None,
                "results": [
                    {
                        "code": found.place.code,
                        "name": found.place.name,
                        "latitude": found.place.latitude,
                        "longitude": found.place.longitude,
                        "distance_m": round(found.distance_m, 1),
                        "interests": offers[found.place.pk].interests,
                        "points": offers[found.place.pk].points,
                    }
                    for found in near
                ],
            }
        )


class CheckIns(APIView):
    @extend_schema(request=CheckInIn, responses={201: CheckInOut})
    def post(self, request: Request) -> Response:
        said = read(CheckInIn, request)
        report = checkins.Report(
            latitude=said["latitude"],
            longitude=said["longitude"],
            accuracy_m=said["accuracy_m"],
            occurred_at=said["occurred_at"],
            place=said.get("place", ""),
            is_mocked=said["mocked"],
            nonce=said.get("nonce", ""),
        )
        member = callers.member_of(request)

        def check_in() -> tuple[int, dict[str, Any]]:
            judged = checkins.check_in(member=member, report=report, now=timezone.now())
            nudge("interactions")
            return 201, _shown(judged)

        return writes.answer_once(request, check_in)


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
