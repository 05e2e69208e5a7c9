"""/purchases/: a till or a shop reports what was bought, sent, picked up, and what came back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Each, Moment, Text
from config.api.serializers import StrictSerializer, read
from config.errors import Invalid, Refusal
from config.nudging import nudge
from loyalty import baskets, batches, fulfilment, guests, purchases, returns
from loyalty.api.baskets import (
    AwardOut,
    PurchaseIn,
    ReasonOut,
    ReturnedLineIn,
    basket_of,
    named_in,
    refusal_of,
    told,
)
from members.models import ApiKey

MOST_PURCHASES = 100


class PurchaseOut(serializers.Serializer[Any]):
    reference = serializers.CharField()
    awards = AwardOut(many=True, required=False)
    points = serializers.IntegerField(help_text="Of a guest: what claiming it would give")
    balance = serializers.IntegerField(required=False)
    claim_code = serializers.CharField(required=False, help_text="Of a guest: print it")
    claimable_until = serializers.DateTimeField(required=False)


class PurchasesIn(StrictSerializer):
    purchases = Each(child=PurchaseIn(), allow_empty=False, max_length=MOST_PURCHASES)


class ResultOut(PurchaseOut):
    status = serializers.ChoiceField(["recorded", "repeated", "refused"])
    problem = ReasonOut(required=False)


class ResultsOut(serializers.Serializer[Any]):
    results = ResultOut(many=True)


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
    balance = serializers.IntegerField(allow_null=True, help_text="Null: of a guest's purchase")


class ShipmentIn(StrictSerializer):
    occurred_at = Moment(required=False)


class PickupIn(ShipmentIn):
    store = Text(max_length=40, required=False, help_text="A till's key means its own")


class FulfilledOut(serializers.Serializer[Any]):
    reference = serializers.CharField()
    shipped_at = serializers.DateTimeField()
    picked_up_at = serializers.DateTimeField(allow_null=True)
    pickup_store = serializers.CharField(allow_null=True)
    balance = serializers.IntegerField(allow_null=True, help_text="Null: of a guest's purchase")
    pending = serializers.IntegerField(allow_null=True)


class Purchases(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=PurchaseIn, responses={201: PurchaseOut, 200: PurchaseOut})
    def post(self, request: Request) -> Response:
        said = read(PurchaseIn, request)
        key = callers.key_of(request)
        basket = basket_of(said, named_in([said], key))

        def record() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            if basket.is_guests:
                kept = guests.keep(basket, now=now)
                return 201 if kept.is_new else 200, told(basket.reference, kept)
            receipt = purchases.record(basket, now=now, held_by=key.prefix)
            nudge("interactions")
            return 201 if receipt.is_new else 200, told(basket.reference, receipt)

        return writes.answer_once(request, record)


class Bulk(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=PurchasesIn, responses=ResultsOut)
    def post(self, request: Request) -> Response:
        said = read(PurchasesIn, request)["purchases"]
        key = callers.key_of(request)
        asked = _baskets(said, key)

        def record() -> tuple[int, dict[str, Any]]:
            good = [one for one in asked if isinstance(one, baskets.Basket)]
            done = iter(batches.record_each(good, now=timezone.now(), held_by=key.prefix))
            nudge("interactions")
            outcomes = [one if isinstance(one, Refusal) else next(done) for one in asked]
            body: Any = request.data
            pairs = zip(body["purchases"], outcomes, strict=True)
            return 200, {"results": [_result(_reference(item), one) for item, one in pairs]}

        return writes.answer_once(request, record)


class Returns(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=ReturnIn, responses={201: ReturnOut, 200: ReturnOut})
    def post(self, request: Request, reference: str) -> Response:
        said = read(ReturnIn, request)
        key = callers.key_of(request)

        def take_back() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            receipt = returns.take_back(
                purchase_reference=reference,
                store_code=key.store.code if key.store else "",
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


class Shipment(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=ShipmentIn, responses=FulfilledOut)
    def post(self, request: Request, reference: str) -> Response:
        said = read(ShipmentIn, request)
        key = callers.key_of(request)

        def ship() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            moved = fulfilment.ship(
                reference=reference,
                store_code=key.store.code if key.store else "",
                occurred_at=said.get("occurred_at", now),
                now=now,
            )
            return 200, FulfilledOut(moved).data

        return writes.answer_once(request, ship)


class Pickup(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=PickupIn, responses=FulfilledOut)
    def post(self, request: Request, reference: str) -> Response:
        said = read(PickupIn, request)
        store_code = _store_of(said, callers.key_of(request))

        def pick_up() -> tuple[int, dict[str, Any]]:
            now = timezone.now()
            moved = fulfilment.pick_up(
                reference=reference,
                store_code=store_code,
                occurred_at=said.get("occurred_at", now),
                now=now,
            )
            nudge("interactions")
            return 200, FulfilledOut(moved).data

        return writes.answer_once(request, pick_up)


def _store_of(said: dict[str, Any], key: ApiKey) -> str:
    """The store of a pick-up, which a till's key need not name."""
    code = said.get("store")
    if key.store is None and not code:
        raise Invalid("Say in which store.", pointer="/store")
    if key.store is not None and code not in (None, key.store.code):
        raise Invalid(f"There is no store '{code}' for this key.", pointer="/store")
    return key.store.code if key.store else str(code)


def _baskets(said: list[Any], key: ApiKey) -> list[baskets.Basket | Refusal]:
    """Each item as a basket, or why it is none."""
    named = named_in([one for one in said if isinstance(one, dict)], key)
    found: list[baskets.Basket | Refusal] = []
    for one in said:
        try:
            if isinstance(one, serializers.ValidationError):
                raise refusal_of(one)
            found.append(basket_of(one, named))
        except Invalid as refusal:
            found.append(refusal)
    return found


def _reference(item: Any) -> str:
    """What an item calls itself, be it good or not."""
    said = item.get("reference") if isinstance(item, dict) else None
    return said[:64] if isinstance(said, str) else ""


def _result(reference: str, outcome: batches.Outcome) -> dict[str, Any]:
    if isinstance(outcome, Refusal):
        nothing = {"reference": reference, "awards": [], "points": 0}
        return {**nothing, "status": "refused", "problem": outcome.in_brief()}
    status = "recorded" if outcome.is_new else "repeated"
    return {**told(reference, outcome), "status": status}
