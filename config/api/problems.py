"""Every refusal and every accident as one `application/problem+json` (RFC 9457).

`problem_of` translates what rooms, Django, REST framework and the database raise. What it does not
know is a bug: it stays an exception, is logged as one and ends as a 500 in the same shape.
"""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import structlog
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf
from rest_framework.fields import get_error_detail

from config import constraints
from config.errors import Invalid, Refusal

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
MAX_POINTER = 200
_STRAY = re.compile(r"~(?![01])")
RESERVED = {"type", "title", "status", "code", "detail", "errors", "request_id"}


@dataclass(frozen=True, kw_only=True)
class Problem:
    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class ProblemResponse(HttpResponse):
    """A problem as a response; the same for views, middleware and Django's own handlers."""

    def __init__(self, problem: Problem) -> None:
        body: dict[str, Any] = {
            "type": f"urn:cairn:problem:{problem.code}",
            "title": problem.code.replace("_", " ").capitalize(),
            "status": problem.status,
            "code": problem.code,
            "detail": problem.detail,
        }
        if problem.errors:
            body["errors"] = problem.errors[:MAX_ERRORS]
        body |= {name: value for name, value in problem.extra.items() if name not in RESERVED}
        body["request_id"] = structlog.contextvars.get_contextvars().get("request_id", "")
        super().__init__(
            json.dumps(body, cls=DjangoJSONEncoder),
            status=problem.status,
            content_type=MEDIA_TYPE,
            headers=problem.headers,
        )


def problem_of(exception: BaseException) -> Problem | None:
    """The problem an exception stands for; None for a bug."""
    match exception:
        case Refusal():
            return _of_refusal(exception)
        case drf.ValidationError():
            return _invalid(list(flattened(exception.detail)))
        case ValidationError():
            return _invalid(list(flattened(get_error_detail(exception))))
        case drf.APIException():
            return _of_api_exception(exception)
        case Http404():
            return Problem(status=404, code="not_found", detail="No such thing, or not yours.")
        case PermissionDenied():
            return Problem(status=403, code="permission_denied", detail="You may not do this.")
        case RequestDataTooBig():
            return Problem(status=413, code="too_large", detail="The body is too large.")
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(status=400, code="invalid", detail="The request cannot be read.")
        case DatabaseError() | InterfaceError():
            return _of_database_error(exception)
    return None


def response_to(exception: Exception) -> ProblemResponse:
    """The answer to an exception; a bug is raised again."""
    problem = problem_of(exception)
    if problem is None:
        raise exception
    return ProblemResponse(problem)


def flattened(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """REST framework's nested errors as {pointer (JSON Pointer), code, detail}, one each."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            step = "" if name == "non_field_errors" else "/" + escaped(str(name))
            yield from flattened(below, pointer + step)
    elif isinstance(detail, list):
        for index, below in enumerate(detail):
            # A list of texts are errors of one value; a list of dicts are the items of a list.
            step = f"/{index}" if isinstance(below, dict) else ""
            yield from flattened(below, pointer + step)
    else:
        yield {
            "pointer": shortened(pointer),
            "code": getattr(detail, "code", "invalid"),
            "detail": str(detail),
        }


def escaped(name: str) -> str:
    """A name as one step of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def shortened(pointer: str) -> str:
    """A pointer that is one: half an escape is none, nor is a `~` of a name that a room took over
    from a document."""
    return _STRAY.sub("~0", pointer[:MAX_POINTER].removesuffix("~"))


def _invalid(errors: list[dict[str, str]]) -> Problem:
    if len(errors) == 1:
        detail = f"{errors[0]['pointer']}: {errors[0]['detail']}".removeprefix(": ")
    else:
        detail = f"{len(errors)} things cannot be accepted; see errors."
    return Problem(status=400, code="invalid", detail=detail, errors=errors)


def _of_refusal(refusal: Refusal) -> Problem:
    errors = []
    if isinstance(refusal, Invalid) and refusal.pointer:
        pointer = shortened(refusal.pointer)
        errors = [{"pointer": pointer, "code": refusal.code, "detail": refusal.detail}]
    headers = {}
    if "retry_after" in refusal.extra:
        headers["Retry-After"] = str(ceil(refusal.extra["retry_after"]))
    return Problem(
        status=refusal.status,
        code=refusal.code,
        detail=refusal.detail,
        errors=errors,
        extra=refusal.extra,
        headers=headers,
    )


def _of_api_exception(exception: drf.APIException) -> Problem:
    headers = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(exception, drf.Throttled):
        headers["Retry-After"] = str(ceil(getattr(exception, "wait", None) or 1))
    code = "invalid" if isinstance(exception, drf.ParseError) else exception.default_code
    detail = exception.detail if isinstance(exception.detail, str) else exception.default_detail
    return Problem(status=exception.status_code, code=code, detail=str(detail), headers=headers)


def _of_database_error(error: BaseException) -> Problem | None:
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if isinstance(error, DataError):
        detail = "A value is outside what can be stored."
        return Problem(status=400, code="invalid", detail=detail)
    if isinstance(error, OperationalError | InterfaceError):
        # A lock or statement timeout, a deadlock, a full or restarting server: all pass.
        log.warning("database is busy or away: %s %s", state, error)
        detail = "Too busy just now. Nothing was changed; send the same request again."
        headers = {"Retry-After": "1"}
        return Problem(status=503, code="try_again", detail=detail, headers=headers)
    if isinstance(error, IntegrityError) and (name := constraints.name_of(error)):
        # A room should have refused this in words; the constraint's name is the next best thing.
        log.error("a constraint had to refuse: %s", name, exc_info=error)
        return Problem(status=409, code="conflict", detail=f"Refused by the rule {name}.")
    return None
