"""/members/: a till or a shop enrols somebody, or looks somebody up."""

from typing import Any

from django.core.validators import validate_slug
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Flag, Moment, Text
from config.api.serializers import StrictSerializer, read, read_query
from config.errors import Invalid, NotFound
from loyalty import referrals
from members import contacts, joining
from members.models import Channel, Member, Store


class MemberIn(StrictSerializer):
    number = Text(max_length=32, required=False)
    email = Text(max_length=254, required=False)
    phone = Text(max_length=30, required=False)
    given_name = Text(max_length=100, required=False)
    family_name = Text(max_length=100, required=False)
    birth_date = serializers.DateField(required=False)
    locale = Text(max_length=16, required=False)
    time_zone = Text(max_length=64, required=False)
    street = Text(max_length=200, required=False)
    city = Text(max_length=100, required=False)
    postal_code = Text(max_length=16, required=False)
    county = Text(max_length=100, required=False)
    region = Text(max_length=40, required=False)
    country = Text(max_length=40, required=False)
    labels = serializers.ListField(
        child=Text(max_length=40, validators=[validate_slug]), max_length=20, required=False
    )
    home_store = Text(max_length=40, required=False)
    joined_at = Moment(required=False)
    email_opt_in = Flag(required=False)
    sms_opt_in = Flag(required=False)
    push_opt_in = Flag(required=False)
    referred_by = Text(max_length=40, required=False, help_text="The code of who recommended us")


class EnrolledOut(serializers.Serializer[Any]):
    """No names: this answer is kept under its Idempotency-Key, and erasing must not look there."""

    number = serializers.CharField()
    home_store = serializers.CharField(allow_null=True)
    time_zone = serializers.CharField()
    joined_at = serializers.DateTimeField()


class MemberOut(serializers.Serializer[Any]):
    number = serializers.CharField()
    given_name = serializers.CharField()
    family_name = serializers.CharField()
    home_store = serializers.CharField(allow_null=True)
    time_zone = serializers.CharField()
    joined_at = serializers.DateTimeField()


class Wanted(StrictSerializer):
    number = Text(max_length=32, required=False)
    email = Text(max_length=254, required=False)
    phone = Text(max_length=30, required=False)


class Members(APIView):
    permission_classes = (callers.has_scope("members"),)

    @extend_schema(request=MemberIn, responses={201: EnrolledOut})
    def post(self, request: Request) -> Response:
        said = read(MemberIn, request)
        key = callers.key_of(request)
        said["home_store"] = _store(said.pop("home_store", ""), key.store)
        said["labels"] = tuple(said.get("labels", ()))
        opt_ins = {c: said.pop(f"{c}_opt_in", None) for c in (Channel.EMAIL, Channel.SMS, "push")}
        referred_by = said.pop("referred_by", "")
        said["marketing"] = {c: yes for c, yes in opt_ins.items() if yes is not None}

        def enrol() -> tuple[int, dict[str, Any]]:
            member = referrals.enrol(
                enrolment=joining.Enrolment(**said),
                referred_by=referred_by,
                now=timezone.now(),
                source=f"key {key.prefix}",
            )
            return 201, {k: v for k, v in shown(member).items() if not k.endswith("_name")}

        return writes.answer_once(request, enrol)


class Lookup(APIView):
    finds_one = True
    permission_classes = (callers.has_scope("members"),)

    @extend_schema(
        parameters=[
            OpenApiParameter("number", str),
            OpenApiParameter("email", str),
            OpenApiParameter("phone", str),
        ],
        responses=MemberOut,
    )
    def get(self, request: Request) -> Response:
        said = read_query(Wanted, request)
        if len(said) != 1:
            raise Invalid("Look up by one of: number, email, phone.")
        members = Member.objects.present().select_related("home_store")
        if "phone" in said:
            member = members.called(phone=contacts.valid_phone(said["phone"])).first()
        else:
            member = members.named(said.get("email") or said["number"]).first()
        if member is None:
            raise NotFound("There is no such member.")
        return Response(shown(member))


def shown(member: Member) -> dict[str, Any]:
    """A member as a till sees them: enough to greet, nothing to harvest."""
    return {
        "number": member.number,
        "given_name": member.given_name,
        "family_name": member.family_name,
        "home_store": member.home_store.code if member.home_store else None,
        "time_zone": member.zone,
        "joined_at": member.joined_at.isoformat(),
    }


def _store(code: str, bound: Store | None) -> Store | None:
    if not code:
        return bound
    store = Store.objects.filter(code=code).first()
    if store is None or (bound is not None and store != bound):
        raise Invalid(f"There is no store '{code}' for this key.", pointer="/home_store")
    return store
