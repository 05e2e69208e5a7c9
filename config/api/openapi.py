"""The OpenAPI 3.1 document: what every operation shares is written here once.

Problems that an operation can end in, the two ways to say who is asking, the Idempotency-Key of
writes, closed input shapes, and the sign-in conversation, whose views are not REST framework's.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import AllowAny

from config.api import problems, sign_in_document, webhook_document
from config.api.serializers import StrictSerializer
from config.api.writes import HEADER

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; decide by this one."},
        "detail": {"type": "string", "description": "For a person to read."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "format": "json-pointer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
MEANINGS = {
    "400": "The request cannot be right; `errors` says where.",
    "401": "Nobody known is asking.",
    "403": "Not for this caller.",
    "404": "No such thing, or not this caller's.",
    "409": "Not possible as things stand; `code` says why.",
    "410": "This sign-in has ended; start again with a new code.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests; see Retry-After.",
    "503": "Too busy; nothing was changed, send it again after Retry-After.",
}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
IDEMPOTENCY_KEY = OpenApiParameter(
    name=HEADER,
    location=OpenApiParameter.HEADER,
    description=(
        "1 to 255 printable ASCII characters of the caller's choice. The same request with the "
        "same key is carried out once; repetitions get the first answer with "
        "`Idempotent-Replayed: true`."
    ),
    required=False,
    type=str,
)


class Schema(AutoSchema):
    """A view says `is_keyed = False` if its writes take no Idempotency-Key, and `finds_one = True`
    if its query names one thing, which may not be there."""

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY_KEY] if self._is_keyed() else []

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problems():
            bodies.setdefault(status, problem_response(status))
        return bodies

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def get_auth(self) -> list[dict[str, Any]]:
        kinds = {kind for permission in self.view.get_permissions() for kind in _kinds(permission)}
        found: list[dict[str, Any]] = super().get_auth()
        return [way for way in found if not kinds or not way or kinds & way.keys()]

    def _is_keyed(self) -> bool:
        return self.method in WRITES and getattr(self.view, "is_keyed", True)

    def _problems(self) -> list[str]:
        is_open = any(
            isinstance(permission, AllowAny) for permission in self.view.get_permissions()
        )
        found = ["400", "429", "503"]
        if self.method in WRITES - {"DELETE"}:
            found += ["413", "415"]
        if not is_open:
            found += ["401", "403"]
        # Bodies name things, too.
        finds_one = "{" in self.path or getattr(self.view, "finds_one", False)
        if finds_one or self.method in WRITES:
            found += ["404"]
        if self.method in WRITES:
            found += ["409"]
        if self._is_keyed():
            found += ["422"]
        return sorted(found)


def _kinds(permission: Any) -> set[str]:
    """The ways to say who is asking that this permission, maybe an `a | b`, listens to."""
    if hasattr(permission, "op1"):
        return _kinds(permission.op1) | _kinds(permission.op2)
    return {permission.kind} if hasattr(permission, "kind") else set()


def problem_response(status: str) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": MEANINGS[status], "content": content}


def finish(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """POSTPROCESSING_HOOK: the shapes and paths that no view of ours declares."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path, item in sign_in_document.paths(problem_response).items():
        result["paths"].setdefault(path, item)
    result["webhooks"] = webhook_document.webhooks()
    return result


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.api.authentication.BearerAuthentication"
    name = "member"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.api.authentication.ApiKeyAuthentication"
    name = "integrator"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key KEY`, with a key from `manage.py issue_key`.",
        }
