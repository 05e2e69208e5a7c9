"""/me/household/: with whom I share my points."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text, Whole
from config.api.serializers import StrictSerializer, read
from members import households
from members.models import HouseholdMember, Member


class PersonOut(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The given name alone")
    joined = serializers.BooleanField()
    since = serializers.DateTimeField()


class InvitationOut(serializers.Serializer[Any]):
    household = serializers.IntegerField()
    invited_by = serializers.CharField()
    since = serializers.DateTimeField()


class HouseholdOut(serializers.Serializer[Any]):
    people = PersonOut(many=True)
    invitations = InvitationOut(many=True)


class SizeOut(serializers.Serializer[Any]):
    """Without names: the answer to a keyed write is kept, and a name in it is another's."""

    household = serializers.IntegerField()
    people = serializers.IntegerField(help_text="How many share; their names are in GET")


class InvitationIn(StrictSerializer):
    member = Text(max_length=254, help_text="Number or e-mail; the answer is always the same")


class AnswerIn(StrictSerializer):
    household = Whole(min_value=1, max_value=2**63 - 1)


class MyHousehold(APIView):
    throttle_scope = "guess"

    @extend_schema(responses=HouseholdOut)
    def get(self, request: Request) -> Response:
        return Response(_shown(callers.member_of(request)))

    @extend_schema(request=InvitationIn, responses={202: SizeOut})
    def post(self, request: Request) -> Response:
        said = read(InvitationIn, request)
        member = callers.member_of(request)

        def invite() -> tuple[int, dict[str, Any]]:
            households.invite(member=member, named=said["member"], now=timezone.now())
            return 202, _size(member)

        return writes.answer_once(request, invite)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        member = callers.member_of(request)

        def leave() -> tuple[int, dict[str, Any]]:
            households.leave(member=member)
            return 204, {}

        return writes.answer_once(request, leave)


class Answers(APIView):
    @extend_schema(request=AnswerIn, responses=SizeOut)
    def post(self, request: Request) -> Response:
        """Accept an invitation."""
        household_id = read(AnswerIn, request)["household"]
        member = callers.member_of(request)

        def accept() -> tuple[int, dict[str, Any]]:
            households.accept(member=member, household_id=household_id, now=timezone.now())
            return 200, _size(member)

        return writes.answer_once(request, accept)


class Refusals(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, household_id: int) -> Response:
        """Say no to an invitation."""
        member = callers.member_of(request)

        def refuse() -> tuple[int, dict[str, Any]]:
            households.leave(member=member, household_id=household_id)
            return 204, {}

        return writes.answer_once(request, refuse)


def _size(member: Member) -> dict[str, Any]:
    people = _joined(member)
    return {"household": people[0].household_id, "people": len(people)}


def _shown(member: Member) -> dict[str, Any]:
    return {
        "people": [
            {"name": row.member.given_name, "joined": True, "since": row.since.isoformat()}
            for row in _joined(member)
        ],
        "invitations": [
            {
                "household": row.household_id,
                "invited_by": row.invited_by.given_name if row.invited_by else "",
                "since": row.since.isoformat(),
            }
            for row in households.invitations(member=member)
        ],
    }


def _joined(member: Member) -> list[HouseholdMember]:
    # Whether an invitation found anybody is the invited one's to tell.
    return [row for row in households.of(member=member) if row.state == households.State.JOINED]
