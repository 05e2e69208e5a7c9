"""/stock/: how many of its products a store has, told by whoever counts."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Moment, Text, Whole
from config.api.serializers import StrictSerializer, read
from config.errors import Invalid
from loyalty import stock
from members.models import ApiKey


class CountIn(StrictSerializer):
    store = Text(max_length=40)
    sku = Text(max_length=64)
    quantity = Whole(max_value=stock.MOST_PIECES)
    counted_at = Moment(
        required=False, help_text="Just now, unless you say; the latest count stands"
    )
    expected_on = serializers.DateField(
        required=False, help_text="The next delivery; without one none is expected"
    )


class CountsIn(StrictSerializer):
    counts = serializers.ListField(
        child=CountIn(), allow_empty=False, max_length=stock.MOST_PER_CALL
    )


class CountedOut(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="Known already, or older than what is known")


class Stock(APIView):
    permission_classes = (callers.has_scope("purchases"),)

    @extend_schema(request=CountsIn, responses=CountedOut)
    def post(self, request: Request) -> Response:
        counts = [stock.Count(**one) for one in read(CountsIn, request)["counts"]]
        _refuse_strange_stores(counts, callers.key_of(request))

        def count() -> tuple[int, dict[str, Any]]:
            said = stock.record(counts, now=timezone.now())
            for number, one in enumerate(said):
                if isinstance(one, Invalid):
                    raise Invalid(one.detail, pointer=f"/counts/{number}{one.pointer}")
            return 200, {"recorded": said.count(True), "unchanged": said.count(False)}

        return writes.answer_once(request, count)


def _refuse_strange_stores(counts: Sequence[stock.Count], key: ApiKey) -> None:
    """A till's key speaks for its own store only."""
    for number, count in enumerate(counts):
        if key.store and key.store.code != count.store:
            raise Invalid(
                f"There is no store '{count.store}' for this key.",
                pointer=f"/counts/{number}/store",
            )
