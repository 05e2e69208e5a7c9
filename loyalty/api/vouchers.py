"""/vouchers/: what members hold, and what tills do with them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import callers, writes
from config.api.guessing import CodeView
from loyalty import vouchers
from loyalty.models import Voucher, VoucherUse


class VoucherOut(serializers.ModelSerializer[Voucher]):
    code = serializers.SerializerMethodField()
    uses_left = serializers.SerializerMethodField()

    class Meta:
        model = Voucher
        fields = (
            "code", "off", "value", "currency", "most_off", "sku", "minimum_spend", "stores",
            "state", "uses_left", "expires_at",
        )  # fmt: skip

    def get_code(self, voucher: Voucher) -> str:
        return vouchers.code_of(voucher)

    def get_uses_left(self, voucher: Voucher) -> int:
        return voucher.uses - voucher.used


class TillVoucherOut(serializers.Serializer[Any]):
    off = serializers.ChoiceField(Voucher.Off.choices)
    value = serializers.CharField()
    currency = serializers.CharField()
    most_off = serializers.CharField(allow_null=True)
    sku = serializers.CharField()
    minimum_spend = serializers.CharField()
    state = serializers.CharField()
    uses_left = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    held_until = serializers.DateTimeField(allow_null=True)


class Vouchers(generics.ListAPIView[Voucher]):
    serializer_class = VoucherOut
    ordering = "-issued_at"
    queryset = Voucher.objects.none()

    def get_queryset(self) -> Any:
        return Voucher.objects.filter(member=callers.member_of(self.request))


class AtTheTill(CodeView):
    """One verb of a till on a voucher; all answer alike."""

    permission_classes = (callers.has_scope("vouchers"),)

    def carry_out(self, *, code: str, till: vouchers.AtTill) -> VoucherUse:
        raise NotImplementedError

    @extend_schema(request=None, responses=TillVoucherOut)
    def post(self, request: Request, code: str) -> Response:
        key = callers.key_of(request)
        till = vouchers.AtTill(key.prefix, key.store.code if key.store else "")

        def act() -> tuple[int, dict[str, Any]]:
            use = self.carry_out(code=code, till=till)
            voucher = use.voucher
            return 200, {
                "off": voucher.off,
                "value": str(voucher.value),
                "currency": voucher.currency,
                "most_off": None if voucher.most_off is None else str(voucher.most_off),
                "sku": voucher.sku,
                "minimum_spend": str(voucher.minimum_spend),
                "state": voucher.state,
                "uses_left": voucher.uses - voucher.used,
                "expires_at": voucher.expires_at.isoformat(),
                "held_until": use.held_until.isoformat() if use.held_until else None,
            }

        return writes.answer_once(request, act)


class Hold(AtTheTill):
    def carry_out(self, *, code: str, till: vouchers.AtTill) -> VoucherUse:
        return vouchers.hold(code=code, till=till, now=timezone.now())


class Redeem(AtTheTill):
    def carry_out(self, *, code: str, till: vouchers.AtTill) -> VoucherUse:
        return vouchers.redeem(code=code, till=till, now=timezone.now())


class Release(AtTheTill):
    def carry_out(self, *, code: str, till: vouchers.AtTill) -> VoucherUse:
        return vouchers.release(code=code, till=till)
