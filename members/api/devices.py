"""/me/devices/: the phones and browsers a member is pushed to."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Number, Text
from config.api.serializers import StrictSerializer, read
from members import devices, subscriptions
from members.models import Device

LAST_MOMENT = 10**15  # In milliseconds; JavaScript knows none after it.


class DeviceIn(StrictSerializer):
    token = Text(max_length=255, help_text="The push provider's token for this app and phone")
    platform = serializers.ChoiceField(Device.Platform.choices)


class SubscriptionKeysIn(StrictSerializer):
    """What messages for this browser are encrypted with."""

    p256dh = Text(max_length=100, help_text="A point on P-256, 65 bytes in base64url")
    auth = Text(max_length=30, help_text="16 bytes in base64url")


class SubscriptionIn(StrictSerializer):
    """A browser's PushSubscription, as its `toJSON()` gives it."""

    endpoint = Text(max_length=1_000, help_text="https, at a push service known here")
    keys = SubscriptionKeysIn()
    expirationTime = Number(  # noqa: N815 - the browser's own word
        min_value=0,
        max_value=LAST_MOMENT,
        allow_null=True,
        required=False,
        help_text="Not kept: its push service says when a subscription has ended.",
    )


class ForgottenIn(StrictSerializer):
    token = Text(max_length=255)


class UnsubscribedIn(StrictSerializer):
    endpoint = Text(max_length=1_000)


class DeviceOut(serializers.ModelSerializer[Device]):
    class Meta:
        model = Device
        fields = ("id", "platform", "added_at")


class PublicKeyOut(serializers.Serializer[Any]):
    public_key = serializers.CharField(help_text="The applicationServerKey, in base64url")


class Devices(generics.ListAPIView[Device]):
    serializer_class = DeviceOut
    queryset = Device.objects.none()

    def get_queryset(self) -> Any:
        return Device.objects.filter(member=callers.member_of(self.request))

    @extend_schema(
        request=PolymorphicProxySerializer(
            component_name="DeviceOrSubscription",
            serializers=[DeviceIn, SubscriptionIn],
            resource_type_field_name=None,
        ),
        responses={201: DeviceOut},
    )
    def post(self, request: Request) -> Response:
        is_browser = _names_an_endpoint(request)
        said = read(SubscriptionIn if is_browser else DeviceIn, request)
        member = callers.member_of(request)

        def register() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            if is_browser:
                device = devices.subscribe(
                    member=member, endpoint=said["endpoint"], now=now, **said["keys"]
                )
            else:
                device = devices.register(member=member, now=now, **said)
            return 201, dict(DeviceOut(device).data)

        return writes.answer_once(request, register)

    @extend_schema(
        request=PolymorphicProxySerializer(
            component_name="ForgottenOrUnsubscribed",
            serializers=[ForgottenIn, UnsubscribedIn],
            resource_type_field_name=None,
        ),
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        is_browser = _names_an_endpoint(request)
        said = read(UnsubscribedIn if is_browser else ForgottenIn, request)
        member = callers.member_of(request)

        def forget() -> tuple[int, dict[str, Any]]:
            (devices.unsubscribe if is_browser else devices.forget)(member=member, **said)
            return 204, {}

        return writes.answer_once(request, forget)


class OneDevice(APIView):
    @extend_schema(operation_id="me_device_destroy", request=None, responses={204: None})
    def delete(self, request: Request, device_id: int) -> Response:
        """For one that is not at hand: what is removes itself by its token or endpoint."""
        member = callers.member_of(request)

        def remove() -> tuple[int, dict[str, Any]]:
            devices.remove(member=member, device_id=device_id)
            return 204, {}

        return writes.answer_once(request, remove)


class PublicKey(APIView):
    finds_one = True

    @extend_schema(responses=PublicKeyOut)
    def get(self, request: Request) -> Response:
        """What a browser subscribes with; 404 where browsers are not pushed to."""
        return Response({"public_key": subscriptions.public_key()})


def _names_an_endpoint(request: Request) -> bool:
    return isinstance(request.data, dict) and "endpoint" in request.data
