"""/me/preferences/: which channels, for what, which first, and a pause."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Flag, Moment
from config.api.serializers import StrictSerializer, read
from members import consents, joining
from members.models import Channel, Consent, Member, Purpose


class PurposesIn(StrictSerializer):
    marketing = Flag(required=False)
    service = Flag(required=False)


class ChannelsIn(StrictSerializer):
    email = PurposesIn(required=False)
    push = PurposesIn(required=False)
    sms = PurposesIn(required=False)
    inbox = PurposesIn(required=False)
    people = PurposesIn(required=False)


class PreferencesIn(StrictSerializer):
    channels = ChannelsIn(required=False)
    preferred_channel = serializers.ChoiceField([("", "none"), *Channel.choices], required=False)
    paused_until = Moment(required=False, allow_null=True)


class PreferencesOut(serializers.Serializer[Any]):
    channels = serializers.DictField(child=serializers.DictField(child=serializers.BooleanField()))
    preferred_channel = serializers.CharField()
    paused_until = serializers.DateTimeField(allow_null=True)


class Preferences(APIView):
    @extend_schema(responses=PreferencesOut)
    def get(self, request: Request) -> Response:
        return Response(_shown(callers.member_of(request)))

    @extend_schema(request=PreferencesIn, responses=PreferencesOut)
    def patch(self, request: Request) -> Response:
        said = read(PreferencesIn, request)
        member = callers.member_of(request)

        def change() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            decisions = [
                consents.Decision(
                    channel,
                    purpose,
                    Consent.Action.GRANTED if is_allowed else Consent.Action.WITHDRAWN,
                )
                for channel, purposes in said.get("channels", {}).items()
                for purpose, is_allowed in purposes.items()
                if purpose in Purpose.values
            ]
            changes: dict[str, Any] = {
                k: said[k] for k in ("preferred_channel", "paused_until") if k in said
            }
            with transaction.atomic():
                consents.record(member=member, decisions=decisions, at=now, source="app", now=now)
                if changes:
                    joining.change(member=member, changes=changes)
            return 200, _shown(member)

        return writes.answer_once(request, change)


def _shown(member: Member) -> dict[str, Any]:
    until = member.paused_until
    return {
        "channels": consents.preferences(member=member),
        "preferred_channel": member.preferred_channel,
        "paused_until": until.isoformat() if until else None,
    }
