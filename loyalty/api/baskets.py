"""A purchase in a till's words, on its way to a basket; and what the till hears of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from config.api import problems
from config.api.fields import Flag, Moment, Money, Text, Whole
from config.api.serializers import StrictSerializer
from config.errors import Invalid
from loyalty import guests, purchases
from loyalty.baskets import MOST_LINES, NOBODY, Basket, Line
from members.importing import references
from members.models import ApiKey, Store

MOST_ERRORS = 10


class LineIn(StrictSerializer):
    sku = Text(max_length=64, required=False, allow_blank=True)
    quantity = Whole(min_value=1, max_value=1_000_000)
    unit_price = Money()
    category = Text(max_length=64, required=False)


class SoldIn(StrictSerializer):
    reference = Text(max_length=64)
    member = Text(max_length=254, required=False, help_text="Number or e-mail")
    guest = Flag(required=False, help_text="Nobody in particular: they may claim it later")
    channel = Text(max_length=24)
    store = Text(max_length=40, required=False)
    pickup_store = Text(max_length=40, required=False, help_text="Picked up there, bought here")
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217")
    lines = serializers.ListField(child=LineIn(), allow_empty=False, max_length=MOST_LINES)
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


class PurchaseIn(SoldIn):
    occurred_at = Moment()


class ReturnedLineIn(StrictSerializer):
    sku = Text(max_length=64, allow_blank=True)
    quantity = Whole(min_value=1, max_value=1_000_000)


class AwardOut(serializers.Serializer[Any]):
    rule = serializers.CharField()
    points = serializers.IntegerField()
    because = serializers.CharField()


class ErrorOut(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ReasonOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ErrorOut(many=True, required=False)  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Named:
    """The members and stores that some purchases name, as far as this key may name them."""

    key: ApiKey
    members: dict[str, references.Known]
    stores: dict[str, Store]

    def store(self, code: str, *, pointer: str = "/store") -> Store:
        """The store of that code; a till's key knows its own only."""
        own = self.key.store
        found = own if own and own.code == code else self.stores.get(code)
        if found is None or (own and pointer == "/store" and found.pk != own.pk):
            raise Invalid(f"There is no store '{code}' for this key.", pointer=pointer)
        return found


def named_in(said: Sequence[dict[str, Any]], key: ApiKey) -> Named:
    """Look up everybody and every store these purchases name, at once."""
    own = key.store.code if key.store else None
    codes = {one.get(name) for one in said for name in ("store", "pickup_store")}
    return Named(
        key=key,
        members=references.members_named({one["member"] for one in said if one.get("member")}),
        stores=references.stores_coded(codes - {own}),
    )


def basket_of(said: dict[str, Any], named: Named) -> Basket:
    """What was said as a basket; `Invalid` when the member or store is not known to this key."""
    if (
        "points" in said or "points_hold" in said
    ) and ApiKey.Scope.VOUCHERS not in named.key.scopes:
        raise PermissionDenied("To pay with points a key needs the scope 'vouchers' too.")
    member = _buyer(said, named)
    store = named.key.store
    if code := said.get("store"):
        store = named.store(code)
    pickup = said.get("pickup_store")
    return Basket(
        reference=said["reference"],
        member_id=member.id,
        zone=member.zone,
        occurred_at=said["occurred_at"],
        channel=said["channel"],
        store=store,
        pickup_store=named.store(pickup, pointer="/pickup_store") if pickup else None,
        currency=said["currency"],
        lines=tuple(
            Line(
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


def _buyer(said: dict[str, Any], named: Named) -> references.Known:
    name = said.get("member")
    if said.get("guest"):
        if name:
            raise Invalid("A guest is nobody by name.", pointer="/member")
        return references.Known(NOBODY, "UTC")
    if not name:
        raise Invalid("Name the member, or say that it is a guest.", pointer="/member")
    member = named.members.get(name)
    if member is None:
        raise Invalid("There is no such member.", pointer="/member")
    return member


def refusal_of(error: serializers.ValidationError) -> Invalid:
    """What a shape has against one of many, as a room would say it."""
    errors = list(problems.flattened(error.detail))[:MOST_ERRORS]
    return Invalid(errors[0]["detail"], errors=errors)


def told(reference: str, outcome: purchases.Receipt | guests.Kept) -> dict[str, Any]:
    """What a till hears of a purchase that was recorded or kept."""
    match outcome:
        case guests.Kept():
            return {
                "reference": reference,
                "claim_code": outcome.code,
                "claimable_until": outcome.receipt.claimable_until.isoformat(),
                "points": outcome.points,
            }
        case purchases.Receipt():
            return {
                "reference": reference,
                "awards": [asdict(award) for award in outcome.awards],
                "points": outcome.points,
                "balance": outcome.balance,
            }
