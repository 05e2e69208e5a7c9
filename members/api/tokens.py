"""Access and refresh tokens: allauth's, with a stolen refresh token ending the whole session."""

from typing import Any

from allauth.headless.tokens.strategies.jwt import internal as jwt
from allauth.headless.tokens.strategies.jwt.strategy import JWTTokenStrategy
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.http import HttpRequest

NO_SESSION = "-"


class TokenStrategy(JWTTokenStrategy):
    def create_session_token(self, request: HttpRequest) -> str:
        # Sealed: the bare session key would also work as the cookie of the admin, for a member
        # who is staff too.
        return str(jwt.session_key_to_sid(super().create_session_token(request)))

    def get_session_token(self, request: HttpRequest) -> str | None:
        if token := request.headers.get("X-Session-Token"):
            return _unsealed(token)
        found: str | None = super().get_session_token(request)
        return found

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any] | None:
        payload: dict[str, Any] | None = super().create_access_token_payload(request)
        if payload is not None:
            payload["expires_in"] = settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN
        return payload

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        renewed: tuple[str, str] | None = super().refresh_token(refresh_token)
        if renewed is None:
            self._end_if_reused(refresh_token)
        return renewed

    def _end_if_reused(self, refresh_token: str) -> None:
        """A token that was ours and is not the latest: two hold it, and one of them stole it."""
        payload = jwt.decode_token(refresh_token, "refresh")
        session = jwt.get_token_session(payload) if payload else None
        if session is None:
            return
        UserSession.objects.filter(session_key=session.session_key).delete()
        session.flush()


def _unsealed(token: str) -> str:
    """The session key in the token; a key that no session has if it is not one of ours."""
    try:
        key = jwt.session_key_from_sid(token) or NO_SESSION
    except ValueError:
        return NO_SESSION
    return key if set(key) <= set(VALID_KEY_CHARS) else NO_SESSION
