"""/places/ and /collections/: where to go, and where one has been."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers
from config.api.serializers import StrictSerializer, read_query
from loyalty import offers, place_pages, places

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


class NameOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()


class VisitsOut(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Days on which the member was there")
    last_at = serializers.DateTimeField(allow_null=True)


class PlacePageOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    latitude = serializers.FloatField()
    longitude = serializers.FloatField()
    radius_m = serializers.FloatField(allow_null=True, help_text="Null: a boundary")
    interests = serializers.ListField(child=serializers.SlugField())
    points = serializers.IntegerField(help_text="What a check-in gives the member now")
    reason = serializers.ChoiceField(
        ["", "closed", "no_points_here", "already_today", "limit_reached"],
        help_text="Why it gives none",
    )
    explanation = serializers.CharField(help_text="The reason in a sentence")
    visits = VisitsOut()
    collections = NameOut(many=True)
    challenges = NameOut(many=True)


class CollectionOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    places_count = serializers.IntegerField()
    visited_count = serializers.IntegerField(help_text="How many of them the member has been to")


class CollectionsOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = CollectionOut(many=True)


class SpotOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    latitude = serializers.FloatField()
    longitude = serializers.FloatField()
    visited_at = serializers.DateTimeField(allow_null=True, help_text="For the first time")


class CollectionPageOut(CollectionOut):
    places = SpotOut(many=True)


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
        worth = offers.at_places(
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
                        "interests": worth[found.place.pk].interests,
                        "points": worth[found.place.pk].points,
                    }
                    for found in near
                ],
            }
        )


class PlacePage(APIView):
    @extend_schema(operation_id="place_retrieve", responses=PlacePageOut)
    def get(self, request: Request, code: str) -> Response:
        found = place_pages.page(member=callers.member_of(request), code=code, now=timezone.now())
        place = found.place
        return Response(
            {
                "code": place.code,
                "name": place.name,
                "description": place.description,
                "latitude": place.latitude,
                "longitude": place.longitude,
                "radius_m": place.radius_m,
                "interests": found.interests,
                "points": found.points,
                "reason": found.reason,
                "explanation": found.explanation,
                "visits": {"count": found.visits, "last_at": _at(found.last_visit_at)},
                "collections": [{"slug": c.slug, "name": c.name} for c in found.collections],
                "challenges": [{"slug": c.slug, "name": c.name} for c in found.challenges],
            }
        )


class Collections(APIView):
    @extend_schema(responses=CollectionsOut)
    def get(self, request: Request) -> Response:
        found = place_pages.shelves(member=callers.member_of(request))
        return Response({"next": None, "results": [_shelf(one) for one in found]})


class CollectionPage(APIView):
    @extend_schema(operation_id="collection_retrieve", responses=CollectionPageOut)
    def get(self, request: Request, slug: str) -> Response:
        found, spots = place_pages.shelf(member=callers.member_of(request), slug=slug)
        shown = [
            {
                "code": spot.place.code,
                "name": spot.place.name,
                "latitude": spot.place.latitude,
                "longitude": spot.place.longitude,
                "visited_at": _at(spot.visited_at),
            }
            for spot in spots
        ]
        return Response({**_shelf(found), "places": shown})


def _shelf(found: place_pages.Shelf) -> dict[str, Any]:
    return {
        "slug": found.collection.slug,
        "name": found.collection.name,
        "description": found.collection.description,
        "places_count": found.size,
        "visited_count": found.been,
    }


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
