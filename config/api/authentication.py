"""Who is asking: a member's access token, or an integrator's key.

`request.auth` is then the `Member` or the `ApiKey`; `config.api.callers` reads it.
"""

from typing import Any

from allauth.headless.contrib.rest_framework.authentication import JWTTokenAuthentication
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from members import keys, signing_in
from members.models import ApiKey, Member

CHALLENGE = 'Bearer realm="cairn", Api-Key realm="cairn"'


class BearerAuthentication(JWTTokenAuthentication):
    """`Authorization: Bearer TOKEN`, checked against the session it belongs to.

    Listed first: REST framework answers 401 only if the first class has a challenge to offer.
    """

    def authenticate_credentials(self, key: str) -> tuple[Any, Member | None]:
        found = signing_in.signed_in(token=key, now=timezone.now())
        if found is None:  # The long way knows why, and what else may be done about it.
            user, _ = super().authenticate_credentials(key)
            member = Member.objects.select_related("merged_into").filter(user=user).first()
        else:
            user, member = found
        member = member.merged_into or member if member else None
        if member is not None and member.erased_at is not None:
            raise AuthenticationFailed("Invalid token.")
        return user, member

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key KEY`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"api-key":
            return None
        key = keys.verify(raw=raw.decode("latin-1").strip())
        if key is None:
            raise AuthenticationFailed("Invalid key.")
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE
