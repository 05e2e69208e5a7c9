"""/tills/: what happened while a till was offline, and what of it waits for a person."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_field,
)
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Moment, Text, Unique
from config.api.serializers import StrictSerializer, read, read_query
from config.errors import Invalid, Refusal
from config.nudging import nudge
from loyalty import baskets, conflicts, guests, returns, tills
from loyalty.api.baskets import (
    AwardOut,
    Named,
    ReasonOut,
    ReturnedLineIn,
    SoldIn,
    basket_of,
    named_in,
    refusal_of,
)
from loyalty.models import TillEvent

Kind = TillEvent.Kind


class BroughtBackIn(StrictSerializer):
    purchase = Text(max_length=64, help_text="The reference of what was bought")
    reference = Text(max_length=64)
    lines = serializers.ListField(
        child=ReturnedLineIn(), allow_empty=False, max_length=baskets.MOST_LINES
    )


class VoucherUsedIn(StrictSerializer):
    code = Text(max_length=40)


class EnvelopeIn(serializers.Serializer[Any]):
    id = Unique(help_text="A UUID made by the till: told twice, carried out once")
    kind = serializers.ChoiceField(Kind.choices)
    occurred_at = Moment()


class PurchaseEventIn(EnvelopeIn, SoldIn):
    kind = serializers.ChoiceField([Kind.PURCHASE])


class ReturnEventIn(EnvelopeIn, BroughtBackIn):
    kind = serializers.ChoiceField([Kind.RETURN])


class VoucherEventIn(EnvelopeIn, VoucherUsedIn):
    kind = serializers.ChoiceField([Kind.VOUCHER_REDEEM])


BODIES: dict[str, type[StrictSerializer]] = {
    Kind.PURCHASE: SoldIn,
    Kind.RETURN: BroughtBackIn,
    Kind.VOUCHER_REDEEM: VoucherUsedIn,
}


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="TillEvent",
        serializers={
            Kind.PURCHASE.value: PurchaseEventIn,
            Kind.RETURN.value: ReturnEventIn,
            Kind.VOUCHER_REDEEM.value: VoucherEventIn,
        },
        resource_type_field_name="kind",
    )
)
class EventField(serializers.Field):  # type: ignore[type-arg]
    """An event: its id, kind and moment have to be right, or nothing of the call is read; what
    it says beyond may be wrong by itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.envelope = EnvelopeIn()
        self.bodies = {kind: shape() for kind, shape in BODIES.items()}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        event: dict[str, Any] = dict(self.envelope.run_validation(data))
        said = {name: value for name, value in data.items() if name not in event}
        try:
            body: Any = self.bodies[event["kind"]].run_validation(said)
        except serializers.ValidationError as error:
            body = refusal_of(error)
        return {**event, "body": body, "said": said}


class SyncIn(StrictSerializer):
    till = Text(max_length=40, help_text="Which of the store's tills")
    events = serializers.ListField(
        child=EventField(), allow_empty=False, max_length=tills.MOST_EVENTS
    )


class DoneOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(TillEvent.Outcome.choices)
    reference = serializers.CharField(required=False)
    awards = AwardOut(many=True, required=False)
    points = serializers.IntegerField(required=False)
    balance = serializers.IntegerField(required=False, allow_null=True)
    points_taken = serializers.IntegerField(required=False)
    debt = serializers.IntegerField(required=False)
    claim_code = serializers.CharField(required=False)
    claimable_until = serializers.DateTimeField(required=False)
    problem = ReasonOut(required=False)


class SyncedOut(serializers.Serializer[Any]):
    results = DoneOut(many=True)


class ConflictsAsked(StrictSerializer):
    state = serializers.ChoiceField(["open", "settled"], required=False)


class ConflictOut(serializers.ModelSerializer[TillEvent]):
    id = serializers.UUIDField(source="event_id")
    problem = ReasonOut()

    class Meta:
        model = TillEvent
        fields = (
            "id", "till", "kind", "occurred_at", "received_at", "problem", "settled_at", "note",
        )  # fmt: skip


class Sync(APIView):
    permission_classes = (callers.has_scope("purchases"),)
    throttle_scope = "guess"

    @extend_schema(request=SyncIn, responses=SyncedOut)
    def post(self, request: Request) -> Response:
        said = read(SyncIn, request)
        key = callers.key_of(request)
        named = named_in([_naming(one) for one in said["events"]], key)
        events = [_event(one, named) for one in said["events"]]

        def sync() -> tuple[int, dict[str, Any]]:
            done = tills.sync(key=key, till=said["till"], events=events, now=timezone.now())
            nudge("interactions")
            pairs = zip(events, done, strict=True)
            return 200, {"results": [_told(event, one) for event, one in pairs]}

        return writes.answer_once(request, sync)


@extend_schema(
    parameters=[OpenApiParameter("state", str, enum=["open", "settled"], required=False)]
)
class Conflicts(generics.ListAPIView[TillEvent]):
    """Of this key's events, and of all of its store's."""

    permission_classes = (callers.has_scope("purchases"),)
    serializer_class = ConflictOut
    ordering = "-received_at"
    queryset = TillEvent.objects.none()

    def get_queryset(self) -> Any:
        rows = conflicts.of_key(key=callers.key_of(self.request))
        state = read_query(ConflictsAsked, self.request).get("state")
        return rows.filter(settled_at__isnull=state == "open") if state else rows


def _naming(one: dict[str, Any]) -> dict[str, Any]:
    """What names members and stores in an event, however wrong the rest of it may be."""
    if isinstance(one["body"], dict):
        return dict(one["body"])
    member = one["said"].get("member")
    return {"member": member} if isinstance(member, str) else {}


def _event(one: dict[str, Any], named: Named) -> tills.Event:
    member = named.members.get(_naming(one).get("member", ""))
    return tills.Event(
        id=one["id"],
        kind=one["kind"],
        occurred_at=one["occurred_at"],
        what=_what(one, named),
        member_id=member.id if member else None,
        said=one["said"],
    )


def _what(
    one: dict[str, Any], named: Named
) -> baskets.Basket | tills.GoodsBack | tills.VoucherUsed | Refusal:
    body = one["body"]
    if isinstance(body, Refusal):
        return body
    match one["kind"]:
        case Kind.PURCHASE:
            try:
                return basket_of({**body, "occurred_at": one["occurred_at"]}, named)
            except Invalid as refusal:
                return refusal
        case Kind.RETURN:
            back = [returns.ReturnedLine(line["sku"], line["quantity"]) for line in body["lines"]]
            return tills.GoodsBack(
                purchase=body["purchase"], reference=body["reference"], lines=tuple(back)
            )
        case _:
            return tills.VoucherUsed(code=body["code"])


def _told(event: tills.Event, done: tills.Done) -> dict[str, Any]:
    told = {"id": str(event.id), "status": str(done.outcome), **done.answer}
    if done.guest_receipt is not None:
        told["claim_code"] = guests.code_of(done.guest_receipt)
    return told | ({"problem": done.problem} if done.problem else {})
