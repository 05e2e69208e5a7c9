"""/webhooks/email/...: where mail providers tell what became of our messages."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import feedback
from campaigns.api import mail_events
from config.errors import NotFound


class HeardOut(serializers.Serializer[Any]):
    recorded = serializers.IntegerField(help_text="Facts that were new.")


class EmailEvents(APIView):
    """A mail provider's events, in the provider's own format, signed its own way.

    Give the provider this address with the name of its django-anymail backend, as in
    `/webhooks/email/postmark/`. What was told before is recorded once.
    """

    # Neither member nor integrator: the provider's signature says who is asking.
    authentication_classes = []
    permission_classes = []
    throttle_as = "provider"
    is_keyed = False

    def get_authenticate_header(self, request: Request) -> str:
        return 'Basic realm="events"'

    @extend_schema(
        request={
            "application/json": OpenApiTypes.ANY,
            "application/x-www-form-urlencoded": OpenApiTypes.OBJECT,
        },
        responses=HeardOut,
    )
    def post(self, request: Request, provider: str) -> Response:
        # The raw request: a signature is over bytes, and no two providers have one format.
        events = mail_events.told(request._request, provider=provider)
        return Response({"recorded": feedback.record(events, now=timezone.now())})

    def head(self, request: Request, provider: str) -> HttpResponse:
        """Some providers ask so whether anybody is here before they tell their key."""
        if not mail_events.is_set_up(provider):
            raise NotFound("There is no such mail provider here.")
        return HttpResponse()
