"""Lists by cursor: `{"next": URL or null, "results": [...]}`, `limit` at most 100.

A cursor is the last row's place (ordering value and primary key), so a page costs the same at any
depth, and rows that arrive meanwhile are neither skipped nor shown twice.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, cast

from django.core.exceptions import FieldError, ValidationError
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from config.errors import Invalid

DEFAULT_LIMIT = 25
MAX_LIMIT = 100


class CursorPaging(BasePagination):
    """Orders by the view's `ordering` ("-occurred_at", default "-pk"), then by primary key."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        ordering: str = getattr(view, "ordering", "-pk")
        self.request = request
        self.name = ordering.removeprefix("-")
        limit = limit_of(request)
        if cursor := request.query_params.get("cursor"):
            queryset = self._after(queryset, cursor, is_falling=ordering.startswith("-"))
        ties = "-pk" if ordering.startswith("-") else "pk"
        rows = list(queryset.order_by(ordering, ties)[: limit + 1])
        self.has_next = len(rows) > limit
        self.page = rows[:limit]
        return self.page

    def get_paginated_response(self, data: Any) -> Response:
        link = None
        if self.has_next:
            here = self.request.build_absolute_uri()
            link = replace_query_param(here, "cursor", self._cursor(self.page[-1]))
        return Response({"next": link, "results": data})

    def _after(self, queryset: QuerySet[Any], cursor: str, *, is_falling: bool) -> QuerySet[Any]:
        field = _field(queryset.model, self.name)
        key = queryset.model._meta.pk
        beyond = "lt" if is_falling else "gt"
        try:
            text, last = json.loads(urlsafe_b64decode(cursor.encode()))
            value, last = field.to_python(str(text)), key.to_python(str(last))
            further = Q(**{f"{self.name}__{beyond}": value})
            beside = Q(**{self.name: value, f"pk__{beyond}": last})
            return queryset.filter(further | beside)
        except (ValueError, TypeError, ValidationError, FieldError, RecursionError) as error:
            raise Invalid("This cursor was not made here.", pointer="/cursor") from error

    def _cursor(self, row: Any) -> str:
        text = _field(type(row), self.name).value_to_string(row)
        return urlsafe_b64encode(json.dumps([text, str(row.pk)]).encode()).decode()

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {"type": ["string", "null"], "format": "uri"},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Follow `next` instead of making one.",
                "schema": {"type": "string"},
            },
            {"name": "limit", "in": "query", "required": False, "schema": limit},
        ]


def limit_of(request: Request) -> int:
    """How many rows were asked for: 25 unless said, never more than 100."""
    asked = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10 and int(asked) > 0):
        raise Invalid("limit is a whole number from 1 to 100.", pointer="/limit")
    return min(int(asked), MAX_LIMIT)


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return cast("Field[Any, Any]", field)
