"""One log line a request, without personal data: no query string, no address, no code in a path."""

from collections.abc import Awaitable

from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

# Asked every few seconds by machines; a line each would bury everything else.
PROBES = {"/healthz", "/readyz", "/metrics"}


class RouteMiddleware(RequestMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if request.path in PROBES:
            return self.get_response(request)
        return super().__call__(request)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        # The route, not the path: a look-up asks by e-mail, a voucher's path is its code.
        match = getattr(request, "resolver_match", None)
        return f"{request.method} /{match.route}" if match else f"{request.method} ?"
