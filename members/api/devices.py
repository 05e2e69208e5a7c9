"""/me/devices/: the phones a member is pushed to."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import callers, writes
from config.api.fields import Text
from config.api.serializers import StrictSerializer, read
from members import devices
from members.models import Device


class DeviceIn(StrictSerializer):
    token = Text(max_length=255, help_text="The push provider's token for this app and phone")
    platform = serializers.ChoiceField(Device.Platform.choices)


class ForgottenIn(StrictSerializer):
    token = Text(max_length=255)


class DeviceOut(serializers.ModelSerializer[Device]):
    class Meta:
        model = Device
        fields = ("platform", "added_at")


class Devices(generics.ListAPIView[Device]):
    serializer_class = DeviceOut
    queryset = Device.objects.none()

    def get_queryset(self) -> Any:
        return Device.objects.filter(member=callers.member_of(self.request))

    @extend_schema(request=DeviceIn, responses={201: DeviceOut})
    def post(self, request: Request) -> Response:
        said = read(DeviceIn, request)
        member = callers.member_of(request)

        def register() -> tuple[int, dict[str, Any]]:
            device = devices.register(member=member, now=timezone.now(), **said)
            return 201, dict(DeviceOut(device).data)

        return writes.answer_once(request, register)

    @extend_schema(request=ForgottenIn, responses={204: None})
    def delete(self, request: Request) -> Response:
        token = read(ForgottenIn, request)["token"]
        member = callers.member_of(request)

        def forget() -> tuple[int, dict[str, Any]]:
            devices.forget(member=member, token=token)
            return 204, {}

        return writes.answer_once(request, forget)
