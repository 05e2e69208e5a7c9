"""/rewards/, /redemptions/, /vouchers/: turning points into money off, and using it at the till."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text
from config.api.serializers import StrictSerializer, read
from loyalty import rewards, vouchers
from loyalty.models import Reward, Voucher


class RewardOut(serializers.ModelSerializer[Reward]):
    class Meta:
        model = Reward
        fields = (
            "slug", "name", "description", "points", "value", "currency", "minimum_spend",
            "valid_days",
        )  # fmt: skip


class RedemptionIn(StrictSerializer):
    reward = Text(max_length=64)


class VoucherOut(serializers.ModelSerializer[Voucher]):
    code = serializers.SerializerMethodField()

    class Meta:
        model = Voucher
        fields = ("code", "value", "currency", "minimum_spend", "state", "expires_at")

    def get_code(self, voucher: Voucher) -> str:
        return vouchers.code_of(voucher)


class RedemptionOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reward = serializers.CharField()
    points = serializers.IntegerField()
    balance = serializers.IntegerField()
    voucher = VoucherOut()


class TillVoucherOut(serializers.Serializer[Any]):
    value = serializers.CharField()
    currency = serializers.CharField()
    minimum_spend = serializers.CharField()
    state = serializers.CharField()
    expires_at = serializers.DateTimeField()
    held_until = serializers.DateTimeField(allow_null=True)


class Rewards(generics.ListAPIView[Reward]):
    serializer_class = RewardOut
    ordering = "points"
    queryset = Reward.objects.none()

    def get_queryset(self) -> Any:
        return rewards.on_offer(now=timezone.now())


class Redemptions(APIView):
    @extend_schema(request=RedemptionIn, responses={201: RedemptionOut})
    def post(self, request: Request) -> Response:
        slug = read(RedemptionIn, request)["reward"]
        member = callers.member_of(request)

        def redeem() -> tuple[int, dict[str, Any]]:
            done = rewards.redeem(member=member, slug=slug, now=timezone.now())
            return 201, {
                "id": done.redemption.pk,
                "reward": slug,
                "points": done.redemption.points,
                "balance": done.balance,
                "voucher": VoucherOut(done.voucher).data,
            }

        return writes.answer_once(request, redeem)


class Vouchers(generics.ListAPIView[Voucher]):
    serializer_class = VoucherOut
    ordering = "-issued_at"
    queryset = Voucher.objects.none()

    def get_queryset(self) -> Any:
        return Voucher.objects.filter(member=callers.member_of(self.request))


class AtTheTill(APIView):
    """One verb of a till on a voucher; all answer alike."""

    permission_classes = (callers.has_scope("vouchers"),)
    throttle_scope = "guess"

    def carry_out(self, *, code: str, by: str) -> Voucher:
        raise NotImplementedError

    @extend_schema(request=None, responses=TillVoucherOut)
    def post(self, request: Request, code: str) -> Response:
        by = callers.key_of(request).prefix

        def act() -> tuple[int, dict[str, Any]]:
            voucher = self.carry_out(code=code, by=by)
            return 200, {
                "value": str(voucher.value),
                "currency": voucher.currency,
                "minimum_spend": str(voucher.minimum_spend),
                "state": voucher.state,
                "expires_at": voucher.expires_at.isoformat(),
                "held_until": voucher.held_until.isoformat() if voucher.held_until else None,
            }

        return writes.answer_once(request, act)


class Hold(AtTheTill):
    def carry_out(self, *, code: str, by: str) -> Voucher:
        return vouchers.hold(code=code, by=by, now=timezone.now())


class Redeem(AtTheTill):
    def carry_out(self, *, code: str, by: str) -> Voucher:
        return vouchers.redeem(code=code, by=by, now=timezone.now())


class Release(AtTheTill):
    def carry_out(self, *, code: str, by: str) -> Voucher:
        return vouchers.release(code=code, by=by)
