"""What may come in: a shape per operation, every field named, everything else refused by name.

facts = serializers.read(CheckInFacts, request)      # the body
near = serializers.read_query(NearMe, request)       # the query string
"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.serializers import ListSerializer, Serializer

from config.errors import Invalid

PAGING = {"cursor", "limit"}

__all__ = ["ListSerializer", "StrictSerializer", "read", "read_query"]


class StrictSerializer(Serializer[Any]):
    """A serializer for the way in: a field it does not know is an error, not ignored.

    So a client that sends `points` or `price` hears that nobody listens to them.
    """

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data)
        try:
            known = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not unknown:
                raise
            raise serializers.ValidationError({**error.detail, **unknown}) from error  # type: ignore[dict-item]
        if unknown:
            raise serializers.ValidationError(unknown)
        return known

    def _unknown(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, dict):
            return {}
        writable = {name for name, field in self.fields.items() if not field.read_only}
        return {
            name: [serializers.ErrorDetail("There is no such field here.", code="unknown")]
            for name in data
            if name not in writable
        }


def read(shape: type[Serializer[Any]], request: Request, **options: Any) -> dict[str, Any]:
    """The body as this shape says it; an empty body is refused in words, not field by field.

    `options` go to the serializer: `partial=True` for a PATCH.
    """
    # The parser is not asked when there is no body at all, so nobody else notices.
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        raise Invalid("A JSON object is due in the body.")
    request.body_was_read = True  # type: ignore[attr-defined]
    return _checked(shape(data=request.data, **options))


def refuse_unread(request: Request) -> None:
    """Refuse a body that the operation did not ask for: it would be ignored without a word."""
    if not hasattr(request, "body_was_read") and request.data:
        raise Invalid("This operation takes nothing in the body.")


def read_query(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """The query string as this shape says it; an error's pointer is the parameter's name."""
    asked = {name: value for name, value in request.query_params.items() if name not in PAGING}
    return _checked(shape(data=asked))


def _checked(shape: Serializer[Any]) -> dict[str, Any]:
    shape.is_valid(raise_exception=True)
    validated: dict[str, Any] = shape.validated_data
    return validated
