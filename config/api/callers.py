"""What a view may ask about its caller. Every queryset starts here, never from an id in the URL."""

import ipaddress
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from members.models import ApiKey, Member

if TYPE_CHECKING:  # rest_framework.views loads this module as one of its defaults.
    from rest_framework.views import APIView


class IsMember(BasePermission):
    """The default of every view: nothing is open by forgetting a line."""

    message = "This is for members; sign in with a member's token."
    kind = "member"  # What the OpenAPI document calls this way to say who is asking

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, Member)


def has_scope(scope: str) -> Any:
    """A permission class: an integrator's key with this scope. Joins others with `|`."""
    wanted = ApiKey.Scope(scope)

    class HasScope(BasePermission):
        message = f"This needs an Api-Key with the scope '{scope}'."
        kind = "integrator"

        def has_permission(self, request: Request, view: "APIView") -> bool:
            return isinstance(request.auth, ApiKey) and wanted in request.auth.scopes

    return HasScope


def member_of(request: Request) -> Member:
    """The member who is asking."""
    if isinstance(request.auth, Member):
        return request.auth
    raise PermissionDenied(IsMember.message) if request.auth else NotAuthenticated()


def key_of(request: Request) -> ApiKey:
    """The integrator's key that is asking."""
    if isinstance(request.auth, ApiKey):
        return request.auth
    raise PermissionDenied("This is for integrators.") if request.auth else NotAuthenticated()


def caller_of(request: Request) -> str:
    """Who is asking, in a word: `member:ID`, `key:PREFIX` or `address:IP`."""
    match request.auth:
        case Member() as member:
            return f"member:{member.pk}"
        case ApiKey() as key:
            return f"key:{key.prefix}"
    return f"address:{address_of(request)}"


def address_of(request: Request | HttpRequest) -> str:
    """The caller's network address; a forwarded one counts only from proxies that are ours."""
    address = request.META.get("REMOTE_ADDR", "")
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.ALLAUTH_TRUSTED_PROXY_COUNT <= len(hops):
        address = hops[-settings.ALLAUTH_TRUSTED_PROXY_COUNT].strip() or address
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 6:  # One subscriber has 2**64 of these.
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)
