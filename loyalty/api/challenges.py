"""/challenges/: what one is dared to do, how far one is, and taking it up."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.nudging import nudge
from loyalty import challenge_standings, challenges
from loyalty.models import Challenge


class ProgressOut(serializers.Serializer[Any]):
    done = serializers.IntegerField(help_text="Of a streak: how long it is now")
    target = serializers.IntegerField()
    items = serializers.ListField(
        child=serializers.CharField(),
        help_text="What counts so far: places, outings or categories, or the days of it",
    )


class ChallengeOut(serializers.Serializer[Any]):
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    picture = serializers.CharField(help_text="A word")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    counts = serializers.ChoiceField(Challenge.Counts.values)
    how = serializers.ChoiceField(Challenge.How.values)
    unit = serializers.ChoiceField(["", *Challenge.Unit.values])
    forgiven = serializers.IntegerField(help_text="How many may be missing in a row")
    collection = serializers.CharField(allow_null=True)
    interests = serializers.ListField(child=serializers.SlugField())
    progress = ProgressOut()
    needs_joining = serializers.BooleanField()
    joined_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    winners_left = serializers.IntegerField(allow_null=True, help_text="Null: no limit")
    points = serializers.IntegerField(help_text="What completing it gives, or gave, the member")


class ChallengesOut(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    results = ChallengeOut(many=True)


class JoinedOut(serializers.Serializer[Any]):
    challenge = serializers.SlugField()
    joined_at = serializers.DateTimeField()


class Challenges(APIView):
    @extend_schema(responses=ChallengesOut)
    def get(self, request: Request) -> Response:
        found = challenge_standings.listed(member=callers.member_of(request), now=timezone.now())
        return Response({"next": None, "results": [_shown(one) for one in found]})


class Joinings(APIView):
    @extend_schema(request=None, responses={201: JoinedOut})
    def post(self, request: Request, slug: str) -> Response:
        member = callers.member_of(request)

        def join() -> tuple[int, dict[str, Any]]:
            row = challenges.join(member=member, slug=slug, now=timezone.now())
            nudge("interactions")
            return 201, {"challenge": slug, "joined_at": row.joined_at.isoformat()}

        return writes.answer_once(request, join)


def _shown(one: challenge_standings.Listed) -> dict[str, Any]:
    challenge, progress = one.challenge, one.progress
    return {
        "slug": challenge.slug,
        "name": challenge.name,
        "description": challenge.description,
        "picture": challenge.picture,
        "starts_at": challenge.starts_at.isoformat(),
        "ends_at": challenge.ends_at.isoformat(),
        "counts": challenge.counts,
        "how": challenge.how,
        "unit": challenge.unit,
        "forgiven": challenge.forgiven,
        "collection": challenge.collection.slug if challenge.collection else None,
        "interests": challenge.interests,
        "progress": {
            "done": progress.done,
            "target": challenge.target,
            "items": list(progress.items),
        },
        "needs_joining": challenge.needs_joining,
        "joined_at": one.joined_at.isoformat() if one.joined_at else None,
        "completed_at": one.completed_at.isoformat() if one.completed_at else None,
        "winners_left": one.winners_left,
        "points": one.points,
    }
