"""/me/: the member's profile, card, points, export and farewell."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text
from config.api.serializers import StrictSerializer, read, refuse_unread
from loyalty import statements, tiers
from loyalty.models import Entry, Tier
from members import cards, privacy, profiles
from members.models import Address, Member


class ProfileIn(StrictSerializer):
    given_name = Text(max_length=100, allow_blank=True, required=False)
    family_name = Text(max_length=100, allow_blank=True, required=False)
    birth_date = serializers.DateField(required=False, allow_null=True)
    locale = Text(max_length=16, required=False)
    time_zone = Text(max_length=64, allow_blank=True, required=False)
    street = Text(max_length=200, allow_blank=True, required=False)
    city = Text(max_length=100, allow_blank=True, required=False)
    postal_code = Text(max_length=16, allow_blank=True, required=False)
    region = Text(max_length=40, allow_blank=True, required=False)
    country = Text(max_length=40, allow_blank=True, required=False)


class AddressOut(serializers.Serializer[Any]):
    street = serializers.CharField()
    city = serializers.CharField()
    postal_code = serializers.CharField()
    county = serializers.CharField()
    region = serializers.CharField()
    country = serializers.CharField()


class ProfileOut(serializers.Serializer[Any]):
    number = serializers.CharField()
    given_name = serializers.CharField()
    family_name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    phone = serializers.CharField(allow_null=True)
    birth_date = serializers.DateField(allow_null=True)
    locale = serializers.CharField()
    time_zone = serializers.CharField(help_text="In force, whatever it came from")
    address = AddressOut(allow_null=True)
    home_store = serializers.CharField(allow_null=True)
    joined_at = serializers.DateTimeField()
    tier = serializers.CharField(allow_null=True)
    balance = serializers.IntegerField()


class ExpiringOut(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    on = serializers.DateField()


class PointsOut(serializers.Serializer[Any]):
    available = serializers.IntegerField()
    pending = serializers.IntegerField()
    spendable = serializers.IntegerField()
    debt = serializers.IntegerField()
    household = serializers.IntegerField(help_text="What those who share their points have")
    expiring = ExpiringOut(many=True)
    tier = serializers.CharField(allow_null=True)
    tier_kept_until = serializers.DateTimeField(allow_null=True)
    next_tier = serializers.CharField(allow_null=True)
    points_to_next_tier = serializers.IntegerField(allow_null=True)
    projected_tier = serializers.CharField(
        allow_null=True, help_text="Held at `projected_at` if nothing is earned until then"
    )
    projected_at = serializers.DateTimeField()


class EntryOut(serializers.ModelSerializer[Entry]):
    rule = serializers.CharField(source="rule_name", allow_null=True)

    class Meta:
        model = Entry
        fields = (
            "id", "kind", "amount", "pending_change", "debt_change", "balance_after", "at",
            "rule", "why",
        )  # fmt: skip


class Me(APIView):
    is_keyed = False

    @extend_schema(responses=ProfileOut)
    def get(self, request: Request) -> Response:
        return Response(profile(callers.member_of(request)))

    @extend_schema(request=ProfileIn, responses=ProfileOut)
    def patch(self, request: Request) -> Response:
        said = read(ProfileIn, request)
        member = callers.member_of(request)

        def change() -> tuple[int, dict[str, Any]]:
            changed = profiles.change(member=member, changes=said, now=timezone.now())
            return 200, profile(changed)

        return writes.answer_once(request, change)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        refuse_unread(request)
        privacy.erase(member=callers.member_of(request), now=timezone.now())
        return Response(status=204)


class Card(APIView):
    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> HttpResponse:
        number = callers.member_of(request).number
        return HttpResponse(cards.qr_png(text=number), content_type="image/png")


class Export(APIView):
    throttle_scope = "export"

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(privacy.export(member=callers.member_of(request)))


class Points(APIView):
    @extend_schema(responses=PointsOut)
    def get(self, request: Request) -> Response:
        found = statements.summary(member=callers.member_of(request), at=timezone.now())
        return Response(
            {
                "available": found.available,
                "pending": found.pending,
                "spendable": found.spendable,
                "debt": found.debt,
                "household": found.household,
                "expiring": [
                    {"points": soon.points, "on": soon.on.isoformat()} for soon in found.expiring
                ],
                **_standing(found.standing),
            }
        )


def _standing(stands: tiers.Standing) -> dict[str, Any]:
    return {
        "tier": _slug(stands.tier),
        "tier_kept_until": stands.kept_until.isoformat() if stands.kept_until else None,
        "next_tier": _slug(stands.next_tier),
        "points_to_next_tier": stands.points_to_next,
        "projected_tier": _slug(stands.projected_tier),
        "projected_at": stands.projected_at.isoformat(),
    }


def _slug(tier: Tier | None) -> str | None:
    return tier.slug if tier else None


class Entries(generics.ListAPIView[Entry]):
    """The statement, newest first."""

    serializer_class = EntryOut
    ordering = "-version"
    queryset = Entry.objects.none()

    def get_queryset(self) -> Any:
        return statements.entries(member=callers.member_of(self.request))


def profile(member: Member) -> dict[str, Any]:
    """The member as the member sees it."""
    points = statements.summary(member=member, at=timezone.now())
    address = Address.objects.filter(member=member).first()
    return {
        "number": member.number,
        "given_name": member.given_name,
        "family_name": member.family_name,
        "email": member.email,
        "phone": member.phone,
        "birth_date": member.birth_date.isoformat() if member.birth_date else None,
        "locale": member.locale,
        "time_zone": member.zone,
        "address": AddressOut(address).data if address else None,
        "home_store": member.home_store.code if member.home_store else None,
        "joined_at": member.joined_at.isoformat(),
        "tier": _slug(points.standing.tier),
        "balance": points.available,
    }
