"""/me/preferences/: which channels, for what, which first, which topics, how often, and a pause."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Flag, Moment, Whole
from config.api.serializers import StrictSerializer, read
from members import preferences
from members.models import Channel, Member


class PurposesIn(StrictSerializer):
    marketing = Flag(required=False)
    service = Flag(required=False)


class ChannelsIn(StrictSerializer):
    email = PurposesIn(required=False)
    push = PurposesIn(required=False)
    sms = PurposesIn(required=False)
    inbox = PurposesIn(required=False)
    people = PurposesIn(required=False)


class FrequencyIn(StrictSerializer):
    most = Whole(min_value=1, max_value=preferences.MOST)
    per = serializers.ChoiceField(list(preferences.PERIODS))


class PreferencesIn(StrictSerializer):
    channels = ChannelsIn(required=False)
    preferred_channel = serializers.ChoiceField([("", "none"), *Channel.choices], required=False)
    paused_until = Moment(required=False, allow_null=True)
    topics = serializers.DictField(
        child=Flag(), required=False, help_text="Slug to whether it is wanted"
    )
    frequency = FrequencyIn(
        required=False, allow_null=True, help_text="At most so much marketing; null: as it comes"
    )


class FrequencyOut(serializers.Serializer[Any]):
    most = serializers.IntegerField()
    per = serializers.ChoiceField(list(preferences.PERIODS))


class PreferencesOut(serializers.Serializer[Any]):
    channels = serializers.DictField(child=serializers.DictField(child=serializers.BooleanField()))
    preferred_channel = serializers.CharField()
    paused_until = serializers.DateTimeField(allow_null=True)
    topics = serializers.DictField(child=serializers.BooleanField())
    frequency = FrequencyOut(allow_null=True)


class Preferences(APIView):
    @extend_schema(responses=PreferencesOut)
    def get(self, request: Request) -> Response:
        return Response(_shown(callers.member_of(request)))

    @extend_schema(request=PreferencesIn, responses=PreferencesOut)
    def patch(self, request: Request) -> Response:
        said = read(PreferencesIn, request)
        member = callers.member_of(request)
        changes: dict[str, Any] = {
            k: said[k] for k in ("preferred_channel", "paused_until") if k in said
        }
        if "frequency" in said:
            often = said["frequency"]
            changes["frequency"] = preferences.frequency(**often) if often else None
        wishes = preferences.Wishes(
            channels=said.get("channels", {}), topics=said.get("topics", {}), changes=changes
        )

        def change() -> tuple[int, dict[str, Any]]:
            preferences.record(member=member, wishes=wishes, source="app", now=timezone.now())
            return 200, _shown(member)

        return writes.answer_once(request, change)


def _shown(member: Member) -> dict[str, Any]:
    now = preferences.standing(member=member)
    often = now.frequency
    return {
        "channels": now.channels,
        "preferred_channel": now.preferred_channel,
        "paused_until": now.paused_until.isoformat() if now.paused_until else None,
        "topics": {topic.slug: is_wanted for topic, is_wanted in now.topics.items()},
        "frequency": {"most": often.most, "per": often.per} if often else None,
    }
