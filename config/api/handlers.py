"""Where exceptions become problems: in REST framework's views, and in Django around them.

Outside /api/ Django's own pages stay: the admin is for people.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import csrf, defaults

from config.api.problems import Problem, ProblemResponse, problem_of


def api_exception(exception: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """REST framework's EXCEPTION_HANDLER. None re-raises: a bug reaches the log, then `broken`."""
    problem = problem_of(exception)
    return ProblemResponse(problem) if problem else None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    problem = problem_of(exception)
    return ProblemResponse(
        problem or Problem(status=400, code="invalid", detail="The request cannot be read.")
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not _is_api(request):
        return defaults.permission_denied(request, exception)
    return ProblemResponse(
        Problem(status=403, code="permission_denied", detail="You may not do this.")
    )


def missing(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    return ProblemResponse(
        Problem(status=404, code="not_found", detail="There is nothing at this address.")
    )


def broken(request: HttpRequest) -> HttpResponseBase:
    if not _is_api(request):
        return defaults.server_error(request)
    detail = "Something broke on our side. It is in the log under this request_id."
    return ProblemResponse(Problem(status=500, code="broken", detail=detail))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    if not _is_api(request):
        return csrf.csrf_failure(request, reason)
    return ProblemResponse(Problem(status=403, code="permission_denied", detail=reason))


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
