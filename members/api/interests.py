"""/me/interests/: what we believe the member loves, from which facts, and the member's own word."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Number
from config.api.serializers import StrictSerializer, read
from members import interests, profiles
from members.models import Member


class InterestsIn(StrictSerializer):
    interests = serializers.DictField(
        child=Number(min_value=0, max_value=1),
        help_text="Slug to level, 0 to 1. Interests left out are no longer stated.",
    )


class EvidenceOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()
    facts = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    share = serializers.FloatField(help_text="Of the inferred score, 0 to 1")


class ScoreOut(serializers.Serializer[Any]):
    interest = serializers.SlugField()
    name = serializers.CharField()
    score = serializers.FloatField(help_text="0 to 1")
    is_stated = serializers.BooleanField(help_text="The member's own word")
    evidence = EvidenceOut(many=True)


class InterestsOut(serializers.Serializer[Any]):
    interests = ScoreOut(many=True)


class Interests(APIView):
    @extend_schema(responses=InterestsOut)
    def get(self, request: Request) -> Response:
        return Response(_shown(callers.member_of(request)))

    @extend_schema(request=InterestsIn, responses=InterestsOut)
    def put(self, request: Request) -> Response:
        levels = read(InterestsIn, request)["interests"]
        member = callers.member_of(request)

        def state() -> tuple[int, dict[str, Any]]:
            profiles.state(member=member, levels=levels, now=timezone.now())
            return 200, _shown(member)

        return writes.answer_once(request, state)


def _shown(member: Member) -> dict[str, Any]:
    return {
        "interests": [
            {
                "interest": score.interest.slug,
                "name": score.interest.name,
                "score": round(score.score, 4),
                "is_stated": score.is_stated,
                "evidence": [
                    {
                        "kind": evidence.kind,
                        "name": evidence.name,
                        "facts": evidence.facts,
                        "last_at": evidence.last_at.isoformat(),
                        "share": round(evidence.share, 4),
                    }
                    for evidence in score.evidence
                ],
            }
            for score in interests.profile(member=member, at=timezone.now())
        ]
    }
