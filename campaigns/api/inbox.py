"""/inbox/: the member's messages, and why each was sent."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import inboxes, tracking, why
from campaigns.models import InboxMessage
from config.api import callers, writes


class MessageOut(serializers.ModelSerializer[InboxMessage]):
    id = serializers.IntegerField(source="pk")
    campaign = serializers.CharField(source="delivery.campaign.code")
    picture_url = serializers.SerializerMethodField()

    class Meta:
        model = InboxMessage
        fields = (
            "id", "campaign", "subject", "text", "html", "picture_url", "created_at", "read_at",
        )  # fmt: skip

    def get_picture_url(self, message: InboxMessage) -> str | None:
        return tracking.picture_url(message.delivery) if message.has_picture else None


class FactOut(serializers.Serializer[Any]):
    what = serializers.CharField()
    times = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class OccasionOut(serializers.Serializer[Any]):
    occasion = serializers.CharField()
    date = serializers.DateField()
    district = serializers.CharField()
    calendar = serializers.CharField()


class RivalOut(serializers.Serializer[Any]):
    campaign = serializers.CharField()
    name = serializers.CharField()
    reason = serializers.CharField()


class StepOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    of = serializers.IntegerField()
    before_at = serializers.DateTimeField(allow_null=True)


class WhyOut(serializers.Serializer[Any]):
    """In words first, then what the words were made from."""

    sentences = serializers.ListField(child=serializers.CharField())
    campaign = serializers.CharField()
    name = serializers.CharField()
    occasion = OccasionOut(allow_null=True)
    interest = serializers.CharField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    facts = FactOut(many=True)
    due_at = serializers.DateTimeField()
    zone = serializers.CharField()
    channel = serializers.CharField()
    rivals = RivalOut(many=True)
    step = StepOut(allow_null=True, help_text="Of a later message of several: which one.")


class Inbox(generics.ListAPIView[InboxMessage]):
    serializer_class = MessageOut
    ordering = "-created_at"
    queryset = InboxMessage.objects.none()

    def get_queryset(self) -> Any:
        return inboxes.messages(member=callers.member_of(self.request))


class Read(APIView):
    @extend_schema(request=None, responses=MessageOut)
    def post(self, request: Request, message_id: int) -> Response:
        member = callers.member_of(request)

        def read() -> tuple[int, dict[str, Any]]:
            message = inboxes.read(member=member, message_id=message_id, now=timezone.now())
            return 200, dict(MessageOut(message).data)

        return writes.answer_once(request, read)


class WhyThis(APIView):
    @extend_schema(responses=WhyOut)
    def get(self, request: Request, message_id: int) -> Response:
        member = callers.member_of(request)
        message = inboxes.find(member=member, message_id=message_id)
        return Response(WhyOut(why.explain(message.delivery)).data)
