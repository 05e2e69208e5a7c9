"""/purchases/: a till or a shop reports what was bought, and what came back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Moment, Money, Text, Whole
from config.api.serializers import StrictSerializer, read
from config.errors import Invalid
from config.nudging import nudge
from loyalty import baskets, purchases, returns
from members.models import ApiKey, Member, Store


class LineIn(StrictSerializer):
    sku = Text(max_length=64, required=False, allow_blank=True)
    quantity = Whole(min_value=1, max_value=1_000_000)
    unit_price = Money()
    category = Text(max_length=64, required=False)


class PurchaseIn(StrictSerializer):
    reference = Text(max_length=64)
    member = Text(max_length=254, help_text="Number or e-mail")
    occurred_at = Moment()
    channel = Text(max_length=24)
    store = Text(max_length=40, required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217")
    lines = serializers.ListField(child=LineIn(), allow_empty=False, max_length=baskets.MOST_LINES)
    vouchers = serializers.ListField(child=Text(max_length=40), max_length=10, required=False)
    points = Whole(
        min_value=1, max_value=2**31 - 1, required=False, help_text="Points that pay a part now"
    )
    points_hold = Text(
        max_length=1_000, required=False, help_text="A hold or an allowance that pays a part"
    )

    def validate(self, attrs: Any) -> Any:
        if "points" in attrs and "points_hold" in attrs:
            raise serializers.ValidationError("Say points or points_hold, not both.")
        return attrs


class AwardOut(serializers.Serializer[Any]):
    rule = serializers.CharField()
    points = serializers.IntegerField()
    because = serializers.CharField()


class PurchaseOut(serializers.Serializer[Any]):
    reference = serializers.CharField()
    awards = AwardOut(many=True)
    points = serializers.IntegerField()
    balance = serializers.IntegerField()


class ReturnedLineIn(StrictSerializer):
    sku = Text(max_length=64, allow_blank=True)
    quantity = Whole(min_value=1, max_value=1_000_000)


class ReturnIn(StrictSerializer):
    reference = Text(max_length=64)
    occurred_at = Moment(required=False)
    lines = serializers.ListField(
        child=ReturnedLineIn(), allow_empty=False, max_length=baskets.MOST_LINES
    )


class ReturnOut(serializers.Serializer[Any]):
    points_taken = serializers.IntegerField()
    debt = serializers.IntegerField(help_text="Points already spent, owed from now on")
    points_restored = serializers.IntegerField(help_text="That had paid for what came back")
    balance = serializers.IntegerField()


class Purchases(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=PurchaseIn, responses={201: PurchaseOut, 200: PurchaseOut})
    def post(self, request: Request) -> Response:
        said = read(PurchaseIn, request)
        key = callers.key_of(request)
        basket = basket_of(said, key)

        def record() -> tuple[int, dict[str, Any]]:
            receipt = purchases.record(basket, now=timezone.now(), held_by=key.prefix)
            nudge("interactions")
            return 201 if receipt.is_new else 200, {
                "reference": basket.reference,
                "awards": [
                    {"rule": award.rule, "points": award.points, "because": award.because}
                    for award in receipt.awards
                ],
                "points": receipt.points,
                "balance": receipt.balance,
            }

        return writes.answer_once(request, record)


class Returns(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=ReturnIn, responses={201: ReturnOut, 200: ReturnOut})
    def post(self, request: Request, reference: str) -> Response:
        said = read(ReturnIn, request)
        key = callers.key_of(request)

        def take_back() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            receipt = returns.record(
                purchase=returns.find_purchase(
                    reference=reference, store_code=key.store.code if key.store else ""
                ),
                reference=said["reference"],
                lines=[
                    returns.ReturnedLine(line["sku"], line["quantity"]) for line in said["lines"]
                ],
                occurred_at=said.get("occurred_at", now),
                now=now,
            )
            return 201 if receipt.is_new else 200, {
                "points_taken": receipt.points_taken,
                "debt": receipt.debt,
                "points_restored": receipt.points_restored,
                "balance": receipt.balance,
            }

        return writes.answer_once(request, take_back)


def basket_of(said: dict[str, Any], key: ApiKey) -> baskets.Basket:
    """What was said as a basket; `Invalid` when the member or store is not known to this key."""
    if ("points" in said or "points_hold" in said) and ApiKey.Scope.VOUCHERS not in key.scopes:
        raise PermissionDenied("To pay with points a key needs the scope 'vouchers' too.")
    member = Member.objects.present().named(said["member"]).only("pk", "zone", "number").first()
    if member is None:
        raise Invalid("There is no such member.", pointer="/member")
    store = key.store
    code = said.get("store")
    if code and (store is None or store.code != code):
        store = None if store else Store.objects.filter(code=code).first()
        if store is None:
            raise Invalid(f"There is no store '{code}' for this key.", pointer="/store")
    return baskets.Basket(
        reference=said["reference"],
        member_id=member.pk,
        zone=member.zone,
        occurred_at=said["occurred_at"],
        channel=said["channel"],
        store=store,
        currency=said["currency"],
        lines=tuple(
            baskets.Line(
                sku=line.get("sku", ""),
                quantity=line["quantity"],
                unit_price=line["unit_price"],
                category=line.get("category", ""),
            )
            for line in said["lines"]
        ),
        voucher_codes=tuple(said.get("vouchers", ())),
        points=said.get("points", 0),
        hold=said.get("points_hold", ""),
    )
