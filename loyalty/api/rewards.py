"""/rewards/, /redemptions/: turning points into what they buy, and giving it back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text, Whole
from config.api.serializers import StrictSerializer, read
from config.nudging import nudge
from loyalty import rewards
from loyalty.api.vouchers import VoucherOut
from loyalty.models import Redemption, Reward, Session


class SessionOut(serializers.ModelSerializer[Session]):
    seats_left = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = ("id", "starts_at", "where", "seats_left")

    def get_seats_left(self, session: Session) -> int:
        return session.seats - session.taken


class RewardOut(serializers.ModelSerializer[Reward]):
    sessions = SessionOut(many=True, source="to_come")

    class Meta:
        model = Reward
        fields = (
            "slug", "name", "description", "kind", "points", "tiers", "starts_at", "ends_at",
            "off", "value", "currency", "most_off", "sku", "minimum_spend", "stores", "uses",
            "valid_days", "sessions",
        )  # fmt: skip


class RedemptionIn(StrictSerializer):
    reward = Text(max_length=64)
    session = Whole(min_value=1, max_value=2**63 - 1, required=False, help_text="Of an experience")


class RedemptionOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reward = serializers.CharField()
    points = serializers.IntegerField()
    balance = serializers.IntegerField()
    voucher = VoucherOut(allow_null=True)
    session = SessionOut(allow_null=True)
    fulfilment = serializers.ChoiceField(Redemption.Fulfilment.choices)
    valid_until = serializers.DateTimeField(allow_null=True)


class MyRedemptionOut(serializers.ModelSerializer[Redemption]):
    reward = serializers.CharField(source="reward.slug")
    session = SessionOut(allow_null=True)

    class Meta:
        model = Redemption
        fields = (
            "id", "reward", "points", "state", "fulfilment", "session", "redeemed_at",
            "valid_until",
        )  # fmt: skip


class WaitingIn(StrictSerializer):
    session = Whole(min_value=1, max_value=2**63 - 1)


class WaitingOut(serializers.Serializer[Any]):
    session = serializers.IntegerField()
    since = serializers.DateTimeField()


class BalanceOut(serializers.Serializer[Any]):
    balance = serializers.IntegerField()


class Rewards(generics.ListAPIView[Reward]):
    serializer_class = RewardOut
    ordering = "points"
    queryset = Reward.objects.none()

    def get_queryset(self) -> Any:
        return rewards.shown(now=timezone.now())


class Redemptions(generics.ListAPIView[Redemption]):
    """Mine, newest first; and buying one."""

    serializer_class = MyRedemptionOut
    ordering = "-redeemed_at"
    queryset = Redemption.objects.none()

    def get_queryset(self) -> Any:
        mine = Redemption.objects.filter(member=callers.member_of(self.request))
        return mine.select_related("reward", "session")

    @extend_schema(request=RedemptionIn, responses={201: RedemptionOut})
    def post(self, request: Request) -> Response:
        said = read(RedemptionIn, request)
        member = callers.member_of(request)

        def redeem() -> tuple[int, dict[str, Any]]:
            done = rewards.redeem(
                member=member,
                slug=said["reward"],
                session_id=said.get("session"),
                now=timezone.now(),
            )
            bought = done.redemption
            return 201, {
                "id": bought.pk,
                "reward": said["reward"],
                "points": bought.points,
                "balance": done.balance,
                "voucher": VoucherOut(done.voucher).data if done.voucher else None,
                "session": SessionOut(bought.session).data if bought.session else None,
                "fulfilment": str(bought.fulfilment),
                "valid_until": bought.valid_until,
            }

        return writes.answer_once(request, redeem)


class Cancellation(APIView):
    @extend_schema(request=None, responses=BalanceOut)
    def post(self, request: Request, redemption_id: int) -> Response:
        member = callers.member_of(request)

        def give_up() -> tuple[int, dict[str, Any]]:
            balance = rewards.give_up(
                member=member, redemption_id=redemption_id, now=timezone.now()
            )
            nudge("seats")
            return 200, {"balance": balance}

        return writes.answer_once(request, give_up)


class WaitingList(APIView):
    @extend_schema(request=WaitingIn, responses={201: WaitingOut})
    def post(self, request: Request, slug: str) -> Response:
        session_id = read(WaitingIn, request)["session"]
        member = callers.member_of(request)

        def wait() -> tuple[int, dict[str, Any]]:
            row = rewards.wait(member=member, slug=slug, session_id=session_id, now=timezone.now())
            nudge("seats")
            return 201, {"session": session_id, "since": row.since}

        return writes.answer_once(request, wait)


class Leaving(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, session_id: int) -> Response:
        member = callers.member_of(request)

        def stop() -> tuple[int, dict[str, Any]]:
            rewards.stop_waiting(member=member, slug=slug, session_id=session_id)
            return 204, {}

        return writes.answer_once(request, stop)
